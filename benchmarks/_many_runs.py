"""Runs folders full of made-up runs, written quickly: for measuring and photographing what shows them.

A fifth of the runs stand by themselves; the rest are in sweeps of up to 100, each with its journal as a dispatcher
writes it. Curves are smooth with noise, so that pictures of them look like something. Everything is a function of the
seed.
"""

import json
import math
import random
import time
from pathlib import Path

from windtunnel.config.files import dump_tree, dump_yaml
from windtunnel.core.reports import EpochReport
from windtunnel.recipes.load import load_recipe
from windtunnel.track.files import COLUMNS

SWEEP_SIZE = 100
EPOCH_S, MIB = 12.0, 2**20
RATES, DECAYS = (0.01, 0.02, 0.05, 0.1, 0.2), (0.0, 1e-4, 5e-4, 1e-3)
INFO = {"device": "cuda:0 (made up)", "precision": "bfloat16", "parameters": 5_400_000, "train_images": 45_000}


def make_runs(folder: Path, count: int, *, epochs: int = 200, live: int = 0, seed: int = 0) -> list[Path]:
    """Write ``count`` runs of ``epochs`` epochs into ``folder`` and return their folders.

    Args:
        folder: the runs folder.
        count: runs altogether.
        epochs: of each.
        live: how many of the single ones are still at it, half way; they come last.
        seed: of everything made up.
    """
    maker = _Maker(folder, epochs, random.Random(seed))
    single = max(count // 5, min(live, count))
    sizes = [min(SWEEP_SIZE, count - single - start) for start in range(0, count - single, SWEEP_SIZE)]
    paths = [path for number, size in enumerate(sizes) for path in maker.make_sweep(f"sweep-{number:02d}", size)]
    for number in range(single):
        name = f"{time.strftime('%Y%m%d-%H%M%S', time.localtime(maker.now - 3600 * number))}-cnn-{number:04x}"
        paths.append(maker.make_run(folder / "made_up" / name, number % 5, number, ended=number < single - live))
    return paths


def append_epoch(path: Path, epoch: int, *, seed: int = 0) -> None:
    """Add an epoch to a run that is still at it, as the run itself does: the row first, then the event."""
    report = make_report(epoch, 200, random.Random(seed), 0.1)
    values = [vars(report)[name] for name in COLUMNS]
    with (path / "metrics.csv").open("a", encoding="utf-8") as file:
        file.write(",".join("" if value is None else str(value) for value in values) + "\n")
    event = {"event": "epoch", "time": round(time.time(), 3), **vars(report)}
    with (path / "events.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(event) + "\n")


def make_report(epoch: int, epochs: int, draws: random.Random, rate: float) -> EpochReport:
    """Return the made-up figures of an epoch."""
    share = epoch / epochs
    best = 0.94 - 0.05 * abs(math.log10(rate / 0.08))
    accuracy = best * (1 - math.exp(-5 * share)) + 0.1 * math.exp(-8 * share) + draws.gauss(0, 0.004)
    return EpochReport(
        epoch=epoch,
        step=350 * epoch,
        train_loss=2.3 * math.exp(-4 * share) + 0.02 + abs(draws.gauss(0, 0.01)),
        train_accuracy=min(accuracy + 0.04 * share, 1.0),
        val_loss=2.3 * math.exp(-3 * share) + 0.25 + abs(draws.gauss(0, 0.02)),
        val_accuracy=min(accuracy, 1.0),
        lr=rate * min(share / 0.1, (1 - share) / 0.9 + 1e-6),
        seconds=EPOCH_S + draws.gauss(0, 0.2),
        images_per_second=45_000 / EPOCH_S + draws.gauss(0, 60),
        memory_bytes=int(2800 * MIB + 40 * MIB * min(share * 20, 1)),
    )


class _Maker:
    def __init__(self, folder: Path, epochs: int, draws: random.Random) -> None:
        self.folder = folder
        self.epochs = epochs
        self.draws = draws
        self.now = time.time()
        self.config = dump_yaml(load_recipe("cifar10/cnn"))

    def make_run(self, path: Path, choice: int, seed: int, *, ended: bool = True) -> Path:
        """Write one run; ``choice`` says which learning rate and weight decay it has."""
        path.mkdir(parents=True)
        rate, decay = RATES[choice % len(RATES)], DECAYS[choice // len(RATES) % len(DECAYS)]
        done = self.epochs if ended else self.epochs // 2
        reports = [make_report(epoch, self.epochs, self.draws, rate) for epoch in range(1, done + 1)]
        begun = self.now - EPOCH_S * done
        (path / "config.yaml").write_text(self._configure(path.name, rate, decay, seed))
        (path / "overrides.txt").write_text(f"optim.lr={rate}\n")
        (path / "env.json").write_text(json.dumps({"format_version": 1, "windtunnel": "0.1.0", "argv": []}))
        (path / "metrics.csv").write_text(_csv(reports))
        (path / "events.jsonl").write_text(self._events(path.name, reports, begun))
        if ended:
            (path / "summary.json").write_text(json.dumps(self._summary(path.name, reports, seed)))
        return path

    def make_sweep(self, name: str, size: int) -> list[Path]:
        """Write a sweep of ``size`` runs and its journal, four at a time on one device."""
        path = self.folder / "made_up" / name
        jobs = [f"{number:04d}-{self.draws.randrange(16**6):06x}-s0" for number in range(size)]
        runs = [self.make_run(path / "runs" / job, number, 0) for number, job in enumerate(jobs)]
        space = {"optim.lr": list(RATES), "optim.weight_decay": list(DECAYS)}
        tree = {"name": name, "project": "made_up", "base": "cifar10/cnn", "space": space, "seeds": list(range(5))}
        (path / "sweep.yaml").write_text(dump_tree(tree))
        points = [
            {"number": number, "choices": _choices(number), "jobs": [job], "refusal": ""}
            for number, job in enumerate(jobs)
        ]
        (path / "points.jsonl").write_text("".join(json.dumps(point) + "\n" for point in points))
        (path / "dispatch").mkdir()
        (path / "dispatch" / "lock").touch()
        (path / "dispatch" / "journal.jsonl").write_text(self._journal(jobs, runs))
        return runs

    def _journal(self, jobs: list[str], runs: list[Path]) -> str:
        whole, begun = EPOCH_S * self.epochs, self.now - EPOCH_S * self.epochs * (len(jobs) / 4 + 2)
        device = {
            "name": "cuda:0",
            "kind": "cuda",
            "total_bytes": 16 * 2**30,
            "threads": 2,
            "cores": 1,
            "uuid": "GPU-0",
        }
        taken = [{"id": job, "folder": str(run), "priority": 0} for job, run in zip(jobs, runs, strict=True)]
        events = [
            {"event": "opened", "time": begun, "pid": 1, "devices": [device]},
            {"event": "taken", "time": begun, "limit": 1000, "jobs": taken},
        ]
        for number, (job, run) in enumerate(zip(jobs, runs, strict=True)):
            at = begun + 5 + number // 4 * whole + number % 4
            reserved, summary = 3200 * MIB, json.loads((run / "summary.json").read_text())
            estimate = {"bytes": reserved, "seconds": 0.8 * whole, "compute_share": 0.3, "source": "measured"}
            placed = {"attempt": 1, "device": "cuda:0", "pid": 1, "identity": "", "reserved_bytes": reserved}
            end = {"status": "finished", "reason": "", "peak_bytes": 2840 * MIB, "summary": summary, "attempts": 1}
            events.append({"event": "estimated", "time": begun, "job": job, "estimate": estimate})
            events.append({"event": "admitted", "time": at, "job": job, **placed})
            for epoch in range(1, self.epochs + 1):
                metrics = {"train_loss": 1.0, "train_accuracy": 0.5, "val_loss": 1.0, "val_accuracy": 0.5}
                progress = {"job": job, "epoch": epoch, "metrics": metrics, "go_on": True}
                events.append({"event": "progress", "time": at + EPOCH_S * epoch, **progress})
            events.append({"event": "ended", "time": at + whole, "job": job, **end})
        events.sort(key=lambda event: event["time"])
        lines = [{"journal": "windtunnel dispatch", "version": 1}, *events]
        return "".join(json.dumps(line) + "\n" for line in lines)

    def _configure(self, name: str, rate: float, decay: float, seed: int) -> str:
        lines = []
        for line in self.config.splitlines():
            key = line.strip().partition(":")[0]
            replaced = {"lr": f"  lr: {rate}", "weight_decay": f"  weight_decay: {decay}", "seed": f"seed: {seed}"}
            named = {"name": f"name: {name}", "project": "project: made_up"}
            top = line[:1] != " "
            lines.append(
                (named if top else {}).get(key) or (replaced.get(key) if top == (key == "seed") else "") or line
            )
        return "\n".join(lines) + "\n"

    def _events(self, name: str, reports: list[EpochReport], begun: float) -> str:
        total = 350 * self.epochs
        start = {"name": name, **INFO, "start_step": 0, "total_steps": total, "epochs": float(self.epochs)}
        lines = [{"event": "start", "time": begun, **start}]
        lines += [{"event": "epoch", "time": begun + EPOCH_S * each.epoch, **vars(each)} for each in reports]
        return "".join(json.dumps(line) + "\n" for line in lines)

    def _summary(self, name: str, reports: list[EpochReport], seed: int) -> dict[str, object]:
        last = reports[-1]
        metrics = {key: getattr(last, key) for key in ("train_loss", "train_accuracy", "val_loss", "val_accuracy")}
        test = max((last.val_accuracy or 0.0) - 0.004, 0.0)
        return {
            "status": "finished",
            "reason": "all epochs trained",
            "name": name,
            "project": "made_up",
            "seed": seed,
            "metrics": {**metrics, "test_accuracy": test, "test_loss": last.val_loss},
            "best_validation": max(each.val_accuracy or 0.0 for each in reports),
            "evaluated_weights": "last",
            "tta": "none",
            "steps": last.step,
            "epochs": float(last.epoch),
            "seconds": {
                "build": 3.0,
                "train": sum(each.seconds for each in reports),
                "validate": 40.0,
                "evaluate": 2.0,
            },
            **INFO,
            "total_steps": last.step,
            "exit_code": 0,
        }


def _choices(number: int) -> dict[str, float]:
    return {"optim.lr": RATES[number % len(RATES)], "optim.weight_decay": DECAYS[number // len(RATES) % len(DECAYS)]}


def _csv(reports: list[EpochReport]) -> str:
    rows = [",".join("" if vars(each)[name] is None else str(vars(each)[name]) for name in COLUMNS) for each in reports]
    return "\n".join([",".join(COLUMNS), *rows]) + "\n"
