"""Every model: size, cost, memory and images/s; and the same shapes as torchvision, timm and pytorchcv build them.

Random images, float32, channels-last, the host allocator tuned as in training; rows and peers are timed in turn.
With --cpu-time one thread is used and its processor time counted, which a busy machine disturbs far less.
Usage: python benchmarks/models.py [--models a,b] [--repeats N] [--device cpu|cuda] [--cpu-time] [--json FILE]
       python benchmarks/models.py --peers [--repeats N] [--cpu-time]
"""

import argparse
import functools
import importlib
import json
import statistics
import time
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from pydantic import TypeAdapter
from torch import nn

from _torchvision import import_transforms
from windtunnel.config.models import ModelConfig
from windtunnel.config.models.catalogue import CARDS
from windtunnel.core.device import describe_device, synchronize, tune_host_allocator
from windtunnel.models.summary import summarise

_SHAPE = (3, 32, 32)
_BATCH_FOR_MEMORY = 256
_TARGET_MACS = 3e9  # multiply-adds of a timed batch, so that every model takes about as long
_PEER_BATCH = 16

Clock = Callable[[], float]


def build(name: Any) -> nn.Module:
    """Return a model for 10 classes and 32x32 colour images."""
    config = TypeAdapter(ModelConfig).validate_python(name)
    return config.build(num_classes=10, in_channels=3, image_size=_SHAPE[1:])


def time_forward(model: nn.Module, images: torch.Tensor, clock: Clock) -> float:
    """Return the seconds of one forward pass in evaluation mode."""
    model.eval()
    start = clock()
    with torch.no_grad():
        model(images)
    return clock() - start


def time_step(model: nn.Module, images: torch.Tensor, clock: Clock) -> float:
    """Return the seconds of one forward and backward pass in training mode."""
    model.train()
    labels = torch.zeros(len(images), dtype=torch.int64, device=images.device)
    start = clock()
    F.cross_entropy(model(images), labels).backward()
    seconds = clock() - start
    model.zero_grad(set_to_none=True)
    return seconds


def measure_model(name: str, device: torch.device, repeats: int, clock: Clock) -> dict[str, Any]:
    """Return one row of the table of models: the fastest pass, since other work on the machine only ever slows."""
    model = build(name)
    summary = summarise(model, in_shape=_SHAPE, batch_size=_BATCH_FOR_MEMORY)
    batch = int(max(8, min(256, _TARGET_MACS / summary.macs)))
    model, images = _place(model, device), _images(batch, device)
    time_step(model, images, clock)
    forward = [batch / time_forward(model, images, clock) for _ in range(repeats)]
    step = [batch / time_step(model, images, clock) for _ in range(repeats)]
    return {
        "model": name,
        "parameters": summary.parameters,
        "MMACs": round(summary.macs / 1e6, 1),
        "activations_mib": round(summary.activations_mib, 1),
        "batch": batch,
        "forward_images_s": round(max(forward), 1),
        "forward_backward_images_s": round(max(step), 1),
    }


def peers() -> dict[str, tuple[Any, Callable[[], nn.Module]]]:
    """Return row -> (our model, builder of the public one of the same shape)."""
    import_transforms()  # declares what a torchvision beside a CPU-only torch lacks
    torchvision, timm = importlib.import_module("torchvision.models"), importlib.import_module("timm")
    preact = importlib.import_module("pytorchcv.models.preresnet_cifar")
    wide = importlib.import_module("pytorchcv.models.wrn_cifar")
    widths = [[width] * 2 for width in (64, 128, 256, 512)]
    return {
        "resnet18 at 64 px, torchvision": ("resnet18", lambda: torchvision.resnet18(num_classes=10)),
        "resnet18 at 64 px, timm": ("resnet18", lambda: timm.create_model("resnet18", num_classes=10)),
        "preact_resnet18 at 64 px, pytorchcv": (
            "preact_resnet18",
            lambda: preact.CIFARPreResNet(channels=widths, init_block_channels=64, bottleneck=False, num_classes=10),
        ),
        "wide_resnet_16_8, pytorchcv": (
            "wide_resnet_16_8",
            lambda: wide.get_wrn_cifar(blocks=16, width_factor=8, num_classes=10),
        ),
        "convnext_atto patch 4 at 64 px, timm": (
            {"name": "convnext", "patch_size": 4},
            lambda: timm.create_model("convnext_atto", num_classes=10),
        ),
    }


def measure_peer(
    row: str, ours: Any, theirs: Callable[[], nn.Module], device: torch.device, repeats: int, clock: Clock
) -> dict[str, Any]:
    """Return one row of the comparison: the two take turns, so that a busy moment hits both."""
    models = {"ours": _place(build(ours), device), "peer": _place(theirs(), device)}
    counts = {key: sum(part.numel() for part in model.parameters()) for key, model in models.items()}
    images = _images(_PEER_BATCH, device, side=64 if "64 px" in row else 32)
    rates: dict[str, list[float]] = {key: [] for key in models}
    for index in range(repeats + 1):
        for key, model in models.items() if index % 2 else reversed(models.items()):
            rate = len(images) / time_step(model, images, clock)
            if index:  # the first round pays for lazy initialisation
                rates[key].append(rate)
    ratios = [mine / other for mine, other in zip(rates["ours"], rates["peer"], strict=True)]
    return {
        "same shape": row,
        "parameters": counts["ours"],
        "peer_parameters": counts["peer"],
        "ours_images_s": round(statistics.median(rates["ours"]), 1),
        "peer_images_s": round(statistics.median(rates["peer"]), 1),
        "median_of_paired_ratios": round(statistics.median(ratios), 3),
        "ratio_of_fastest": round(max(rates["ours"]) / max(rates["peer"]), 3),
        "n": repeats,
    }


def print_rows(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Print rows as a Markdown table while they come, and return them."""
    found = []
    for row in rows:
        if not found:
            print("| " + " | ".join(row) + " |\n|" + "---|" * len(row), flush=True)
        print(
            "| " + " | ".join(f"{value:,}" if isinstance(value, int) else str(value) for value in row.values()) + " |",
            flush=True,
        )
        found.append(row)
    return found


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", default=",".join(CARDS), help="names, with commas between")
    parser.add_argument("--peers", action="store_true", help="compare with public models of the same shape")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--cpu-time", action="store_true", help="processor time of one thread")
    parser.add_argument("--json", type=Path, help="also write the rows here")
    options = parser.parse_args()
    device = torch.device(options.device)
    torch.manual_seed(0)
    clock = functools.partial(_wall_clock, device)
    if options.cpu_time:
        torch.set_num_threads(1)
        clock = time.process_time
    print(f"{describe_device(device)}, torch {torch.__version__}, allocator: {tune_host_allocator(True).state}\n")
    warnings.simplefilter("ignore")
    if options.peers:
        found = (measure_peer(row, *pair, device, options.repeats, clock) for row, pair in peers().items())
    else:
        found = (measure_model(name, device, options.repeats, clock) for name in options.models.split(","))
    rows = print_rows(found)
    if options.json is not None:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")


def _place(model: nn.Module, device: torch.device) -> nn.Module:
    return model.to(device, memory_format=torch.channels_last)


def _images(batch: int, device: torch.device, side: int = 32) -> torch.Tensor:
    images = torch.randn(batch, 3, side, side, device=device)
    return images.to(memory_format=torch.channels_last)


def _wall_clock(device: torch.device) -> float:
    synchronize(device)
    return time.perf_counter()


if __name__ == "__main__":
    main()
