"""Estimated beside measured memory: 12 models, 2 number formats, 2 optimizers, training and evaluation, on the CPU.

Each case is measured in a process of its own, on random CIFAR-shaped images. Two measurements:

- allocations (the default): the most bytes torch's CPU allocator had handed out at once, from the events it reports to
  torch's profiler, weights included. This is what the trace predicts; the scratch space that operators take from the
  same allocator counts, although the trace cannot see it.
- resident (``--resident``): the resident peak of the process of a whole short run (VmHWM, from the kernel), libraries,
  data and holes in glibc's heap included, beside the estimate without its margin. Evaluation takes batches of 500.

    python benchmarks/memory_estimate.py [--quick] [--resident] [--out memory.json]
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch._C._profiler import _EventType

from windtunnel.config.experiment import Experiment
from windtunnel.core.device import describe_device
from windtunnel.core.memory import resident_peak
from windtunnel.dispatch.estimate.asking import ask_for_traces
from windtunnel.dispatch.estimate.estimator import Estimator
from windtunnel.dispatch.estimate.traced import Traced
from windtunnel.evaluation.predict import predict_logits
from windtunnel.recipes import load_experiment
from windtunnel.training.assemble import Parts, assemble
from windtunnel.training.environment import process_settings
from windtunnel.training.loaders import build_loader
from windtunnel.training.run import train_in
from windtunnel.training.state import TrainState
from windtunnel.training.step import train_step

# batch sizes that keep the whole table to a few minutes
MODELS = {
    "mlp": 256,
    "lenet": 256,
    "cnn_430k": 64,
    "bn4": 128,
    "resnet20": 64,
    "preact_resnet18": 8,
    "densenet_bc_40_12": 16,
    "resnext29_32x4d": 8,
    "airbench94": 32,
    "slim_resnet": 16,
    "vit_lite_7_4": 16,
    "convnext_atto": 32,
}
QUICK = ("lenet", "resnet20", "vit_lite_7_4")
PRECISIONS, OPTIMIZERS = ("float32", "bfloat16"), ("sgd", "adamw")
PHASES = ("eval", "train")
STEPS = 3
IMAGES, CLASSES = 1000, 10
IMAGE_BYTES = 3 * 32 * 32 * 4


def write_images(path: Path) -> None:
    """Write random images as an .npz."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (IMAGES, 32, 32, 3), dtype=np.uint8)
    labels = np.arange(len(images)) % CLASSES
    np.savez(path, train_images=images, train_labels=labels, test_images=images, test_labels=labels)


def build_experiment(path: Path, model: str, precision: str, optimizer: str) -> Experiment:
    overrides = [
        f"data.source={{name: npz, path: {path}}}",
        "data.split={name: official}",
        f"data.batch_size={MODELS[model]}",
        f"evaluate.batch_size={2 * MODELS[model]}",
        f"model={model}",
        f"optim={optimizer}",
        f"runtime.precision={precision}",
        "runtime.augment_backend=torch",
        "train.validate_every=0",
    ]
    return load_experiment("cifar10/cnn", overrides)


class AllocatorPeak:
    """Reads the most bytes handed out within a block from the profiler's allocation events."""

    def __init__(self) -> None:
        self.bytes = 0
        self._profile = torch.profiler.profile(profile_memory=True, activities=[torch.profiler.ProfilerActivity.CPU])

    def __enter__(self) -> "AllocatorPeak":
        self._profile.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._profile.__exit__(*error)
        events = sorted(self._walk(self._profile.profiler.kineto_results.experimental_event_tree()))
        live = 0
        for _, size in events:
            live += size
            self.bytes = max(self.bytes, live)

    def _walk(self, events: list[Any]) -> Any:
        for event in events:
            if event.tag == _EventType.Allocation:
                yield event.start_time_ns, event.extra_fields.alloc_size
            yield from self._walk(event.children)


def run_phase(parts: Parts, phase: str) -> None:
    """Take a few steps, or evaluate a few batches."""
    if phase == "train":
        state = TrainState.fresh(parts.device)
        for _, batch in zip(range(STEPS), parts.loader.epoch(0), strict=False):
            train_step(parts, state, batch)
        return
    images = 2 * parts.experiment.evaluate.batch_size
    loader = build_loader(parts.experiment, parts.data, "test", parts.precision, training=False, first=images)
    predict_logits(parts.model, loader, parts.views, autocast=parts.precision.autocast())


def measure(path: Path, model: str, precision: str, optimizer: str, *phases: str) -> dict[str, int]:
    """Return the most bytes the allocator handed out in each phase; called in a process of its own."""
    experiment, measured = build_experiment(path, model, precision, optimizer), {}
    with process_settings(experiment.runtime):
        parts = assemble(experiment)
        weights = sum(tensor.nbytes for tensor in parts.model.state_dict().values())
        for phase in phases:
            with AllocatorPeak() as peak:
                run_phase(parts, phase)
            measured[phase] = weights + peak.bytes
    return measured


