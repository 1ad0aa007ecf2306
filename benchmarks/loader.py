"""Images a second of crop + flip + normalise: the resident loader against torchvision image by image.

Every row makes float32 batches of the same size from the same uint8 images in memory, with the same three operations:
pad by 4 and crop at random, flip at random, normalise. Rows are taken in turn, so that a busy moment hits all alike,
and the median is reported. torchvision's rows read PIL images, as its CIFAR datasets hand them out, or tensors.

Usage: python benchmarks/loader.py [--images N] [--batch-size N] [--repeats N] [--threads N] [--out FILE.json]
Needs torchvision for the peers (pip install --no-deps torchvision); without it only our rows are shown.
"""

import argparse
import importlib.util
import json
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from _torchvision import import_transforms
from windtunnel.augment.engine import build_transform
from windtunnel.config.augment import HorizontalFlip, RandomCrop
from windtunnel.core.device import describe_device, tune_host_allocator
from windtunnel.core.types import ImageBytes
from windtunnel.data.planning import Batching
from windtunnel.data.resident import ResidentLoader

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
SIZE, PADDING = 32, 4
SHORTEST_S = 0.3

Epoch = Callable[[int], Iterator[Tensor]]


def make_images(count: int) -> ImageBytes:
    """Return random images, channels last in memory as the loader keeps them."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (count, SIZE, SIZE, 3), dtype=torch.uint8, generator=generator)
    return ImageBytes(pixels.permute(0, 3, 1, 2), torch.randint(0, 10, (count,), generator=generator))


def resident_row(data: ImageBytes, batch_size: int, backend: str) -> Epoch:
    """Return our loader's epoch."""
    ops = (RandomCrop(padding=PADDING), HorizontalFlip())
    transform = build_transform(ops, data.images, mean=MEAN, std=STD, num_classes=10, seed=0, backend=backend)
    batching = Batching(torch.arange(len(data.labels)), batch_size, seed=0, shuffle=True, drop_last=True)
    loader = ResidentLoader(data, transform, batching)
    return lambda epoch: (batch.images for batch in loader.epoch(epoch))


class PeerImages(Dataset):
    """The same images one by one, each transformed when it is asked for."""

    def __init__(self, images, transform) -> None:
        self.images = images
        self.transform = transform

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.images)

    def __getitem__(self, index: int):
        """Return one transformed image."""
        return self.transform(self.images[index])


def peer_images(v2, data: ImageBytes, *, as_pil: bool) -> PeerImages:
    """Return the images behind torchvision's own pipeline."""
    images = [v2.functional.to_pil_image(image) for image in data.images] if as_pil else list(data.images.contiguous())
    start = [v2.RandomCrop(SIZE, padding=PADDING), v2.RandomHorizontalFlip()]
    end = [v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)]
    return PeerImages(images, v2.Compose([*start, v2.ToImage(), *end] if as_pil else [*start, *end]))


def loop_row(peer: PeerImages, batch_size: int) -> Epoch:
    """Return an epoch of a plain loop over shuffled images."""

    def epoch(index: int) -> Iterator[Tensor]:
        order = torch.randperm(len(peer)).tolist()
        for start in range(0, len(order) - batch_size + 1, batch_size):
            yield torch.stack([peer[row] for row in order[start : start + batch_size]])

    return epoch


def loader_row(peer: PeerImages, batch_size: int, workers: int) -> Epoch:
    """Return an epoch of a DataLoader."""
    loader = DataLoader(
        peer, batch_size, shuffle=True, drop_last=True, num_workers=workers, persistent_workers=workers > 0
    )
    return lambda index: iter(loader)


def build_rows(data: ImageBytes, batch_size: int) -> dict[str, Epoch]:
    """Return every row that can run here."""
    rows = {"windtunnel, torch": resident_row(data, batch_size, "torch")}
    if importlib.util.find_spec("numba") is not None:
        rows["windtunnel, numba"] = resident_row(data, batch_size, "numba")
    v2 = import_transforms()
    if v2 is None:
        return rows
    tensors, pictures = (peer_images(v2, data, as_pil=as_pil) for as_pil in (False, True))
    rows["torchvision v2, tensors, loop"] = loop_row(tensors, batch_size)
    rows["torchvision v2, PIL, loop"] = loop_row(pictures, batch_size)
    for workers in (0, 2):
        rows[f"DataLoader, PIL, {workers} workers"] = loader_row(pictures, batch_size, workers)
    return rows


def measure_rate(epoch: Epoch, first: int) -> float:
    """Return images a second over as many whole epochs as take a third of a second."""
    images, index = 0, first
    start = time.perf_counter()
    while (spent := time.perf_counter() - start) < SHORTEST_S or index == first:
        images += sum(len(batch) for batch in epoch(index))
        index += 1
    return images / spent


def measure(rows: dict[str, Epoch], repeats: int) -> dict[str, list[float]]:
    """Return every row's rates, after one epoch of each that is not counted."""
    for epoch in rows.values():
        for _ in epoch(0):
            pass
    rates: dict[str, list[float]] = {name: [] for name in rows}
    for repeat in range(repeats):
        for name, epoch in rows.items():
            rates[name].append(measure_rate(epoch, 1 + 1000 * repeat))
    return rates


def summarise(rates: dict[str, list[float]]) -> list[dict[str, object]]:
    """Return a row of the table each: median, quartiles and how many times slower than the fastest."""
    medians = {name: statistics.median(values) for name, values in rates.items()}
    best = max(medians.values())
    return [
        {
            "loader": name,
            "images_per_s": round(medians[name]),
            "lowest": round(min(values)),
            "highest": round(max(values)),
            "times_slower": round(best / medians[name], 2),
        }
        for name, values in rates.items()
    ]


def main() -> None:
    """Measure, print a table and write JSON where it was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=10_000, help="synthetic images of 32x32x3")
    parser.add_argument("--batch-size", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=None, help="torch threads; default torch's own")
    parser.add_argument("--out", type=Path, default=None, help="write the table as JSON")
    options = parser.parse_args()
    allocator = tune_host_allocator(True)
    if options.threads:
        torch.set_num_threads(options.threads)
    rows = build_rows(make_images(options.images), options.batch_size)
    table = summarise(measure(rows, options.repeats))
    about = {
        "images": options.images,
        "batch_size": options.batch_size,
        "repeats": options.repeats,
        "device": describe_device(torch.device("cpu")),
        "torch": torch.__version__,
        "allocator": allocator.reason,
    }
    print(", ".join(f"{key} {value}" for key, value in about.items()))
    width = max(len(str(row["loader"])) for row in table)
    print(f"{'loader':{width}}  {'images/s':>10}  {'lowest':>10}  {'highest':>10}  times slower")
    for row in table:
        figures = "  ".join(f"{row[key]:>10,}" for key in ("images_per_s", "lowest", "highest"))
        print(f"{row['loader']:{width}}  {figures}  {row['times_slower']:>12}")
    if options.out:
        options.out.write_text(json.dumps({**about, "rows": table}, indent=2) + "\n")


if __name__ == "__main__":
    main()
