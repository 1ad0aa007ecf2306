"""How fast this machine is with a report's networks: a few updates of each, in as many processes as there will be."""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import Any

from windtunnel.config.experiment import Experiment
from windtunnel.dispatch.devices import Device, worker_environment
from windtunnel.errors import RunError, UsageError
from windtunnel.reproduction.cutting import Sizes
from windtunnel.reproduction.planner import Pace

_CHILD = "windtunnel.reproduction.probe_child"
_LONGEST_S = 1800.0
_LAST_LINES = 3
_CPU_BATCH = 32  # a large batch of a large network takes a core half a minute, and an image in it hardly less


def measure_paces(experiments: Sequence[Experiment], device: Device, *, parallel: int, threads: int) -> list[Pace]:
    """Return the pace of each experiment's network on ``device``; networks that are alike are measured once.

    Args:
        experiments: what is to be run.
        device: where.
        parallel: runs at a time.
        threads: CPU threads of each.

    Raises:
        UsageError: data or a network cannot be had as described.
        RunError: a measuring process crashed.
    """
    probes = [_as_probe(experiment, device) for experiment in experiments]
    keys = [json.dumps(probe, sort_keys=True) for probe in probes]
    distinct = dict(zip(keys, probes, strict=True))
    found = _ask(list(distinct.values()), device, parallel, threads)
    paces = dict(zip(distinct, found, strict=True))
    return [paces[key] for key in keys]


def _as_probe(experiment: Experiment, device: Device) -> dict[str, Any]:
    """Return the fields that decide the pace, as an experiment."""
    tree = experiment.model_dump(mode="json")
    wanted = {key: tree[key] for key in ("augment", "model", "optim", "loss", "averaging", "ema", "runtime")}
    for plain in ("lr", "weight_decay"):
        wanted["optim"] = {key: value for key, value in wanted["optim"].items() if key != plain}
    data = tree["data"] | {"train_limit": None}
    if device.kind == "cpu":
        data["batch_size"] = min(data["batch_size"], _CPU_BATCH)
    train = {key: tree["train"][key] for key in ("clip_norm", "sam")}
    train = {"validate_every": 0.0, **train}
    return {"name": "probe", **wanted, "data": data, "schedule": {"name": "constant"}, "train": train}


def _ask(probes: list[dict[str, Any]], device: Device, parallel: int, threads: int) -> list[Pace]:
    """Return the mean pace over ``parallel`` processes that measure the same at the same time."""
    environment = worker_environment(device, threads)
    begun = time.monotonic()
    with TemporaryDirectory() as place:
        order = Path(place) / "probes.json"
        order.write_text(json.dumps(probes), encoding="utf-8")
        children = [_Child([sys.executable, "-m", _CHILD, str(order)], environment) for _ in range(parallel)]
        try:
            answers = [child.wait() for child in children]
        finally:
            for child in children:
                child.end()
    return [_mean([_read(answer, begun) for answer in each]) for each in zip(*answers, strict=True)]


class _Child:
    """One measuring process; it ends with this one, whose end of its standard input it watches."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self._told, self._complaints = TemporaryFile("w+"), TemporaryFile("w+")
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=self._told, stderr=self._complaints, env=environment
        )

    def wait(self) -> list[dict[str, Any]]:
        """Return its answers.

        Raises:
            UsageError: an experiment cannot be had as described.
            RunError: it crashed.
        """
        try:
            code = self._process.wait(timeout=_LONGEST_S)
        except subprocess.TimeoutExpired:
            raise RunError(f"measuring the networks' pace took more than {_LONGEST_S:g} s and was given up") from None
        self._told.seek(0)
        answers = [json.loads(line) for line in self._told if line.startswith("{")]
        refused = next((answer["error"] for answer in answers if "error" in answer), None)
        if refused is not None:
            raise UsageError(refused)
        if code != 0:
            self._complaints.seek(0)
            said = "\n".join(self._complaints.read().strip().splitlines()[-_LAST_LINES:])
            raise RunError(f"the networks' pace could not be measured (exit code {code}): {said}")
        return answers

    def end(self) -> None:
        """Stop it if it still goes on."""
        with self._process, self._told, self._complaints:
            self._process.kill()


def _read(answer: dict[str, Any], begun: float) -> Pace:
    sizes = Sizes(answer["train"], answer["validation"], answer["test"])
    return Pace(answer["train_seconds"], answer["evaluate_seconds"], answer["ready"] - begun, sizes)


def _mean(paces: Sequence[Pace]) -> Pace:
    return Pace(
        statistics.fmean(pace.train_seconds for pace in paces),
        statistics.fmean(pace.evaluate_seconds for pace in paces),
        statistics.fmean(pace.startup_seconds for pace in paces),
        paces[0].sizes,
    )
