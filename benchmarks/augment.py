"""Augmentation: time per image of whole policies against torchvision, kornia and albumentations, and how exact we are.

Every row turns the same uint8 images into normalised float32 ones. torchvision and albumentations take one image at a
time, kornia and ours a batch with parameters of its own for every image. Our time includes drawing the epoch's
parameters. Rows are taken in turn, so that a busy moment hits all alike, and medians are reported.

Times with one thread are CPU time, so that other work on the machine does not count. The two-thread gain of our rows is
wall-clock time of an epoch's batches from resident images, parameters drawn, so run it on an idle machine.
``albumentations`` has its own semantics; its figures are for scale.
``exact`` is the largest difference to torchvision's functions on float images with the same parameters.

Usage: python benchmarks/augment.py [--images N] [--batch-size N] [--repeats N] [--out FILE.json]
Peers that are not installed are left out:
pip install --no-deps torchvision kornia kornia_rs albumentations albucore opencv-python-headless stringzilla simsimd
"""

import argparse
import importlib.util
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from _torchvision import import_transforms
from windtunnel.augment import Augment, parse_policy
from windtunnel.augment.backend import Backend
from windtunnel.augment.engine import build_transform
from windtunnel.core.device import describe_device, tune_host_allocator

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
POLICIES = ("easy", "hard2", "hard3", "crop_flip")
SIZE = 32
EXACT_IMAGES = 200

Pass = Callable[[int], int]
"""Augments images for one repeat; takes the repeat's number, returns how many images."""


def ours(policy: str, images: Tensor, batch_size: int, backend: Backend) -> Pass:
    """Return a pass of our engine: draws for all images, then batch by batch."""
    augment = Augment(
        policy, image_shape=tuple(images.shape[1:]), mean=MEAN, std=STD, backend=backend, channels_last=True
    )
    ids = torch.arange(len(images))

    def run(repeat: int) -> int:
        draw = augment.sample(ids, repeat)
        for start in range(0, len(images), batch_size):
            part = slice(start, start + batch_size)
            augment.apply(images[part], draw[part])
        return len(images)

    return run


def torchvision_ops(policy: str) -> nn.Module:
    """Return the policy in torchvision's own classes."""
    v2 = import_transforms()
    gray, flip, upside_down = v2.RandomGrayscale(0.1), v2.RandomHorizontalFlip(0.5), v2.RandomVerticalFlip(0.2)
    ops = {
        "easy": [v2.RandomPerspective(0.2, 0.5), gray, v2.RandomRotation((0, 15)), flip, v2.ColorJitter(0.3, 0.5, 0.3)],
        "hard2": [
            v2.RandomPerspective(0.4, 0.5), gray, flip, upside_down, v2.RandomInvert(0.2),
            v2.ColorJitter(0.2, 0.5, 0.4),
        ],
        "hard3": [
            v2.RandomPerspective(0.3, 0.5), gray, flip, upside_down, v2.RandomInvert(0.2),
            v2.RandomResizedCrop(SIZE, (0.3, 1.0), antialias=True), v2.ColorJitter(0.5, 0.5, 0.4),
        ],
        "crop_flip": [v2.RandomCrop(SIZE, padding=4), flip],
    }  # fmt: skip
    return v2.Compose([*ops[policy], v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)])


def torchvision_each(policy: str, images: Tensor) -> Pass:
    """Return a pass of torchvision, one uint8 tensor at a time."""
    transform = torchvision_ops(policy)
    single = [image.contiguous() for image in images]

    def run(repeat: int) -> int:
        for image in single:
            transform(image)
        return len(single)

    return run


def torchvision_pil(policy: str, images: Tensor) -> Pass:
    """Return a pass of torchvision, one PIL image at a time, as its data sets hand them out."""
    v2 = import_transforms()
    transform = torchvision_ops(policy)
    pictures = [v2.functional.to_pil_image(image) for image in images]
    transform = v2.Compose([*transform.transforms[:-2], v2.ToImage(), *transform.transforms[-2:]])

    def run(repeat: int) -> int:
        for picture in pictures:
            transform(picture)
        return len(pictures)

    return run


