"""Pictures of what a policy does: many draws of a few images, or one draw op by op."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from jaxtyping import Int64, UInt8
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from windtunnel.augment.automatic import AutomaticOp
from windtunnel.augment.colour import ColorJitter
from windtunnel.augment.instruction import Code
from windtunnel.augment.op import Frame, Op
from windtunnel.augment.standalone import Augment
from windtunnel.config.augment import MIXING_OPS, OpConfig
from windtunnel.core.files import replacing

_SHARP_PIXELS = 96
_TITLE, _CAPTION, _SPACE, _GAP = 36, 30, 5, 24


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
        params: its parameters by name; ``order`` and ``chosen`` hold names of ops.
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
        op = kept[count - 1]
        params = {name: _plain_value(values[0]) for name, values in draw.params[-1].items()}
        changed = augment.apply(image[None], draw)[0] + torch.tensor(mean).view(-1, 1, 1)
        steps.append(Step(op.name, _name_choices(op.build(), params, augment.frame), to_bytes(changed)))
    return steps


def draw_grid(rows: Sequence[Sequence[Cell]], *, groups: Sequence[tuple[str, int]], path: Path, dpi: int = 150) -> None:
    """Draw cells as a labelled grid.

    Args:
        rows: cells, all rows equally long.
        groups: title and number of columns of each group, left to right.
        path: picture to write; the ending picks the format.
        dpi: dots an inch of the lettering; a cell is about 96 dots wide.
    """
    captions = any(cell.caption for row in rows for cell in row)
    grid = _Grid.of(rows, groups, captions=captions)
    canvas = np.full((grid.height, grid.width, 3), 255, np.uint8)
    for row, cells in enumerate(rows):
        for column, cell in enumerate(cells):
            top, left = grid.corner(row, column)
            picture = _enlarge(cell.image)
            canvas[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    figure = plt.figure(figsize=(grid.width / dpi, grid.height / dpi), dpi=dpi)
    figure.figimage(canvas)
    _write_captions(figure, grid, rows)
    for (title, count), start in zip(groups, sorted(_starts(groups)), strict=True):
        left, right = grid.corner(0, start)[1], grid.corner(0, start + count - 1)[1] + grid.cell[1]
        x, y = grid.place(_TITLE // 2, (left + right) // 2)
        figure.text(x, y, title, ha="center", va="center", fontsize=9, weight="bold", parse_math=False)
    with replacing(path) as temporary:
        figure.savefig(temporary, format=path.suffix.removeprefix(".") or "png", dpi=dpi)
    plt.close(figure)


@dataclass(frozen=True)
class _Grid:
    """Where cells lie on a canvas, in pixels.

    Args:
        cell: height and width of a picture.
        pitch: from one row to the next.
        starts: columns before which there is a gap.
        rows: number of rows.
        columns: number of columns.
    """

    cell: tuple[int, int]
    pitch: int
    starts: frozenset[int]
    rows: int
    columns: int

    @classmethod
    def of(cls, rows: Sequence[Sequence[Cell]], groups: Sequence[tuple[str, int]], *, captions: bool) -> "_Grid":
        height, width = _enlarge(rows[0][0].image).shape[:2]
        starts = frozenset(_starts(groups) - {0})
        return cls((height, width), height + (_CAPTION if captions else _SPACE), starts, len(rows), len(rows[0]))

    @property
    def height(self) -> int:
        """Return the canvas's height."""
        return _TITLE + self.rows * self.pitch

    @property
    def width(self) -> int:
        """Return the canvas's width."""
        return self.corner(0, self.columns)[1]

    def corner(self, row: int, column: int) -> tuple[int, int]:
        """Return top and left of a cell."""
        gaps = sum(start <= column for start in self.starts)
        return _TITLE + row * self.pitch, _SPACE + column * (self.cell[1] + _SPACE) + gaps * _GAP

    def place(self, down: int, across: int) -> tuple[float, float]:
        """Return a pixel as matplotlib's fractions of a figure."""
        return across / self.width, 1 - down / self.height


def _write_captions(figure: Figure, grid: _Grid, rows: Sequence[Sequence[Cell]]) -> None:
    for row, cells in enumerate(rows):
        for column, cell in enumerate(cells):
            top, left = grid.corner(row, column)
            x, y = grid.place(top + grid.cell[0] + _SPACE, left + grid.cell[1] // 2)
            if cell.caption:
                figure.text(x, y, cell.caption, ha="center", va="top", fontsize=5, linespacing=1.05, parse_math=False)


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


def _enlarge(pixels: UInt8[Tensor, "h w c"]) -> NDArray[np.uint8]:
    """Return an image in colour whose pixels are squares, at least about a hundred of them across."""
    times = max(1, round(_SHARP_PIXELS / max(pixels.shape[:2])))
    colour = pixels.expand(-1, -1, 3) if pixels.shape[2] == 1 else pixels
    enlarged: NDArray[np.uint8] = colour.numpy().repeat(times, 0).repeat(times, 1)
    return enlarged


def _weights_text(weights: Tensor, class_names: Sequence[str]) -> str:
    """Return the classes of a soft label, the heaviest first: one line each."""
    heavy = torch.argsort(weights, descending=True)[:2].tolist()
    return "\n".join(f"{class_names[index]} {weights[index]:.2f}" for index in heavy if weights[index] > 0.005)


def _name_choices(op: Op, params: Mapping[str, Any], frame: Frame) -> dict[str, Any]:
    """Return the parameters with names in place of the numbers of ops."""
    if isinstance(op, ColorJitter):
        return {**params, "order": [Code(code).name.lower() for code in params["order"]]}
    if isinstance(op, AutomaticOp):
        others = {name: value for name, value in params.items() if name != "op"}
        return {"chosen": _pick(params["op"], op.space(frame).ops), **others}
    return dict(params)


def _pick(index: Any, names: Sequence[str]) -> Any:
    return [_pick(each, names) for each in index] if isinstance(index, list) else names[index]


def _plain_value(value: Tensor) -> Any:
    return value.item() if value.ndim == 0 else value.tolist()
