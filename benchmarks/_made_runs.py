"""Runs, sweeps and comparisons as their folders would be, without training anything: curves are made up."""

import itertools
import json
import math
import random
from dataclasses import asdict
from pathlib import Path

from windtunnel.comparison.ablation import estimate_effects, plan_variants
from windtunnel.comparison.answer import evaluate_trials
from windtunnel.comparison.changes import Change
from windtunnel.comparison.contest import Rules, set_up
from windtunnel.comparison.trials import Trial
from windtunnel.config.files import dump_yaml
from windtunnel.core.files import write_json
from windtunnel.recipes import load_experiment
from windtunnel.sweeps.definition import dump_definition, load_definition, run_id

HEADER = "epoch,step,train_loss,train_accuracy,val_loss,val_accuracy,lr,seconds,images_per_second,val_loss_ema"
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
MIB, START = 2**20, 1_795_000_000.0


def make_run(folder, experiment, *, accuracy=0.98, seconds=4.0, status="finished"):
    """Write a run that reached ``accuracy`` (0..1) after ``seconds`` of training."""
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(dump_yaml(experiment))
    (folder / "overrides.txt").write_text("")
    write_json(folder / "env.json", ENVIRONMENT)
    random_numbers = random.Random(folder.name)
    epochs = math.ceil(experiment.train.epochs)
    lines = [_epoch(epoch, epochs, accuracy, seconds, random_numbers) for epoch in range(1, epochs + 1)]
    (folder / "metrics.csv").write_text("\n".join([HEADER, *lines, ""]))
    summary = {
        "status": status,
        "reason": "all epochs trained",
        "metrics": {"train_loss": 0.1, "train_accuracy": 0.99, "val_loss": 0.2, "val_accuracy": accuracy},
        "evaluated_weights": "last",
        "tta": "none",
        "steps": 20 * epochs,
        "epochs": float(epochs),
        "seconds": {"build": 0.2, "prepare": 0.1, "train": seconds},
        "device": ENVIRONMENT["device"],
        "parameters": 70122,
    }
    write_json(folder / "summary.json", summary)
    (folder / "events.jsonl").write_text('{"event": "start"}\n')
    return summary


def make_sweep(runs_dir, *, rates=(0.01, 0.03, 0.1, 0.3), decays=(0.0, 0.0005), seeds=(0, 1), epochs=20):
    """Write a grid sweep over learning rate and weight decay, two runs at a time on one device; return its folder."""
    axes = [f"space.optim.lr={list(rates)}", f"space.optim.weight_decay={list(decays)}"]
    settings = [*axes, f"seeds={list(seeds)}", "repeats=1", f"train.epochs={epochs}", "name=made"]
    definition = load_definition("quickstart_sweep", settings)
    folder = definition.folder(runs_dir)
    (folder / "dispatch").mkdir(parents=True)
    (folder / "sweep.yaml").write_text(dump_definition(definition))
    points, ended = [], []
    for number, (rate, decay) in enumerate(itertools.product(rates, decays)):
        choices = {"optim.lr": rate, "optim.weight_decay": decay}
        jobs = [run_id(number, choices, seed) for seed in seeds]
        points.append({"number": number, "choices": choices, "jobs": jobs, "refusal": ""})
        for job, seed in zip(jobs, seeds, strict=True):
            experiment = definition.experiment(choices, seed=seed, name=job)
            accuracy = 0.99 - 0.02 * abs(math.log10(rate) + 1) + 0.002 * seed - decay
            ended.append((job, make_run(folder / "runs" / job, experiment, accuracy=accuracy)))
    (folder / "points.jsonl").write_text("".join(json.dumps(point) + "\n" for point in points))
    (folder / "dispatch" / "journal.jsonl").write_text(
        "".join(json.dumps(line) + "\n" for line in _journal(folder, ended))
    )
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
        contestant.letter, seed, run, accuracy, clocks, diverged=False, resumed=False, machine={"device": "cpu"}
    )


def _epoch(epoch, epochs, accuracy, seconds, random_numbers):
    done = epoch / epochs
    loss = 2.3 * math.exp(-4 * done) + 0.05 * random_numbers.random()
    reached = accuracy * (1 - math.exp(-6 * done)) / (1 - math.exp(-6))
    rate = 0.1 * (1 - done) + 1e-4
    speed = 7000 + 500 * random_numbers.random()
    cells = (epoch, 20 * epoch, loss, reached, 1.1 * loss, reached, rate, seconds / epochs, speed, "")
    return ",".join(map(str, cells))


def _journal(folder, ended):
    """Yield the journal of a dispatcher that had two workers at a time, each for ten seconds."""
    yield {"journal": "windtunnel dispatch", "version": 1}
    device = {"name": "cpu", "kind": "cpu", "total_bytes": 4096 * MIB, "threads": 1, "cores": 2, "uuid": ""}
    yield {"event": "opened", "time": START, "pid": 1, "devices": [device]}
    jobs = [{"id": job, "folder": str(folder / "runs" / job), "priority": 0} for job, _ in ended]
    yield {"event": "taken", "time": START, "limit": 1000, "jobs": jobs}
    estimate = {"bytes": 600 * MIB, "parts": {"measured": 600 * MIB}, "seconds": 9.0, "low_seconds": 7.0}
    estimate |= {"high_seconds": 20.0, "compute_share": 0.5, "source": "measured"}
    events = []
    for place, (job, summary) in enumerate(ended):
        begun = START + 1 + 10 * (place // 2) + place % 2
        events.append({"event": "estimated", "time": START + 0.5, "job": job, "estimate": estimate})
        worker = {"device": "cpu", "pid": 1, "identity": "none", "reserved_bytes": 600 * MIB, "attempt": 1}
        events.append({"event": "admitted", "time": begun, "job": job, **worker})
        end = {"status": summary["status"], "reason": summary["reason"], "peak_bytes": 550 * MIB, "attempts": 1}
        events.append({"event": "ended", "time": begun + 9.5, "job": job, **end, "summary": summary})
    yield from sorted(events, key=lambda event: event["time"])


def made_in(place: Path):
    """Return the folders of one of each, made in the runs folder ``place``."""
    run = place / "quickstart" / "20261122-120000-made-0000"
    make_run(run, load_experiment("quickstart"))
    return {
        "run": run,
        "sweep": make_sweep(place),
        "comparison": make_comparison(place),
        "ablation": make_ablation(place),
    }