def measure_resident(path: Path, model: str, precision: str, optimizer: str) -> dict[str, int]:
    """Return the resident peak of a whole short run; called in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        train_in(Path(folder) / "run", short_run(path, model, precision, optimizer))
    return {"run": resident_peak()}


def short_run(path: Path, model: str, precision: str, optimizer: str) -> Experiment:
    """Return a run of a few steps and one evaluation in large batches."""
    experiment = build_experiment(path, model, precision, optimizer)
    epochs = 2 * STEPS * MODELS[model] / IMAGES
    return experiment.model_copy(
        update={
            "train": experiment.train.model_copy(update={"epochs": epochs}),
            "evaluate": experiment.evaluate.model_copy(update={"batch_size": IMAGES // 2}),
        }
    )


def measure_in_child(path: Path, case: tuple[str, ...], *, resident: bool) -> dict[str, int]:
    question = "resident" if resident else "allocations"
    command = [sys.executable, __file__, "--child", question, str(path), *case]
    finished = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(finished.stdout.splitlines()[-1])


def predict(traced: Traced, model: str, phase: str) -> int:
    """Return the bytes estimated for a phase."""
    if phase == "train":
        return traced.train_peak
    # measured alone: without the optimizer's state and training's last batch, which a run still holds
    return traced.evaluation_peak - traced.optimizer_state - MODELS[model] * IMAGE_BYTES


def compare(path: Path, models: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return a row for each case, the traces all by one child process, the measurements by two at a time."""
    kinds = list(product(models, PRECISIONS, OPTIMIZERS))
    traces = ask_for_traces([build_experiment(path, *kind) for kind in kinds])
    rows = []
    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(measure_in_child, path, (*kind, *PHASES), resident=False) for kind in kinds]
        for kind, traced, future in zip(kinds, traces, asked, strict=True):
            assert isinstance(traced, Traced), traced
            for phase, measured in future.result().items():
                rows.append(describe((*kind, phase), predict(traced, kind[0], phase), measured))
    return rows


def compare_resident(path: Path, models: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return a row for each whole run with SGD, two at a time."""
    kinds = list(product(models, PRECISIONS, OPTIMIZERS[:1]))
    with tempfile.TemporaryDirectory() as empty:
        history = Path(empty) / "history.jsonl"
        estimates = Estimator("cpu", history).estimate_all([short_run(path, *kind) for kind in kinds])
    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(measure_in_child, path, kind, resident=True) for kind in kinds]
        return [
            describe((*kind, "run"), estimate.bytes - estimate.parts["margin"], future.result()["run"])
            for kind, estimate, future in zip(kinds, estimates, asked, strict=True)
        ]


def describe(case: tuple[str, ...], estimated: int, measured: int) -> dict[str, Any]:
    """Print and return one row."""
    error = estimated / measured - 1
    print(f"{case[0]:20}{case[1]:10}{case[2]:7}{case[3]:6}", end="")
    print(f"{estimated / 2**20:10.1f}{measured / 2**20:10.1f}{error:+9.1%}", flush=True)
    return {"case": case, "estimated": estimated, "measured": measured, "error": error}


def summarise(rows: list[dict[str, Any]]) -> str:
    errors = sorted((abs(row["error"]), row["case"]) for row in rows)
    middle = statistics.median(error for error, _ in errors)
    return f"{len(rows)} cases: median error {middle:.1%}, worst {errors[-1][0]:.1%} ({' '.join(errors[-1][1])})"


def main() -> None:
    """Parse arguments, measure every case, print the table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=f"only {', '.join(QUICK)}")
    parser.add_argument("--resident", action="store_true", help="resident peaks of whole runs in place of allocations")
    parser.add_argument("--models", nargs="+", choices=MODELS)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        asked = measure_resident if args.child[0] == "resident" else measure
        print(json.dumps(asked(Path(args.child[1]), *args.child[2:])))
        return
    models = tuple(args.models or (QUICK if args.quick else MODELS))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "images.npz"
        write_images(path)
        print(f"{describe_device(torch.device('cpu'))}, torch {torch.__version__}")
        print(f"{'model':20}{'format':10}{'optim':7}{'phase':6}{'estimated':>10}{'measured':>10}{'error':>9}   (MiB)")
        rows = compare_resident(path, models) if args.resident else compare(path, models)
    print(summarise(rows))
    if args.out:
        args.out.write_text(json.dumps({"torch": torch.__version__, "rows": rows}, indent=2))


if __name__ == "__main__":
    main()
