"""Runs, sweeps, comparisons and ablations as their folders would be, without training anything: curves are made up.

:func:`made_in` writes one of each, :func:`make_runs` as many runs as wanted, most of them in sweeps. What is made up is
a function of names, settings and seeds.
"""

import itertools
import json
import math
import random
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from windtunnel.comparison.ablation import estimate_effects, plan_variants
from windtunnel.comparison.answer import evaluate_trials
from windtunnel.comparison.changes import Change
from windtunnel.comparison.contest import Rules, set_up
from windtunnel.comparison.trials import Trial
from windtunnel.config.experiment import Experiment
from windtunnel.config.files import dump_yaml
from windtunnel.core.files import write_json
from windtunnel.core.reports import EpochReport
from windtunnel.recipes import load_experiment
from windtunnel.sweeps.definition import dump_definition, load_definition, run_id
from windtunnel.track.files import COLUMNS

MIB, START = 2**20, 1_795_000_000.0
SWEEP_SIZE, LONG_EPOCH_S = 100, 12.0
RATES, DECAYS = (0.01, 0.02, 0.05, 0.1, 0.2), (0.0, 1e-4, 5e-4, 1e-3)


@dataclass(frozen=True)
class Scale:
    """What runs are like.

    Args:
        device: the device's name, as the journal has it.
        device_mib: its memory.
        slots: runs that it has at a time.
        steps: updates an epoch.
        memory_mib: memory of a run, measured; a sixth more is set aside for it.
        noise: standard deviation of the accuracy from epoch to epoch.
    """

    device: str
    device_mib: int
    slots: int
    steps: int
    memory_mib: int
    noise: float


DIGITS = Scale(device="cpu", device_mib=4096, slots=2, steps=20, memory_mib=550, noise=0.0)
COLOURS = Scale(device="cuda:0", device_mib=16_384, slots=4, steps=350, memory_mib=2840, noise=0.004)

ENVIRONMENT = {
    "format_version": 1,
    "windtunnel": "0.1.0",
    "started": "2026-11-22T12:00:00+0000",
    "argv": ["/usr/bin/windtunnel", "train", "quickstart"],
    "packages": {"torch": "2.13.0"},
    "device": "cpu (2 threads)",
    "data": {"name": "digits", "digest": "79" * 32, "splits": {"train": "86" * 32, "test": "7d" * 32}},
    "git": {"commit": "0123456789abcdef", "dirty": True},
}


def make_run(
    folder: Path,
    experiment: Experiment,
    *,
    accuracy: float = 0.98,
    seconds: float = 4.0,
    status: str = "finished",
    scale: Scale = DIGITS,
    begun: float = START,
) -> dict[str, Any]:
    """Write a run that reached ``accuracy`` (0..1) after ``seconds`` of training; return its summary.

    With ``status`` ``running`` it is half way and has no summary yet.
    """
    folder.mkdir(parents=True)
    epochs, draws = math.ceil(experiment.train.epochs), random.Random(folder.name)
    done = epochs // 2 if status == "running" else epochs
    reports = [
        make_report(epoch, epochs, draws, accuracy=accuracy, seconds=seconds, scale=scale)
        for epoch in range(1, done + 1)
    ]
    (folder / "config.yaml").write_text(dump_yaml(experiment))
    (folder / "overrides.txt").write_text("")
    write_json(folder / "env.json", ENVIRONMENT)
    (folder / "metrics.csv").write_text(
        "".join(map(_row, [dict(zip(COLUMNS, COLUMNS, strict=True)), *map(vars, reports)]))
    )
    total = scale.steps * epochs
    info = {"device": ENVIRONMENT["device"], "precision": "float32", "parameters": 70122, "train_images": 1294}
    info |= {"total_steps": total, "epochs": experiment.train.epochs}
    lines = [{"event": "start", "time": begun, "name": folder.name, "start_step": 0, **info}]
    lines += [{"event": "epoch", "time": begun + seconds * each.epoch / epochs, **vars(each)} for each in reports]
    (folder / "events.jsonl").write_text(_as_lines(lines))
    summary = {
        "status": status,
        "reason": "all epochs trained",
        "name": folder.name,
        "project": experiment.project,
        "seed": experiment.seed,
        "metrics": {"train_loss": 0.1, "train_accuracy": 0.99, "val_loss": 0.2, "val_accuracy": accuracy},
        "best_validation": accuracy,
        "evaluated_weights": "last",
        "tta": "none",
        "steps": total,
        "seconds": {"build": 0.2, "prepare": 0.1, "train": seconds},
        **info,
        "exit_code": 0,
    }
    if status != "running":
        write_json(folder / "summary.json", summary)
    return summary


