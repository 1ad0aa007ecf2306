"""Pictures of what a policy does: many draws of a few images, or one draw op by op."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import torch
from jaxtyping import Int64, UInt8
from matplotlib.axes import Axes
from torch import Tensor
from torch.nn import functional

from windtunnel.augment.standalone import Augment
from windtunnel.config.augment import MIXING_OPS, OpConfig

_CELL_INCHES = 0.9
_SHARP_PIXELS = 96


@dataclass(frozen=True)
class Cell:
    """One picture of a grid.

    Args:
        image: bytes, channels last.
        caption: text below it, or "".
    """

    image: UInt8[Tensor, "h w c"]
    caption: str = ""


@dataclass(frozen=True)
class Step:
    """What one op did to one image.

    Args:
        name: the op.
        params: its parameters by name.
        image: the image after it, bytes, channels last.
    """

    name: str
    params: Mapping[str, Any]
    image: UInt8[Tensor, "h w c"]


def preview_policy(
    ops: Sequence[OpConfig],
    images: UInt8[Tensor, "n c h w"],
    labels: Int64[Tensor, " n"],
    *,
    ids: Int64[Tensor, " n"],
    class_names: Sequence[str],
    mean: Sequence[float],
    seed: int,
    draws: int,
) -> list[list[Cell]]:
    """Return a row for each image: ``draws`` epochs of it, with label weights where they are mixed."""
    augment = _build(ops, images, mean=mean, seed=seed, num_classes=len(class_names))
    columns = []
    for epoch in range(draws):
        draw = augment.sample(ids, epoch)
        changed, weights = augment.mix(augment.apply(images, draw), labels, draw)
        texts = [_weights_text(row, class_names) if row.ndim else "" for row in weights]
        pictures = changed + torch.tensor(mean).view(1, -1, 1, 1)
        columns.append([Cell(to_bytes(image), text) for image, text in zip(pictures, texts, strict=True)])
    return [list(row) for row in zip(*columns, strict=True)]


def replay_image(
    ops: Sequence[OpConfig],
    image: UInt8[Tensor, "c h w"],
    *,
    index: int,
    epoch: int,
    mean: Sequence[float],
    seed: int,
) -> list[Step]:
    """Return what each op does to the image ``index`` in ``epoch``, mixing apart, as training does it."""
    kept = [op for op in ops if not isinstance(op, MIXING_OPS)]
    steps = []
    for count in range(1, len(kept) + 1):
        augment = _build(kept[:count], image[None], mean=mean, seed=seed, num_classes=None)
        draw = augment.sample(torch.tensor([index]), epoch)
        params = {name: _plain_value(values[0]) for name, values in draw.params[-1].items()}
        changed = augment.apply(image[None], draw)[0] + torch.tensor(mean).view(-1, 1, 1)
        steps.append(Step(kept[count - 1].name, params, to_bytes(changed)))
    return steps


def draw_grid(rows: Sequence[Sequence[Cell]], *, groups: Sequence[tuple[str, int]], path: Path, dpi: int = 150) -> None:
    """Draw cells as a labelled grid.

    Args:
        rows: cells, all rows equally long.
        groups: title and number of columns of each group, left to right.
        path: picture to write; the ending picks the format.
        dpi: dots an inch.
    """
    gaps = [0.28 if start and start in _starts(groups) else 0.0 for start in range(len(rows[0]))]
    captions = any(cell.caption for row in rows for cell in row)
    height = _CELL_INCHES * (1.32 if captions else 1.0)
    width = len(rows[0]) * _CELL_INCHES + sum(gaps)
    figure = plt.figure(figsize=(width + 0.1, len(rows) * height + 0.45), facecolor="white")
    total_width, total_height = figure.get_size_inches()
    for row_number, row in enumerate(rows):
        for column, cell in enumerate(row):
            left = 0.05 + column * _CELL_INCHES + sum(gaps[: column + 1])
            bottom = total_height - 0.4 - row_number * height - _CELL_INCHES
            side = _CELL_INCHES * 0.95
            box = (left / total_width, bottom / total_height, side / total_width, side / total_height)
            _draw_cell(figure.add_axes(box), cell)
    for (title, count), start in zip(groups, sorted(_starts(groups)), strict=True):
        middle = 0.05 + (start + count / 2) * _CELL_INCHES + sum(gaps[: start + 1])
        figure.text(
            middle / total_width, 1 - 0.2 / total_height, title, ha="center", va="center", fontsize=10, weight="bold"
        )
    figure.savefig(path, dpi=dpi)
    plt.close(figure)


def to_bytes(image: Tensor) -> UInt8[Tensor, "h w c"]:
    """Return an image (c h w) in 0..1 as bytes, channels last."""
    return (image.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0)


def _build(
    ops: Sequence[OpConfig],
    images: Tensor,
    *,
    mean: Sequence[float],
    seed: int,
    num_classes: int | None,
) -> Augment:
    """Return an Augment that knows the mean, which a cutout is filled with; its results lack that mean."""
    channels, height, width = images.shape[1:]
    return Augment(
        list(ops),
        image_shape=(channels, height, width),
        mean=mean,
        std=(1.0,) * channels,
        num_classes=num_classes,
        seed=seed,
        backend="torch",
    )


def _starts(groups: Sequence[tuple[str, int]]) -> set[int]:
    return {sum(count for _, count in groups[:index]) for index in range(len(groups))}


def _draw_cell(axes: Axes, cell: Cell) -> None:
    pixels = cell.image
    times = max(1, round(_SHARP_PIXELS / max(pixels.shape[:2])))
    enlarged = functional.interpolate(pixels.permute(2, 0, 1)[None].float(), scale_factor=times, mode="nearest")
    picture = enlarged[0].permute(1, 2, 0).to(torch.uint8)
    if picture.shape[2] == 1:
        axes.imshow(picture[..., 0].numpy(), cmap="gray", vmin=0, vmax=255)
    else:
        axes.imshow(picture.numpy())
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    if cell.caption:
        axes.set_xlabel(cell.caption, fontsize=6, labelpad=2, linespacing=1.05)


def _weights_text(weights: Tensor, class_names: Sequence[str]) -> str:
    """Return the classes of a soft label, the heaviest first: one line each."""
    heavy = torch.argsort(weights, descending=True)[:2].tolist()
    return "\n".join(f"{class_names[index]} {weights[index]:.2f}" for index in heavy if weights[index] > 0.005)


def _plain_value(value: Tensor) -> Any:
    return value.item() if value.ndim == 0 else value.tolist()