def kornia_batch(policy: str, images: Tensor, batch_size: int) -> Pass:
    """Return a pass of kornia, which draws for each image of a batch."""
    import kornia.augmentation as k

    gray, flip, upside_down = k.RandomGrayscale(p=0.1), k.RandomHorizontalFlip(p=0.5), k.RandomVerticalFlip(p=0.2)
    ops = {
        "easy": [
            k.RandomPerspective(0.2, p=0.5), gray, k.RandomRotation((0.0, 15.0), resample="nearest", p=1.0), flip,
            k.ColorJitter(0.3, 0.5, 0.3, p=1.0),
        ],
        "hard2": [
            k.RandomPerspective(0.4, p=0.5), gray, flip, upside_down, k.RandomInvert(p=0.2),
            k.ColorJitter(0.2, 0.5, 0.4, p=1.0),
        ],
        "hard3": [
            k.RandomPerspective(0.3, p=0.5), gray, flip, upside_down, k.RandomInvert(p=0.2),
            k.RandomResizedCrop((SIZE, SIZE), (0.3, 1.0), p=1.0), k.ColorJitter(0.5, 0.5, 0.4, p=1.0),
        ],
        "crop_flip": [k.RandomCrop((SIZE, SIZE), padding=4, p=1.0), flip],
    }  # fmt: skip
    transform = nn.Sequential(*ops[policy], k.Normalize(torch.tensor(MEAN), torch.tensor(STD)))

    def run(repeat: int) -> int:
        for part in images.split(batch_size):
            transform(part.float() / 255)
        return len(images)

    return run


def albumentations_each(policy: str, images: Tensor) -> Pass:
    """Return a pass of albumentations, one numpy image at a time; its perspective has no equal scale."""
    import albumentations as a

    gray, flip, upside_down = a.ToGray(p=0.1), a.HorizontalFlip(p=0.5), a.VerticalFlip(p=0.2)
    perspective = a.Perspective(p=0.5)
    ops = {
        "easy": [perspective, gray, a.Rotate((0, 15), interpolation=0, p=1), flip, _jitter(a, 0.3, 0.5, 0.3)],
        "hard2": [perspective, gray, flip, upside_down, a.InvertImg(p=0.2), _jitter(a, 0.2, 0.5, 0.4)],
        "hard3": [
            perspective, gray, flip, upside_down, a.InvertImg(p=0.2),
            a.RandomResizedCrop((SIZE, SIZE), (0.3, 1.0)), _jitter(a, 0.5, 0.5, 0.4),
        ],
        "crop_flip": [a.Pad(4), a.RandomCrop(SIZE, SIZE), flip],
    }  # fmt: skip
    transform = a.Compose([*ops[policy], a.Normalize(MEAN, STD)])
    arrays = [np.ascontiguousarray(image.permute(1, 2, 0).numpy()) for image in images]

    def run(repeat: int) -> int:
        for array in arrays:
            transform(image=array)
        return len(arrays)

    return run


def _jitter(a: object, brightness: float, contrast: float, saturation: float) -> object:
    return a.ColorJitter(
        (1 - brightness, 1 + brightness), (1 - contrast, 1 + contrast), (1 - saturation, 1 + saturation), (0, 0), p=1
    )


def build_passes(policy: str, images: Tensor, batch_size: int) -> dict[str, Pass]:
    """Return a pass for each row whose package is installed; those of one image at a time get fewer images."""
    few = images[: max(100, len(images) // 10)]
    rows = {
        "numba": ("ours (numba)", lambda: ours(policy, images, batch_size, "numba")),
        "torch": ("ours (torch)", lambda: ours(policy, images, batch_size, "torch")),
        "torchvision": ("torchvision, tensor", lambda: torchvision_each(policy, few)),
        "PIL": ("torchvision, PIL", lambda: torchvision_pil(policy, few)),
        "kornia": ("kornia", lambda: kornia_batch(policy, images, batch_size)),
        "albumentations": ("albumentations", lambda: albumentations_each(policy, few)),
    }
    needs = {"PIL": "torchvision"}
    return {
        name: make()
        for package, (name, make) in rows.items()
        if importlib.util.find_spec(needs.get(package, package)) is not None
    }


def time_passes(passes: dict[str, Pass], repeats: int, clock: Callable[[], float]) -> dict[str, list[float]]:
    """Return microseconds an image of every repeat, the rows taken in turn."""
    times: dict[str, list[float]] = {name: [] for name in passes}
    for repeat in range(repeats + 1):
        for name, run in passes.items():
            start = clock()
            count = run(repeat)
            if repeat:  # the first warms up, and compiles
                times[name].append((clock() - start) / count * 1e6)
    return times


def exactness(policy: str, images: Tensor, backend: Backend) -> float:
    """Return the largest difference to torchvision's functions, float images, same parameters."""
    sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "augment"))
    from torchvision_oracle import reference

    augment = Augment(policy, image_shape=tuple(images.shape[1:]), backend=backend)
    draw = augment.sample(torch.arange(len(images)), 0)
    result = augment.apply(images, draw)
    worst = 0.0
    for index, image in enumerate(images):
        expected = image.float() / 255
        for op, params in zip(parse_policy(policy), draw.params, strict=True):
            expected = reference(op, expected, {name: values[index] for name, values in params.items()})
        worst = max(worst, (expected - result[index]).abs().max().item())
    return worst