def make_report(
    epoch: int, epochs: int, draws: random.Random, *, accuracy: float, seconds: float, scale: Scale
) -> EpochReport:
    """Return the figures of an epoch of a run that ends at ``accuracy`` after ``seconds``."""
    share = epoch / epochs
    reached = accuracy * math.expm1(-6 * share) / math.expm1(-6) + draws.gauss(0, scale.noise)
    return EpochReport(
        epoch=epoch,
        step=scale.steps * epoch,
        train_loss=2.3 * math.exp(-4 * share) + 0.02 + abs(draws.gauss(0, 0.01)),
        train_accuracy=min(max(reached + 0.01 * share, 0.0), 1.0),
        val_loss=2.3 * math.exp(-3 * share) + 0.05 + abs(draws.gauss(0, 0.02)),
        val_accuracy=min(max(reached, 0.0), 1.0),
        lr=0.1 * min(share / 0.1, (1 - share) / 0.9 + 1e-6),
        seconds=seconds / epochs,
        images_per_second=128 * scale.steps * epochs / seconds * (1 + draws.gauss(0, 0.02)),
        memory_bytes=int(MIB * scale.memory_mib * min(1.0, 0.9 + share)),
    )


def append_epoch(path: Path, epoch: int) -> None:
    """Add an epoch to one of :func:`make_runs` that is still at it, as the run itself does: the row, then the event."""
    draws = random.Random(epoch)
    report = make_report(epoch, 200, draws, accuracy=0.9, seconds=200 * LONG_EPOCH_S, scale=COLOURS)
    with (path / "metrics.csv").open("a", encoding="utf-8") as file:
        file.write(_row(vars(report)))
    with (path / "events.jsonl").open("a", encoding="utf-8") as file:
        file.write(_as_lines([{"event": "epoch", "time": round(time.time(), 3), **vars(report)}]))


