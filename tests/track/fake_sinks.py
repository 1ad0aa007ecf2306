"""Trackers that misbehave; each notes in the run folder's ``seen.jsonl`` what reached it."""

import json
import os
import time
from pathlib import Path


class Recording:
    def start(self, run):
        self.folder = run.folder
        self.note("start", start_step=run.start_step, id=run.id, config=dict(run.config))
        return "in seen.jsonl"

    def epoch(self, step, metrics):
        self.note("epoch", step=step, metrics=dict(metrics))

    def picture(self, name, path):
        self.note("picture", name=name, bytes=path.stat().st_size)

    def finish(self, status, metrics, summary):
        self.note("finish", status=status, metrics=dict(metrics), summary=dict(summary))

    def note(self, event, **values):
        with (Path(self.folder) / "seen.jsonl").open("a") as file:
            file.write(json.dumps({"event": event, **values}) + "\n")


class CannotStart(Recording):
    def start(self, run):
        raise ConnectionError("no account\nsecond line")


class FailsEachEpoch(Recording):
    def epoch(self, step, metrics):
        super().epoch(step, metrics)
        raise ValueError(f"cannot store step {step}")


class Hangs(Recording):
    def start(self, run):
        super().start(run)
        (run.folder / "pid").write_text(str(os.getpid()))
        time.sleep(3600)


class Waits(Recording):
    """Takes nothing until the run folder holds ``go``."""

    def start(self, run):
        said = super().start(run)
        while not (run.folder / "go").exists():
            time.sleep(0.01)
        return said


class Dies(Recording):
    def epoch(self, step, metrics):
        os._exit(7)


class Chatters(Recording):
    def epoch(self, step, metrics):
        print('{"failed": "this is no answer"}', flush=True)
        os.write(1, b"nor is this\n")
        super().epoch(step, metrics)
