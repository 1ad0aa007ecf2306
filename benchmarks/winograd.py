"""3x3 convolutions by Winograd's method beside torch's own: single layers, then whole training steps.

Both take turns in one process, forward and backward in float32, channels last, with the tuned host allocator. Medians
over the turns are printed as markdown, and ratios are medians of those of the turns. ``winograd`` means that the rule
for shapes takes the layer over; a layer that it leaves to torch is timed all the same.

    python benchmarks/winograd.py [--repeats 9] [--batch 512] [--threads N] [--only layers|steps]

CPU time (``--clock cpu``) says more on a machine that others use as well.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from windtunnel.core.device import describe_device, tune_host_allocator
from windtunnel.models.winograd.convolution import winograd_conv2d
from windtunnel.models.winograd.rule import is_worth_it
from windtunnel.recipes import load_experiment
from windtunnel.training.assemble import assemble, initialise_from_data
from windtunnel.training.state import TrainState
from windtunnel.training.step import train_step

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
CONVOLUTIONS = ("direct", "winograd")
# network, inputs, outputs, side, share of the batch
LAYERS = (
    ("airbench94", 24, 64, 31, 1.0),
    ("airbench94", 64, 64, 15, 1.0),
    ("airbench94", 64, 256, 15, 1.0),
    ("airbench94", 256, 256, 7, 1.0),
    ("airbench94", 256, 256, 3, 1.0),
    ("preact_resnet18", 64, 64, 32, 0.25),
    ("preact_resnet18", 128, 128, 16, 0.25),
    ("preact_resnet18", 256, 256, 8, 0.25),
    ("preact_resnet18", 512, 512, 4, 0.25),
    ("resnet20", 16, 16, 32, 0.25),
    ("resnet20", 32, 32, 16, 0.25),
    ("resnet20", 64, 64, 8, 0.25),
)
# model, share of the batch
STEPS = (("airbench", 1.0), ("resnet18", 0.25), ("preact_resnet18", 0.25), ("resnet20", 0.25))


def time_layer(inputs: int, outputs: int, side: int, batch: int, args: argparse.Namespace) -> list[dict[str, float]]:
    """Return seconds of forward and backward of both, a turn each."""
    layout = torch.channels_last
    images = torch.randn(batch, inputs, side, side).contiguous(memory_format=layout).requires_grad_()
    weight = torch.randn(outputs, inputs, 3, 3).contiguous(memory_format=layout).requires_grad_()
    gradient = torch.randn(batch, outputs, side, side).contiguous(memory_format=layout)
    convolve = {"direct": functional.conv2d, "winograd": winograd_conv2d}

    def take(name: str) -> dict[str, float]:
        images.grad = weight.grad = None
        start = CLOCKS[args.clock]()
        results = convolve[name](images, weight, padding=1)
        middle = CLOCKS[args.clock]()
        results.backward(gradient)
        end = CLOCKS[args.clock]()
        return {f"{name} forward": middle - start, f"{name} backward": end - middle, name: end - start}

    return in_turns(take, args.repeats)


def write_images(folder: Path, images: int) -> Path:
    """Write random images of CIFAR-10's shape."""
    generator, path = np.random.default_rng(0), folder / "images.npz"
    pixels = generator.integers(0, 256, (images, 32, 32, 3), dtype=np.uint8)
    np.savez(path, train_images=pixels, train_labels=np.arange(images) % 10)
    return path


def time_step(model: str, batch: int, path: Path, args: argparse.Namespace) -> list[dict[str, float]]:
    """Return seconds of an update, without its augmentation, of both, a turn each."""
    updates: dict[str, Callable[[], None]] = {}
    for convolution in CONVOLUTIONS:
        overrides = [f"model={model}", f"data.batch_size={batch}", f"runtime.convolution={convolution}"]
        overrides += ["optim={name: sgd, lr: 1.0e-4, momentum: 0.85, groups: []}", "averaging=null"]
        overrides += [f"data.source={{name: npz, path: {path}}}"]
        parts = assemble(load_experiment("cifar10/airbench94", overrides))
        initialise_from_data(parts)
        state, images = TrainState.fresh(parts.device), next(iter(parts.loader.epoch(0)))
        updates[convolution] = lambda parts=parts, state=state, images=images: train_step(parts, state, images)

    def take(name: str) -> dict[str, float]:
        start = CLOCKS[args.clock]()
        updates[name]()
        return {name: CLOCKS[args.clock]() - start}

    return in_turns(take, args.repeats)


def in_turns(take: Callable[[str], dict[str, float]], repeats: int) -> list[dict[str, float]]:
    """Let both take turns; the first is warm-up."""
    turns = [take(CONVOLUTIONS[0]) | take(CONVOLUTIONS[1]) for _ in range(repeats + 1)]
    return turns[1:]


def milliseconds(turns: list[dict[str, float]], name: str) -> str:
    return f"{1000 * statistics.median(turn[name] for turn in turns):.1f}"


def ratio(turns: list[dict[str, float]], part: str = "") -> str:
    return f"{statistics.median(turn[f'direct{part}'] / turn[f'winograd{part}'] for turn in turns):.2f}x"


def show_layers(args: argparse.Namespace) -> None:
    print("| network | layer | batch | direct, ms | winograd, ms | forward | backward | both | by rule |")
    print("|---|---|---|---|---|---|---|---|---|")
    for network, inputs, outputs, side, share in LAYERS:
        batch = round(share * args.batch)
        turns = time_layer(inputs, outputs, side, batch, args)
        times = [milliseconds(turns, name) for name in CONVOLUTIONS]
        ratios = [ratio(turns, part) for part in (" forward", " backward", "")]
        chosen = CONVOLUTIONS[is_worth_it((batch, inputs, side, side), outputs, 1)]
        row = [network, f"{inputs} to {outputs}, {side}x{side}", str(batch), *times, *ratios, chosen]
        print(f"| {' | '.join(row)} |", flush=True)


def show_steps(args: argparse.Namespace) -> None:
    print("| network | batch | direct, ms | winograd, ms | direct / winograd |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        path = write_images(Path(folder), args.batch)
        for model, share in STEPS:
            batch = round(share * args.batch)
            turns = time_step(model, batch, path, args)
            row = [model, str(batch), *(milliseconds(turns, name) for name in CONVOLUTIONS), ratio(turns)]
            print(f"| {' | '.join(row)} |", flush=True)


def main() -> None:
    """Parse arguments, measure, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--clock", choices=tuple(CLOCKS), default="wall")
    parser.add_argument("--only", choices=("layers", "steps"))
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    tune_host_allocator(True)
    print(
        f"{describe_device(torch.device('cpu'))}, torch {torch.__version__}, {args.threads} threads, {args.clock} time"
    )
    for name, show in {"layers": show_layers, "steps": show_steps}.items():
        if args.only in (None, name):
            print()
            show(args)


if __name__ == "__main__":
    main()