def make_runs(folder: Path, count: int, *, epochs: int = 200, live: int = 0) -> list[Path]:
    """Write ``count`` runs into ``folder``, a fifth by themselves, the rest in sweeps; return their folders.

    Args:
        folder: the runs folder.
        count: runs altogether.
        epochs: of each.
        live: how many of the single ones are still at it, half way; they come last.
    """
    now, seconds = time.time(), LONG_EPOCH_S * epochs
    single = max(count // 5, min(live, count))
    paths = []
    for number, start in enumerate(range(0, count - single, SWEEP_SIZE)):
        sweep = make_sweep(
            folder,
            rates=RATES,
            decays=DECAYS,
            seeds=range(SWEEP_SIZE // len(RATES) // len(DECAYS)),
            epochs=epochs,
            name=f"sweep-{number:02d}",
            seconds=seconds,
            scale=COLOURS,
            begun=now - seconds * (SWEEP_SIZE / COLOURS.slots + 2),
            most=min(SWEEP_SIZE, count - single - start),
        )
        paths += sorted((sweep / "runs").iterdir())
    for number in range(single):
        rate, ended = RATES[number % len(RATES)], number < single - live
        name = f"{time.strftime('%Y%m%d-%H%M%S', time.localtime(now - 3600 * number))}-cnn-{number:04x}"
        experiment = load_experiment("quickstart", [f"train.epochs={epochs}", f"optim.lr={rate}", f"seed={number}"])
        path, status = folder / "made_up" / name, "finished" if ended else "running"
        begun = now - seconds * (1.0 if ended else 0.5)
        make_run(
            path, experiment, accuracy=_reach(rate, 0.0, 0), seconds=seconds, status=status, scale=COLOURS, begun=begun
        )
        paths.append(path)
    return paths


def make_sweep(
    runs_dir,
    *,
    rates=(0.01, 0.03, 0.1, 0.3),
    decays=(0.0, 0.0005),
    seeds=(0, 1),
    epochs=20,
    name="made",
    seconds=4.0,
    scale=DIGITS,
    begun=START,
    most=None,
):
    """Write a grid sweep over learning rate and weight decay and its dispatcher's journal; return its folder.

    With ``most`` only so many of its runs have been taken up.
    """
    axes = [f"space.optim.lr={list(rates)}", f"space.optim.weight_decay={list(decays)}"]
    settings = [*axes, f"seeds={list(seeds)}", "repeats=1", f"train.epochs={epochs}", f"name={name}"]
    definition = load_definition("quickstart_sweep", settings)
    folder = definition.folder(runs_dir)
    (folder / "dispatch").mkdir(parents=True)
    (folder / "sweep.yaml").write_text(dump_definition(definition))
    points, ended = [], []
    for number, (rate, decay) in enumerate(itertools.product(rates, decays)):
        choices = {"optim.lr": rate, "optim.weight_decay": decay}
        left = len(seeds) if most is None else min(most - len(ended), len(seeds))
        jobs = [run_id(number, choices, seed) for seed in seeds[:left]]
        points += [{"number": number, "choices": choices, "jobs": jobs, "refusal": ""}] if jobs else []
        for job, seed in zip(jobs, seeds, strict=False):
            experiment = definition.experiment(choices, seed=seed, name=job)
            accuracy = _reach(rate, decay, seed)
            run = folder / "runs" / job
            ended.append((job, make_run(run, experiment, accuracy=accuracy, seconds=seconds, scale=scale, begun=begun)))
    (folder / "points.jsonl").write_text(_as_lines(points))
    (folder / "dispatch" / "lock").touch()
    (folder / "dispatch" / "journal.jsonl").write_text(_as_lines(_journal(folder, ended, scale, begun)))
    return folder


def make_comparison(runs_dir, *, trials=3, names=("base", "faster")):
    """Write a comparison of the quickstart with a copy that trains fewer epochs; return its folder."""
    designs = [
        (name, load_experiment("quickstart", [f"train.epochs={20 - 2 * place}"])) for place, name in enumerate(names)
    ]
    contest = set_up(designs, Rules(trials=trials, stop_early=False))
    folder = runs_dir / "comparisons" / f"made-{contest.key}"
    pairs = _make_trials(folder, contest)
    found = {"rules": asdict(contest.rules), **asdict(evaluate_trials(contest, pairs)), "machine": {"device": "cpu"}}
    found["trials"] = [{**asdict(trial), "folder": str(trial.folder)} for pair in pairs for trial in pair]
    write_json(folder / "comparison.json", found)
    return folder


def make_ablation(runs_dir, *, trials=3):
    """Write an ablation of two changes, each alone; return its folder."""
    changes = [Change("short", ((["train", "epochs"], 10.0),)), Change("slow", ((["optim", "lr"], 0.01),))]
    variants = plan_variants(load_experiment("quickstart").model_dump(mode="json"), changes, "one_at_a_time")
    contest = set_up([(one.name, one.experiment) for one in variants], Rules(trials=trials, stop_early=False))
    folder = runs_dir / "comparisons" / f"ablate-{contest.key}"
    pairs = _make_trials(folder, contest)
    effects = estimate_effects([change.name for change in changes], variants, pairs, with_pairs=False)
    write_json(
        folder / "ablation.json",
        {
            "design": "one_at_a_time",
            "rules": asdict(contest.rules),
            "changes": {change.name: {".".join(path): value for path, value in change.fields} for change in changes},
            "effects": [asdict(effect) for effect in effects],
            "variants": asdict(evaluate_trials(contest, pairs)),
        },
    )
    return folder


def _make_trials(folder, contest):
    return [
        [_make_trial(folder, contest.metric, one, place, seed) for place, one in enumerate(contest.contestants)]
        for seed in range(contest.rules.trials)
    ]


def _make_trial(folder, metric, contestant, place, seed):
    run = folder / "runs" / f"{seed:04d}-{contestant.letter}"
    accuracy, seconds = 0.98 - 0.004 * place + 0.001 * (seed % 3), 4.0 - 0.5 * place + 0.1 * (seed % 2)
    summary = make_run(run, contestant.of_seed(seed), accuracy=accuracy, seconds=seconds)
    clocks = {**summary["seconds"], "cold_start": seconds + 6}
    return Trial(
        letter=contestant.letter,
        seed=seed,
        folder=run,
        accuracy=accuracy,
        seconds=clocks,
        diverged=False,
        resumed=False,
        machine={"device": "cpu"},
        flops=2.4e13 / (1 + place),
    )


def _reach(rate: float, decay: float, seed: int) -> float:
    return 0.99 - 0.02 * abs(math.log10(rate) + 1) + 0.002 * seed - decay


def _row(values: Any) -> str:
    return ",".join("" if values[name] is None else str(values[name]) for name in COLUMNS) + "\n"


def _as_lines(values: Any) -> str:
    return "".join(json.dumps(value) + "\n" for value in values)


def _journal(folder: Path, ended: list[tuple[str, dict[str, Any]]], scale: Scale, begun: float) -> Iterator[Any]:
    """Yield the journal of a dispatcher that had all its slots at work until no run was left."""
    kind = scale.device.partition(":")[0]
    device = {"name": scale.device, "kind": kind, "total_bytes": scale.device_mib * MIB}
    yield {"journal": "windtunnel dispatch", "version": 1}
    yield {"event": "opened", "time": begun, "pid": 1, "devices": [device | {"threads": 1, "cores": 2, "uuid": ""}]}
    jobs = [{"id": job, "folder": str(folder / "runs" / job), "priority": 0} for job, _ in ended]
    yield {"event": "taken", "time": begun, "limit": 1000, "jobs": jobs}
    reserved, peak = scale.memory_mib * MIB * 7 // 6, scale.memory_mib * MIB
    worker = {"device": scale.device, "pid": 1, "identity": "none", "reserved_bytes": reserved, "attempt": 1}
    events = []
    for place, (job, summary) in enumerate(ended):
        whole = summary["seconds"]["train"] + 5.5
        at = begun + 1 + (whole + 0.5) * (place // scale.slots) + place % scale.slots
        estimate = {"bytes": reserved, "parts": {"measured": reserved}, "seconds": whole, "low_seconds": 0.8 * whole}
        estimate |= {"high_seconds": 2 * whole, "compute_share": 1 / scale.slots, "source": "measured"}
        events.append({"event": "estimated", "time": begun + 0.5, "job": job, "estimate": estimate})
        events.append({"event": "admitted", "time": at, "job": job, **worker})
        events += _progress(job, summary, at, whole)
        end = {"status": summary["status"], "reason": summary["reason"], "peak_bytes": peak, "attempts": 1}
        events.append({"event": "ended", "time": at + whole, "job": job, **end, "summary": summary})
    yield from sorted(events, key=lambda event: event["time"])


def _progress(job: str, summary: dict[str, Any], at: float, whole: float) -> list[dict[str, Any]]:
    epochs = math.ceil(summary["epochs"])
    told = {"event": "progress", "job": job, "metrics": summary["metrics"], "go_on": True}
    return [{**told, "time": at + whole * epoch / (epochs + 1), "epoch": epoch} for epoch in range(1, epochs + 1)]


def made_in(place: Path) -> dict[str, Path]:
    """Return the folders of one of each, made in the runs folder ``place``."""
    run = place / "quickstart" / "20261122-120000-made-0000"
    make_run(run, load_experiment("quickstart"))
    return {
        "run": run,
        "sweep": make_sweep(place),
        "comparison": make_comparison(place),
        "ablation": make_ablation(place),
    }
