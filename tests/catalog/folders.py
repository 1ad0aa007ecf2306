"""Run, sweep and comparison folders as the product writes them, without training anything."""

import os
import time
from contextlib import ExitStack, closing
from dataclasses import asdict

from windtunnel.comparison.answer import evaluate_trials
from windtunnel.comparison.contest import Rules, set_up
from windtunnel.comparison.trials import Trial
from windtunnel.config.sweep import SweepConfig
from windtunnel.core.files import write_json
from windtunnel.core.reports import EpochReport, RunInfo
from windtunnel.dispatch.journal import Journal
from windtunnel.dispatch.types import Estimate
from windtunnel.recipes.load import load_recipe
from windtunnel.sweeps.definition import build_definition
from windtunnel.sweeps.folder import create_sweep
from windtunnel.sweeps.study import Study
from windtunnel.track.files import FileTracker
from windtunnel.training.folder import RunFolder, create_run_folder

QUICKSTART = load_recipe("quickstart")
DEVICE = {"name": "cpu", "kind": "cpu", "total_bytes": 10**9, "threads": 1, "cores": 4, "uuid": ""}


def report(epoch, accuracy=None):
    value = epoch / 10 if accuracy is None else accuracy
    return EpochReport(epoch, 20 * epoch, 2.0 / epoch, value, 1.9 / epoch, value, 0.1, 1.5, 900.0, memory_bytes=10**8)


class MadeRun:
    """A run folder that is written step by step."""

    def __init__(self, path, *, experiment=QUICKSTART, epochs=4.0):
        self.path = path
        self.folder = create_run_folder(experiment, path, environment={"argv": []}, overrides=())
        self.experiment = experiment
        self.info = RunInfo(experiment.name, str(path), "cpu", "float32", 1200, 900, 0, int(20 * epochs), epochs)
        self.tracker = FileTracker(path)
        self.tracker.start(self.info)
        self.held = ExitStack()

    def train(self, *epochs):
        for epoch in epochs:
            self.tracker.epoch(report(epoch))
        return self

    def hold(self):
        self.held.enter_context(self.folder.hold())
        return self

    def end(self, status="finished", last=4, **summary):
        values = {"train_loss": 2.0 / last, "val_accuracy": last / 10, "val_loss": 1.9 / last}
        told = {
            "status": status,
            "reason": "",
            "metrics": values,
            "best_validation": last / 10,
            "steps": 20 * last,
            "epochs": float(last),
            "seconds": {"prepare": 0.5, "train": 6.0},
            "device": "cpu",
            "precision": "float32",
            "parameters": 1200,
            "total_steps": 80,
        }
        summary = {**told, "seed": self.experiment.seed, **summary}
        RunFolder(self.path).write_summary(summary)
        self.tracker.finish(summary)
        return self

    def age(self, seconds=100):
        """Let everything in the folder look as if written a while ago."""
        then = time.time() - seconds
        for path in [*self.path.rglob("*"), self.path]:
            os.utime(path, (then, then))
        return self


def make_run(path, *, status="finished", experiment=QUICKSTART):
    """Write a run of four epochs that ended."""
    return MadeRun(path, experiment=experiment).train(1, 2, 3, 4).end(status)


class Pen:
    """A dispatcher's journal, closed after every line."""

    def __init__(self, path):
        self.path = path

    def append(self, event, **values):
        with closing(Journal(self.path)) as journal:
            journal.append(event, **values)


def make_sweep(root, *, ended=4, **fields):
    """Write a sweep whose first ``ended`` runs have ended; the next one, if any, runs and the rest waits."""
    tree = {
        "name": "rates",
        "base": "quickstart",
        "project": "p",
        "space": {"optim.lr": [0.1, 0.2, 0.3, 0.4]},
        **fields,
    }
    definition = build_definition(SweepConfig.model_validate(tree))
    folder = create_sweep(definition, root)
    folder.dispatch.mkdir(exist_ok=True)
    jobs = Study(definition, folder).take(100)
    journal = Pen(folder.dispatch / "journal.jsonl")
    journal.append("opened", pid=1, devices=[DEVICE])
    listed = [{"id": job.id, "folder": str(job.folder), "priority": 0} for job in jobs]
    journal.append("taken", limit=100, jobs=listed)
    estimate = asdict(Estimate(bytes=3 * 10**8, seconds=8.0, compute_share=0.5, source="measured"))
    for job in jobs:
        journal.append("estimated", job=job.id, estimate=estimate)
    for number, job in enumerate(jobs[: ended + 1]):
        placed = {"device": "cpu", "pid": os.getpid(), "identity": "", "reserved_bytes": 3 * 10**8}
        journal.append("admitted", job=job.id, attempt=1, **placed)
        run = MadeRun(job.folder, experiment=job.experiment).train(1, 2)
        if number < ended:
            run.end(last=2)
            metrics = {"val_accuracy": 0.2}
            journal.append("progress", job=job.id, epoch=1, metrics=metrics, go_on=True)
            told = {"summary": RunFolder(job.folder).read_summary(), "attempts": 1, "peak_bytes": 2 * 10**8}
            journal.append("ended", job=job.id, status="finished", reason="", **told)
    return folder, journal, jobs


