"""Draws docs/images/architecture.svg: the layers as import-linter holds them, and the way of a run.

Command, after a change of the layers: `python docs/_ext/draw_architecture.py`.
"""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).parents[2]
PICTURE = ROOT / "docs" / "images" / "architecture.svg"

_STEPS = (
    ("recipe, YAML file, overrides", "recipes/, config/overrides"),
    ("Experiment: typed, frozen, checked", "config/: no torch yet"),
    ("assemble(): data, augmentation, network, optimizer", "fails before a folder exists"),
    ("train_epochs(): StepDone, EpochReport, ...", "an iterator; nothing waits for the device"),
    ("run folder: config, metrics, checkpoints, report", "plain files; everything else is rebuilt from them"),
    ("catalog, live page, reports, sweep results", "read run folders; never torch"),
)
_MANY = ("sweeps, comparisons: plan by memory", "dispatch/: one process a run, a journal")
_WIDTH, _ROW, _GAP, _TOP = 960, 46, 12, 56
_LEFT, _LAYER_WIDTH = 24, 420
_RIGHT, _STEP_WIDTH = 500, 436
_INK, _SOFT, _LINE = "#1b2733", "#5a6b7b", "#8fa3b5"
_LAYER_FILL, _STEP_FILL, _MANY_FILL = "#e8f0f7", "#eef6ec", "#fdf3e1"


def read_layers() -> list[list[str]]:
    """Return the layers from the top down, each with the packages that lie side by side in it."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contract = next(each for each in settings["tool"]["importlinter"]["contracts"] if each["type"] == "layers")
    return [[name.strip(" ()").removeprefix("windtunnel.") for name in row.split("|")] for row in contract["layers"]]


def draw() -> str:
    """Return the picture as SVG."""
    layers, way = list(_draw_layers(read_layers())), list(_draw_way())
    rows = max(len(read_layers()), len(_STEPS) + 1)
    height = _TOP + rows * (_ROW + _GAP) + 20
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
        'font-family="system-ui, sans-serif">'
    )
    parts = [
        head,
        "<title>windtunnel: layers, and the way of a run</title>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        f'<path d="M0 0 L8 4 L0 8 z" fill="{_LINE}"/></marker></defs>',
        f'<rect width="{_WIDTH}" height="{height}" rx="10" fill="#ffffff"/>',
        _text(_LEFT, 34, "Layers: imports go down only", size=15, bold=True),
        _text(_RIGHT, 34, "The way of a run", size=15, bold=True),
        *layers,
        *way,
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _draw_layers(layers: list[list[str]]) -> Iterator[str]:
    for row, names in enumerate(layers):
        width = (_LAYER_WIDTH - _GAP / 2 * (len(names) - 1)) / len(names)
        size = 13 if len(names) < 4 else 10.5
        for column, name in enumerate(names):
            left, top = _LEFT + column * (width + _GAP / 2), _TOP + row * (_ROW + _GAP)
            yield _box(left, top, width, _LAYER_FILL)
            yield _text(left + width / 2, top + _ROW / 2 + 4, name, size=size, centred=True)


def _draw_way() -> Iterator[str]:
    for row, (what, note) in enumerate((*_STEPS, _MANY)):
        top = _TOP + row * (_ROW + _GAP)
        yield _box(_RIGHT, top, _STEP_WIDTH, _MANY_FILL if row == len(_STEPS) else _STEP_FILL)
        yield _text(_RIGHT + 14, top + 20, what, size=13)
        yield _text(_RIGHT + 14, top + 37, note, size=11, colour=_SOFT)
        if row:
            middle = _RIGHT + _STEP_WIDTH / 2
            ends = (top, top - _GAP) if row == len(_STEPS) else (top - _GAP, top)
            yield (
                f'<line x1="{middle}" y1="{ends[0]}" x2="{middle}" y2="{ends[1]}" stroke="{_LINE}" stroke-width="1.5" '
                'marker-end="url(#tip)"/>'
            )


def _box(left: float, top: float, width: float, fill: str) -> str:
    return (
        f'<rect x="{left:g}" y="{top:g}" width="{width:g}" height="{_ROW}" rx="6" fill="{fill}" stroke="{_LINE}" '
        'stroke-width="1"/>'
    )


def _text(
    left: float, bottom: float, text: str, *, size: float, bold: bool = False, centred: bool = False, colour: str = _INK
) -> str:
    weight = ' font-weight="600"' if bold else ""
    anchor = ' text-anchor="middle"' if centred else ""
    return (
        f'<text x="{left:g}" y="{bottom:g}" font-size="{size:g}" fill="{colour}"{weight}{anchor}>{escape(text)}</text>'
    )


if __name__ == "__main__":
    PICTURE.write_text(draw(), encoding="utf-8")
