"""What each extra adds to a training step: moving average, mixing, label smoothing, progressive resizing.

Each contestant is the whole step of the product (augmentation, forward, backward, update) on random CIFAR-shaped
images with crop and flip, airbench94's network. Steps are interleaved; an overhead is the median of the ratios of
neighbouring steps. Progressive resizing is compared with the same step on images that are small to begin with.

    python benchmarks/step_extras.py [--batch 128] [--repeats 40] [--model airbench94]
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from windtunnel.core.device import describe_device, synchronize, tune_host_allocator
from windtunnel.recipes import load_experiment
from windtunnel.training.assemble import assemble, initialise_from_data
from windtunnel.training.state import TrainState
from windtunnel.training.step import train_step

CLASSES, SMALL = 10, 24
CROP_FLIP = "alternating_flip, {name: random_crop, padding: 2, mode: reflect}"
# extra -> (overrides, image size of its set, what it is compared with)
CONTESTANTS = {
    "plain": ([], 32, None),
    "label smoothing": (["loss={name: cross_entropy, label_smoothing: 0.1}"], 32, "plain"),
    "moving average": (["ema={decay: 0.999}"], 32, "plain"),
    "mixup": ([f"augment=[{CROP_FLIP}, mixup]"], 32, "plain"),
    "cutmix": ([f"augment=[{CROP_FLIP}, cutmix]"], 32, "plain"),
    "small images": ([], SMALL, None),
    "resizing to the same size": ([f"train.resize=[[0.0, {SMALL}]]"], 32, "small images"),
}


def write_images(folder, size, count):
    generator = np.random.default_rng(0)
    path = folder / f"{size}.npz"
    images = generator.integers(0, 256, (count, size, size, 3), dtype=np.uint8)
    np.savez(path, train_images=images, train_labels=np.arange(count) % CLASSES)
    return path


class Contestant:
    """One experiment, a step at a time."""

    def __init__(self, path, overrides, batch, model):
        settings = [
            f"model={model}",
            f"data.source={{name: npz, path: {path}}}",
            f"data.batch_size={batch}",
            "train.epochs=100000",
            f"augment=[{CROP_FLIP}]",
            "loss={name: cross_entropy, label_smoothing: 0.0, reduction: mean}",
            "averaging=null",
            "optim={name: sgd, lr: 1.0e-4, weight_decay: 5.0e-4, groups: []}",
        ]
        self.parts = assemble(load_experiment("cifar10/airbench94", [*settings, *overrides]))
        initialise_from_data(self.parts)
        self.state = TrainState.fresh(self.parts.device)
        self.batches = iter(())

    def step(self):
        """Do a step, its batch included, and return its wall clock in seconds."""
        start = time.perf_counter()
        batch = next(self.batches, None)
        if batch is None:
            self.batches = self.parts.loader.epoch(self.state.step // self.parts.steps_per_epoch)
            batch = next(self.batches)
        train_step(self.parts, self.state, batch)
        synchronize(self.parts.device)
        return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=40)
    parser.add_argument("--model", default="airbench94")
    options = parser.parse_args()
    tune_host_allocator(True)
    with tempfile.TemporaryDirectory() as folder:
        paths = {size: write_images(Path(folder), size, 8 * options.batch) for size in (32, SMALL)}
        contestants = {
            name: Contestant(paths[size], overrides, options.batch, options.model)
            for name, (overrides, size, _) in CONTESTANTS.items()
        }
        device = next(iter(contestants.values())).parts.device
        print(f"torch {torch.__version__}, {describe_device(device)}, batch {options.batch}, n={options.repeats}\n")
        seconds = {name: [] for name in contestants}
        for repeat in range(options.repeats + 2):
            names = list(contestants) if repeat % 2 else list(reversed(contestants))
            for name in names:
                seconds[name].append(contestants[name].step())
    print("| step | median ms | over | median of paired ratios |")
    print("|---|---|---|---|")
    for name, (_, _, other) in CONTESTANTS.items():
        taken = seconds[name][2:]
        ratio = (
            f"{statistics.median(a / b for a, b in zip(taken, seconds[other][2:], strict=True)):.3f}x" if other else ""
        )
        print(f"| {name} | {1000 * statistics.median(taken):.1f} | {other or ''} | {ratio} |")


if __name__ == "__main__":
    main()
