"""A worker of soak.py: it trains nothing, lives for milliseconds to seconds, and ends as the first word of its id says.

Needs only the standard library, so that two thousand of them cost little. Heartbeats, metrics, summary and result are
written as a real worker writes them.
"""

import faulthandler
import json
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

EPOCHS = 3
MEMORY_EXIT, STOPPED_EXIT = 86, 143
FOREVER_S = 3600.0


def write(path: Path, value: dict[str, Any]) -> None:
    """Replace the file at ``path``."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(value), encoding="utf-8")
    temporary.replace(path)


class Worker:
    """One worker, by its order.

    Args:
        order: what the dispatcher wrote for it.
    """

    def __init__(self, order: dict[str, Any]) -> None:
        self.order = order
        self.kind = order["job"].split("-")[0]
        self.is_first = order["attempt"] == 1
        self.folder = Path(order["folder"])
        self.epoch_s = _lifetime(self.kind, random.Random(order["job"])) / EPOCHS

    def work(self) -> int:
        """Be the run and return the exit code."""
        signal.signal(signal.SIGTERM, self._stop)
        faulthandler.register(signal.SIGUSR1, all_threads=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._beat(0)
        if self.kind == "hangs" and self.is_first:
            time.sleep(FOREVER_S)
        if self.kind == "crashes":
            return self._end("crash", "RuntimeError: it broke", 1)
        if self.kind == "refused":
            return self._end("usage", "data.batch_size: too large", 2)
        if self.kind == "hungry" and self.is_first:
            return self._end("memory", "tried to allocate 1 GiB", MEMORY_EXIT)
        return self._train()

    def _train(self) -> int:
        for epoch in range(self._epochs_done() + 1, self._epochs_wanted() + 1):
            time.sleep(self.epoch_s)
            with (self.folder / "metrics.csv").open("a", encoding="utf-8") as file:
                file.write("epoch,val_accuracy\n" * (epoch == 1) + f"{epoch},{epoch / 10}\n")
            self._beat(epoch)
            if self.kind == "killed" and self.is_first:
                os.kill(os.getpid(), signal.SIGKILL)
            if self.kind == "diverges":
                return self._end("diverged", "the training loss is not finite", 1)
        return self._end("finished", "all epochs trained", 0)

    def _epochs_wanted(self) -> int:
        return 10**6 if self.kind in ("pruned", "cancelled") else EPOCHS

    def _epochs_done(self) -> int:
        path = self.folder / "metrics.csv"
        return len(path.read_text(encoding="utf-8").splitlines()) - 1 if path.exists() else 0

    def _beat(self, step: int) -> None:
        values = {"beat": step, "step": step, "total_steps": EPOCHS, "step_seconds": self.epoch_s}
        values |= {"attempt": self.order["attempt"], "reports": step, "peak_bytes": 1 << 20}
        write(Path(self.order["heartbeat"]), values)

    def _end(self, cause: str, reason: str, code: int) -> int:
        if cause in ("finished", "diverged"):
            metrics = dict.fromkeys(("train_loss", "train_accuracy", "val_loss", "val_accuracy"), 0.5)
            write(self.folder / "summary.json", {"status": cause, "reason": reason, "metrics": metrics})
        result = {"attempt": self.order["attempt"], "cause": cause, "reason": reason, "peak_bytes": 1 << 20}
        write(Path(self.order["result"]), result)
        return code

    def _stop(self, number: int, frame: object) -> None:
        sys.exit(self._end("interrupted", "SIGTERM", STOPPED_EXIT))


def _lifetime(kind: str, draws: random.Random) -> float:
    """Return how long a run of the kind trains, seconds: most milliseconds, slow ones up to a few seconds."""
    if kind == "slow":
        return draws.uniform(0.5, 4.0)
    return draws.choice((0.003, 0.03, 0.1, 0.3))


if __name__ == "__main__":
    sys.exit(Worker(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))).work())
