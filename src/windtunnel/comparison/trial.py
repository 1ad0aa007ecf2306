"""One trial in a process of its own: ``python -m windtunnel.comparison.trial ORDER.json``.

A process a trial, so that caches, allocators and compiled code of one design never serve or hinder the other. The
clocks: ``build`` (data opened, network built), ``prepare`` (weights set from the data), ``train``, ``validate`` and
``evaluate``, each synchronised with the device; nothing sleeps and no trial is left out.
"""

import json
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pynvml
import torch

import windtunnel
from windtunnel.comparison.flops import count_training_flops
from windtunnel.comparison.launch import stop_with_parent, telling_of_the_disk
from windtunnel.config.experiment import Experiment
from windtunnel.config.files import read_yaml
from windtunnel.config.problems import validate_tree
from windtunnel.core.device import describe_device, resolve_device
from windtunnel.core.files import write_json
from windtunnel.core.secrets import hide_in_tracebacks
from windtunnel.core.steady import read_process_age
from windtunnel.training.assemble import assemble, initialise_from_data
from windtunnel.training.environment import process_settings
from windtunnel.training.run import train_in
from windtunnel.training.time_steps import time_steps

_WARM_UP_UPDATES = 2

Answer = TypeVar("Answer", int, str)


def describe_machine(device: torch.device) -> dict[str, Any]:
    """Return what must not change between trials."""
    return {
        "windtunnel": windtunnel.__version__,
        "host": platform.node(),
        "device": describe_device(device),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "threads": torch.get_num_threads(),
    }


def read_conditions(device: torch.device) -> dict[str, Any]:
    """Return what may change while trials run: load, clocks, power, temperature; None for what a GPU does not tell."""
    conditions: dict[str, Any] = {"time": round(time.time(), 3), "load": os.getloadavg()[0]}
    frequency = psutil.cpu_freq()
    if frequency is not None:
        conditions["cpu_mhz"] = round(frequency.current)
    if device.type == "cuda":
        conditions |= {
            "driver": _answer_of(_read_driver),
            "sm_mhz": _answer_of(torch.cuda.clock_rate, device),
            "milliwatts": _answer_of(torch.cuda.power_draw, device),
            "celsius": _answer_of(torch.cuda.temperature, device),
        }
    return conditions


def _answer_of(ask: Callable[..., Answer], *arguments: torch.device) -> Answer | None:
    """Return what the driver says, or None where it does not: of slices of a GPU, of virtual ones, without NVML."""
    try:
        return ask(*arguments)
    except (RuntimeError, ImportError, pynvml.NVMLError):
        return None


def _read_driver() -> str:
    pynvml.nvmlInit()
    try:
        return str(pynvml.nvmlSystemGetDriverVersion())
    finally:
        pynvml.nvmlShutdown()


def warm_up(experiment: Experiment) -> float:
    """Spend a few updates on weights that are thrown away, labels at random, and return the seconds it took."""
    start = time.perf_counter()
    with process_settings(experiment.runtime), torch.random.fork_rng():
        parts = assemble(experiment)
        initialise_from_data(parts)
        time_steps(parts, _WARM_UP_UPDATES, random_labels=True)
    return time.perf_counter() - start


def count_flops(experiment: Experiment, steps: int) -> float:
    """Return the floating-point operations of the experiment's first ``steps`` updates; off every clock."""
    # what is counted is the network as it was written: to compile it once more would take longer than a short trial
    plain = experiment.runtime.model_copy(update={"compile": "off", "cuda_graph": False})
    with process_settings(plain):
        return count_training_flops(assemble(experiment.model_copy(update={"runtime": plain})), steps)


def main() -> None:
    """Do the trial that the file of the first argument orders; its folder gets ``trial.json`` when it has ended."""
    order = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    folder, config = Path(order["folder"]), Path(order["experiment"])
    experiment = validate_tree(Experiment, read_yaml(config), str(config))
    device = resolve_device(experiment.runtime.device)
    resumed = (folder / "config.yaml").exists()
    warm_up_seconds = warm_up(experiment) if order["warm_up"] else 0.0
    before = read_conditions(device)
    result = train_in(folder, experiment)
    if result.status == "interrupted":
        sys.exit(result.exit_code)
    alive = read_process_age()
    write_json(
        folder / "trial.json",
        {
            "machine": describe_machine(device),
            "before": before,
            "after": read_conditions(device),
            "flops": count_flops(experiment, int(result.summary["steps"])),
            "resumed": resumed,
            "warm_up_seconds": round(warm_up_seconds, 3),
            "cold_start_seconds": round(alive - warm_up_seconds, 3),
        },
    )


if __name__ == "__main__":
    hide_in_tracebacks()
    stop_with_parent()
    with telling_of_the_disk():
        main()
