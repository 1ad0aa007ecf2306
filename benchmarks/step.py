"""One epoch of the loop beside a bare hand-written loop, a DataLoader loop and Lightning: same net, images, batch.

Every contestant trains airbench94's network on random CIFAR-shaped images with crop and flip, SGD and the same
learning rate, forward and backward in float32. Epochs are interleaved, the median over repeats is reported, and each
peer runs with windtunnel's host allocator settings and with the default ones (another process each, since the
settings hold for a process).

    python benchmarks/step.py [--images 2048] [--batch 1024] [--repeats 5] [--model airbench] [--out step.json]

Needs torchvision (without its dependencies) and lightning for the peers; a missing one is left out and said so.
"""

import argparse
import importlib.util
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from windtunnel.core.device import describe_device, tune_host_allocator
from windtunnel.recipes import load_experiment
from windtunnel.training.assemble import Parts, assemble, initialise_from_data
from windtunnel.training.loop import train_epochs
from windtunnel.training.state import TrainState

CLASSES = 10


def write_images(folder: Path, images: int) -> Path:
    """Write random images as an .npz, so that every contestant reads the same bytes."""
    generator = np.random.default_rng(0)
    path = folder / "images.npz"
    np.savez(
        path,
        train_images=generator.integers(0, 256, (images, 32, 32, 3), dtype=np.uint8),
        train_labels=np.arange(images) % CLASSES,
    )
    return path


def build_parts(path: Path, batch: int, model: str) -> Parts:
    overrides = [
        f"model={model}",
        "optim={name: sgd, lr: 1.0e-4, momentum: 0.85, groups: []}",
        f"data.source={{name: npz, path: {path}}}",
        f"data.batch_size={batch}",
        "train.epochs=1000",
        "augment=crop_flip",
        "averaging=null",
    ]
    parts = assemble(load_experiment("cifar10/airbench94", overrides))
    initialise_from_data(parts)
    return parts


def ours(parts: Parts) -> Callable[[], None]:
    """Return one epoch of windtunnel's own loop."""
    state = TrainState.fresh(parts.device)
    events = train_epochs(parts, state)

    def epoch() -> None:
        for event in events:
            if type(event).__name__ == "EpochReport":
                return

    return epoch


def bare(parts: Parts) -> Callable[[], None]:
    """Return one epoch of the shortest loop one would write by hand, over the same batches and optimizer."""
    model, optimizer = parts.model, parts.optimizer

    def epoch() -> None:
        for batch in parts.loader.epoch(0):
            loss = functional.cross_entropy(model(batch.images), batch.labels, label_smoothing=0.2, reduction="sum")
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()

    return epoch


def with_dataloader(path: Path, batch: int, model: nn.Module, *, workers: int) -> Callable[[], None]:
    """Return one epoch of the loop of most tutorials: per-image transforms in a DataLoader."""
    loader, optimizer = build_dataloader(path, batch, workers=workers), build_sgd(model)

    def epoch() -> None:
        for images, labels in loader:
            images = images.contiguous(memory_format=torch.channels_last)
            loss = functional.cross_entropy(model(images), labels, label_smoothing=0.2)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()

    return epoch


def with_lightning(path: Path, batch: int, model: nn.Module) -> Callable[[], None]:
    """Return one epoch of a Lightning Trainer over the same DataLoader, its extras switched off."""
    import lightning

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def training_step(self, batch: Any, index: int) -> torch.Tensor:
            images = batch[0].contiguous(memory_format=torch.channels_last)
            return functional.cross_entropy(self.model(images), batch[1], label_smoothing=0.2)

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return build_sgd(model)

    loader, module = build_dataloader(path, batch, workers=0), Module()

    def epoch() -> None:
        lightning.Trainer(
            max_epochs=1,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        ).fit(module, loader)

    return epoch


def build_sgd(model: nn.Module) -> torch.optim.SGD:
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return torch.optim.SGD(trainable, lr=1e-3, momentum=0.85, nesterov=True)