def make_comparison(root, *, pairs=3, answered=True):
    """Write a comparison of two designs whose trials have ended."""
    other = QUICKSTART.model_copy(update={"train": QUICKSTART.train.model_copy(update={"epochs": 3.0})})
    contest = set_up([("base", QUICKSTART), ("<b>short</b>", other)], Rules(trials=pairs, stop_early=False))
    folder = root / "comparisons" / f"demo-{contest.key}"
    (folder / "orders").mkdir(parents=True)
    rounds = []
    for seed in range(pairs):
        trials = []
        for contestant in contest.contestants:
            path = folder / "runs" / f"{seed:04d}-{contestant.letter}"
            seconds = {"prepare": 0.0, "train": 6.0 + 0.1 * seed + (contestant.letter == "B")}
            MadeRun(path, experiment=contestant.of_seed(seed)).train(1, 2, 3, 4).end(seconds=seconds)
            trials.append(Trial(contestant.letter, seed, path, 0.4, seconds, False, False, {}))
        rounds.append(trials)
    found = evaluate_trials(contest, rounds)
    if answered:
        write_json(folder / "comparison.json", {"rules": asdict(contest.rules), **asdict(found)})
    return folder, found


def make_ablation(root):
    """Write an ablation whose trials have ended: one change that helps, one that cannot be told, their interaction."""
    folder, found = make_comparison(root, answered=False)
    figures = [{"letter": each.letter, "name": each.name, "flops": 3e12} for each in found.figures]
    effects = [
        make_effect(["crop"], [0.25, 0.5, 0.75], [-0.02, -0.01, 0.0], p=0.01),
        make_effect(["<i>ema</i>"], [-0.5, 0.0, 0.5], [0.1, 0.2, 0.3], p=1.0),
        make_effect(["crop", "<i>ema</i>"], [-1.0, -0.5, 0.0], [0.0, 0.0, 0.0], p=None),
    ]
    variants = {"metric": "val_accuracy", "pairs": 3, "figures": figures}
    write_json(folder / "ablation.json", {"design": "factorial", "effects": effects, "variants": variants})
    return folder


def make_effect(changes, points, time, *, p):
    """Return an effect as an ablation's file holds it; bounds are low, mean and high."""
    points, time = (dict(zip(("low", "mean", "high"), bounds, strict=True)) for bounds in (points, time))
    return {"changes": changes, "points": points | {"p_adjusted": p}, "time": time | {"p_adjusted": p}}


def make_time_to(root, *, trials=2):
    """Write times to 90% of two designs: two trials of the first, one of the second, which missed it."""
    folder = root / "comparisons" / "time-to-0a1b2c3d"
    (folder / "trials").mkdir(parents=True)
    seconds = {"n": 2, "mean": 11.0, "sd": 1.4, "low": 10.0, "high": 12.0}
    first = [_attempt("A", seed, 10.0 + 2 * seed, reached=True) for seed in (0, 1)]
    finishes = [
        {"letter": "A", "name": "base", "attempts": first, "seconds": seconds, "median": 11.0, "flops": 3e12},
        {"letter": "B", "name": "<b>fast</b>", "attempts": [_attempt("B", 0, 4.0, reached=False)], "seconds": None},
    ]
    goal = {"target": 0.9, "on": "validation", "every": 0.25, "after": 0.0}
    ratios = [{"letter": "B", "pairs": 2, "ratio": 0.5, "low": 0.4, "high": 0.6}]
    write_json(folder / "time_to.json", {"trials": trials, "goal": goal, "finishes": finishes, "ratios": ratios})
    return folder


def _attempt(letter, seed, seconds, *, reached):
    accuracy = 0.91 if reached else 0.88
    told = {"letter": letter, "seed": seed, "reached": reached, "seconds": seconds, "epochs": 2.5}
    return told | {"accuracy": accuracy, "best": accuracy, "flops": 3e12}