def time_draws(policy: str, count: int, repeats: int) -> float:
    """Return microseconds of CPU time an image to draw an epoch's parameters."""
    augment = Augment(policy, image_shape=(3, SIZE, SIZE), backend="torch")
    ids = torch.arange(count)
    times = time_passes({"draw": lambda repeat: len(augment.sample(ids, repeat))}, repeats, time.process_time)
    return statistics.median(times["draw"])


def time_threads(policy: str, images: Tensor, batch_size: int, repeats: int, backend: Backend) -> float:
    """Return wall-clock time of an epoch's batches on one thread over that on two, as a training loop asks for them.

    The images are resident and the parameters drawn, turns alternate, and the ratio is between medians.
    """
    ops = parse_policy(policy)
    resident = images.contiguous(memory_format=torch.channels_last)
    transform = build_transform(ops, resident, mean=MEAN, std=STD, num_classes=10, seed=0, backend=backend)
    rows = torch.arange(len(images))
    draw = transform.draw(rows, 0)
    batches = [slice(start, start + batch_size) for start in range(0, len(images), batch_size)]
    seconds: dict[int, list[float]] = {1: [], 2: []}
    for turn in range(2 * repeats + 1):
        for threads, taken in seconds.items():
            torch.set_num_threads(threads)
            start = time.perf_counter()
            for batch in batches:
                transform.apply(rows[batch], draw[batch])
            if turn:
                taken.append(time.perf_counter() - start)
    torch.set_num_threads(1)
    return statistics.median(seconds[1]) / statistics.median(seconds[2])


def measure(policy: str, images: Tensor, batch_size: int, repeats: int) -> dict[str, object]:
    """Return every figure of one policy."""
    passes = build_passes(policy, images, batch_size)
    torch.set_num_threads(1)
    one = {name: statistics.median(times) for name, times in time_passes(passes, repeats, time.process_time).items()}
    gains = {f"ours ({b})": time_threads(policy, images, batch_size, repeats, b) for b in ("numba", "torch")}
    exact = {}
    if importlib.util.find_spec("torchvision") is not None:
        exact = {f"ours ({b})": exactness(policy, images[:EXACT_IMAGES], b) for b in ("numba", "torch")}
    draws = time_draws(policy, 50_000, repeats)
    return {"us_per_image": one, "two_threads_gain": gains, "exact": exact, "draw_us_per_image": draws}


def print_table(policy: str, figures: dict[str, dict[str, float]]) -> None:
    """Print the rows of one policy."""
    print(f"\n{policy}: {'us/image':>28} {'images/s':>10} {'ours is x faster':>17} {'2 threads':>10} {'exact':>9}")
    best = figures["us_per_image"]["ours (numba)"]
    for name, taken in figures["us_per_image"].items():
        ratio = "" if name == "ours (numba)" else f"{taken / best:.1f}"
        gain = figures["two_threads_gain"].get(name)
        exact = figures["exact"].get(name)
        print(
            f"  {name:<24} {taken:>12.2f} {1e6 / taken:>10,.0f} {ratio:>17} "
            f"{f'{gain:.2f}x' if gain else '':>10} {f'{exact:.1e}' if exact is not None else '':>9}"
        )
    print(f"  drawing an epoch's parameters: {figures['draw_us_per_image']:.2f} us/image")


def main() -> None:
    """Measure every policy and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--batch-size", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--policies", nargs="+", default=list(POLICIES), choices=POLICIES)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    tune_host_allocator(True)
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (options.images, SIZE, SIZE, 3), dtype=torch.uint8, generator=generator)
    images = pixels.permute(0, 3, 1, 2)
    print(f"{describe_device(torch.device('cpu'))}, torch {torch.__version__}; {options.images} images of 32x32")
    results = {}
    for policy in options.policies:
        results[policy] = measure(policy, images, options.batch_size, options.repeats)
        print_table(policy, results[policy])
    if options.out:
        options.out.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
