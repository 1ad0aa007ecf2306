"""Steps of several runs as one stacked network beside the same steps one run after another.

The runs differ in learning rate and seed, so each has batches of its own. Both ways take the same batches in turn; the
median over the steps is reported, loading left out.

    python benchmarks/fused.py [--device auto] [--models lenet resnet20] [--runs 2 4 8] [--batch 128] [--out fused.json]
"""

import argparse
import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from windtunnel.config.experiment import Experiment
from windtunnel.core.device import describe_device, resolve_device
from windtunnel.dispatch.fused.plan import Fusion, fuse
from windtunnel.dispatch.fused.run import probe_fusion
from windtunnel.recipes import load_experiment

STEPS = 20


def write_images(path: Path, batch: int) -> None:
    """Write a few batches of random images as an .npz."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (4 * batch, 32, 32, 3), dtype=np.uint8)
    np.savez(path, train_images=images, train_labels=np.arange(len(images)) % 10)


def build_experiments(path: Path, model: str, runs: int, args: argparse.Namespace) -> list[Experiment]:
    fixed = [
        f"data.source={{name: npz, path: {path}}}",
        "data.split={name: official}",
        f"data.batch_size={args.batch}",
        f"model={model}",
        f"runtime.device={args.device}",
        f"runtime.precision={args.precision}",
        "train.validate_every=0",
    ]
    return [load_experiment("cifar10/cnn", [*fixed, f"seed={run}", f"optim.lr={0.01 * 2**run}"]) for run in range(runs)]


def compare(path: Path, model: str, runs: int, args: argparse.Namespace) -> dict[str, Any]:
    """Return and print one row."""
    plan = fuse(build_experiments(path, model, runs, args))
    assert isinstance(plan, Fusion), plan
    probe = probe_fusion(plan, steps=STEPS)
    ratio = probe.separate_s / probe.fused_s
    print(f"{model:20}{runs:5}{1000 * probe.fused_s:12.2f}{1000 * probe.separate_s:12.2f}{ratio:9.2f}x", flush=True)
    return {"model": model, "runs": runs, "ratio": ratio, **asdict(probe)}


def main() -> None:
    """Parse arguments, measure every case, print the table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--models", nargs="+", default=["lenet", "resnet20"])
    parser.add_argument("--runs", nargs="+", type=int, default=[2, 4, 8])
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    device = describe_device(resolve_device(args.device))
    print(f"{device}, torch {torch.__version__}, batch {args.batch}, {args.precision}")
    print(f"{'model':20}{'runs':>5}{'fused ms':>12}{'apart ms':>12}{'gain':>10}   (median of {STEPS} steps)")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "images.npz"
        write_images(path, args.batch)
        rows = [compare(path, model, runs, args) for model in args.models for runs in args.runs]
    if args.out:
        args.out.write_text(json.dumps({"device": device, "torch": torch.__version__, "rows": rows}, indent=2))


if __name__ == "__main__":
    main()
