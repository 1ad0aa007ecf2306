"""Streamed batches beside resident ones; decoding by threads and by processes.

Part 1 makes batches (crop + flip + normalise) of random 64x64 images that lie in a memory-mapped file: resident, which
here is the map itself, and streamed by one or two threads, alone and under a training step of a small network. The file
is in the page cache: what is measured is the cost of streaming, not of the disk. Part 2 decodes and resizes JPEGs of
400x300 by one and two threads and by two processes. Rows are taken in turn and the medians reported.

    python benchmarks/streaming.py [--images 8192] [--jpegs 300] [--repeats 5] [--out FILE.json]
"""

import argparse
import io
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional

from windtunnel.augment.engine import build_transform
from windtunnel.config.augment import HorizontalFlip, RandomCrop
from windtunnel.core.device import describe_device, tune_host_allocator
from windtunnel.core.types import Batch
from windtunnel.data.cache import to_image_bytes
from windtunnel.data.decode import decode_image
from windtunnel.data.part import Part
from windtunnel.data.planning import Batching
from windtunnel.data.resident import ResidentLoader
from windtunnel.data.streaming import StreamingLoader

CPU = torch.device("cpu")
SIDE, BATCH, CLASSES = 64, 256, 10
STATISTICS = {"mean": (0.5,) * 3, "std": (0.25,) * 3}

Epoch = Callable[[int], Iterator[Batch]]
Pass = Callable[[], float]


def write_images(path: Path, count: int) -> Part:
    """Return the part of a new memory-mapped file of random images."""
    pixels = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(count, SIDE, SIDE, 3))
    generator = np.random.default_rng(0)
    for start in range(0, count, BATCH):
        pixels[start : start + BATCH] = generator.integers(0, 256, pixels[start : start + BATCH].shape, dtype=np.uint8)
    pixels.flush()
    return Part.of(to_image_bytes(np.load(path, mmap_mode="c"), generator.integers(0, CLASSES, count)))


def build_epochs(part: Part) -> dict[str, Epoch]:
    """Return the epoch of each kind of loader."""
    ops = (RandomCrop(padding=4), HorizontalFlip())
    transform = build_transform(ops, part.images, **STATISTICS, num_classes=CLASSES, seed=0)
    batching = Batching(part.indices, BATCH, seed=0, shuffle=True, drop_last=True)
    streamed = {
        f"streaming, {workers} thread{'s' * (workers > 1)}": StreamingLoader(
            part, transform, batching, device=CPU, workers=workers
        ).epoch
        for workers in (1, 2)
    }
    return {"resident": ResidentLoader(part.load(CPU), transform, batching).epoch, **streamed}


def build_step() -> Callable[[Batch], None]:
    """Return the forward and backward pass of a small network."""
    net = nn.Sequential(
        nn.Conv2d(3, 16, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, CLASSES),
    ).to(memory_format=torch.channels_last)  # fmt: skip
    return lambda batch: functional.cross_entropy(net(batch.images), batch.labels).backward()


def time_epoch(epoch: Epoch, consume: Callable[[Batch], None]) -> float:
    """Return images a second over one epoch."""
    start, images = time.perf_counter(), 0
    for batch in epoch(0):
        consume(batch)
        images += len(batch.labels)
    return images / (time.perf_counter() - start)


def make_jpeg() -> bytes:
    """Return a photo-like JPEG: smooth noise."""
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(noise).resize((400, 300), Image.Resampling.BICUBIC).save(stream, "JPEG", quality=88)
    return stream.getvalue()


def decode_many(jpeg: bytes, count: int) -> None:
    """Decode and resize ``count`` times."""
    for _ in range(count):
        decode_image(jpeg, "benchmark", "RGB", (SIDE, SIDE))


def time_decoding(pool: Executor, jpeg: bytes, count: int) -> float:
    """Return images a second of a pool, in jobs of 25."""
    start = time.perf_counter()
    for job in [pool.submit(decode_many, jpeg, 25) for _ in range(count // 25)]:
        job.result()
    return count / (time.perf_counter() - start)


def measure(passes: dict[str, Pass], repeats: int) -> dict[str, float]:
    """Return the median of each pass over interleaved repeats, after one that is not counted."""
    rates: dict[str, list[float]] = {name: [] for name in passes}
    for turn in range(repeats + 1):
        for name, run in passes.items():
            rate = run()
            if turn:
                rates[name].append(rate)
    return {name: statistics.median(values) for name, values in rates.items()}


def batch_passes(part: Part) -> dict[str, Pass]:
    """Return part 1's passes by name."""
    passes: dict[str, Pass] = {}
    for work, consume in (("batches alone", lambda batch: None), ("under a training step", build_step())):
        for name, epoch in build_epochs(part).items():
            passes[f"{work}: {name}"] = partial(time_epoch, epoch, consume)
    return passes


def main() -> None:
    """Measure, print a table and write JSON where it was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=8192, help="random images of 64x64x3")
    parser.add_argument("--jpegs", type=int, default=300, help="JPEGs decoded a repeat")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, default=None, help="write the table as JSON")
    options = parser.parse_args()
    about = {"device": describe_device(CPU), "torch": torch.__version__, "repeats": options.repeats}
    about["allocator"] = tune_host_allocator(True).reason
    jpeg = make_jpeg()
    with (
        tempfile.TemporaryDirectory() as folder,
        ThreadPoolExecutor(1) as one,
        ThreadPoolExecutor(2) as two,
        ProcessPoolExecutor(2) as processes,
    ):
        pools = {"1 thread": one, "2 threads": two, "2 processes": processes}
        passes = {
            f"decoding: {name}": partial(time_decoding, pool, jpeg, options.jpegs) for name, pool in pools.items()
        }
        passes |= batch_passes(write_images(Path(folder) / "images.npy", options.images))
        rates = measure(passes, options.repeats)
    print(", ".join(f"{key} {value}" for key, value in about.items()))
    for name, rate in rates.items():
        print(f"{name:48} {rate:>10,.0f} images/s")
    if options.out:
        options.out.write_text(json.dumps({**about, "images_per_s": rates}, indent=2) + "\n")


if __name__ == "__main__":
    main()