def build_dataloader(path: Path, batch: int, *, workers: int) -> Any:
    from _torchvision import import_transforms

    transforms = import_transforms()
    transform = transforms.Compose(
        [
            transforms.RandomCrop(32, padding=4),
            transforms.RandomHorizontalFlip(),
            transforms.ToDtype(torch.float32, scale=True),
            transforms.Normalize((0.4914, 0.4822, 0.4465), (0.247, 0.2435, 0.2616)),
        ]
    )
    with np.load(path) as arrays:
        images = torch.from_numpy(arrays["train_images"]).permute(0, 3, 1, 2).contiguous()
        labels = torch.from_numpy(arrays["train_labels"])

    class Images(Dataset):
        def __len__(self) -> int:
            return len(images)

        def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
            return transform(images[index]), labels[index]

    return DataLoader(Images(), batch_size=batch, shuffle=True, drop_last=True, num_workers=workers)


def measure(path: Path, args: argparse.Namespace) -> dict[str, list[float]]:
    """Return seconds an epoch of every contestant, taken in turn; the first turn is warm-up."""
    parts = build_parts(path, args.batch, args.model)
    contestants: dict[str, Callable[[], None]] = {"windtunnel": ours(parts), "bare loop": bare(parts)}
    fresh = [build_parts(path, args.batch, args.model).model for _ in range(3)]
    if importlib.util.find_spec("torchvision"):
        contestants["DataLoader, 0 workers"] = with_dataloader(path, args.batch, fresh[0], workers=0)
        contestants["DataLoader, 2 workers"] = with_dataloader(path, args.batch, fresh[1], workers=2)
        if importlib.util.find_spec("lightning"):
            contestants["Lightning"] = with_lightning(path, args.batch, fresh[2])
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(args.repeats + 1):
        for name, epoch in contestants.items():
            start = time.perf_counter()
            epoch()
            if turn:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def run_child(allocator: str, path: Path, args: argparse.Namespace) -> dict[str, list[float]]:
    """Measure in a process of its own, whose allocator is as asked."""
    command = [sys.executable, __file__, "--child", allocator, "--data", str(path)]
    command += ["--batch", str(args.batch), "--repeats", str(args.repeats), "--model", args.model]
    finished = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(finished.stdout.splitlines()[-1])


def show(results: dict[str, dict[str, list[float]]]) -> None:
    """Print median seconds and the ratio to windtunnel with the tuned allocator."""
    reference = statistics.median(results["tuned"]["windtunnel"])
    print(f"{'':24}{'tuned allocator':>22}{'default allocator':>22}   (median s an epoch, ratio to windtunnel tuned)")
    for name in results["tuned"]:
        cells = [statistics.median(results[allocator][name]) for allocator in ("tuned", "default")]
        print(f"{name:24}" + "".join(f"{cell:13.3f} {cell / reference:7.3f}x" for cell in cells))
    pairs = zip(results["tuned"]["windtunnel"], results["tuned"]["bare loop"], strict=True)
    overhead = statistics.median(mine / hand for mine, hand in pairs)
    print(f"loop overhead over the bare loop, median of paired epochs: {overhead:.3f}x")


def main() -> None:
    """Parse arguments, measure in two processes, print the table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=2048)
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--model", default="airbench")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--child", choices=("tuned", "default"), help=argparse.SUPPRESS)
    parser.add_argument("--data", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        tune_host_allocator(args.child == "tuned")
        print(json.dumps(measure(args.data, args)))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = write_images(Path(folder), args.images)
        results = {allocator: run_child(allocator, path, args) for allocator in ("tuned", "default")}
    device = describe_device(torch.device("cpu"))
    print(f"{args.model}, {args.images} images, batch {args.batch}, {device}, torch {torch.__version__}")
    show(results)
    if args.out:
        args.out.write_text(json.dumps({"device": device, "torch": torch.__version__, "seconds": results}, indent=2))


if __name__ == "__main__":
    main()
