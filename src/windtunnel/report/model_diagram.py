"""A network's block diagram as SVG, drawn from its outline: shapes on the edges, paths around blocks, columns."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

from windtunnel.core.outline import Outline, Shape

_CHARACTER, _FONT = 6.1, 11  # width of a character and its size, px
_BOX_HEIGHT, _GAP, _PADDING = 24, 26, 12
_TITLE = 20  # room for a frame's title, px
_SIDE_ROOM = 26  # room for a path around a block, px
_JOIN_RADIUS, _JOIN_ROOM = 8, 34
_BOLD = 1.15  # bold letters over plain ones, in width
_CARD = 4  # offset of each card of a stack, px
_COLUMN_HEIGHT, _COLUMN_GAP, _MARGIN = 760, 64, 24
_LEAST_COLUMN = 160  # less than this rather makes the column before longer, px
_FILL = {
    "conv": "#d6e6f5",
    "linear": "#d9efdc",
    "pool": "#fbe5c8",
    "norm": "#ececec",
    "attention": "#eadcf4",
    "other": "#f4f4f4",
}
_JOIN_SIGN = {"add": "+", "append": "c", "concat": "c", "mean": "μ"}


@dataclass
class _Canvas:
    parts: list[str] = field(default_factory=list)

    def box(self, x: float, y: float, width: float, height: float, fill: str, stroke: str) -> None:
        self.parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="4" '
            f'fill="{fill}" stroke="{stroke}"/>'
        )

    def text(self, x: float, y: float, words: str, *, anchor: str = "middle", kind: str = "label") -> None:
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}">{escape(words)}</text>')

    def line(self, points: Sequence[tuple[float, float]], *, arrow: bool = True) -> None:
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        head = ' marker-end="url(#arrow)"' if arrow else ""
        self.parts.append(f'<polyline points="{path}" class="edge"{head}/>')

    def join(self, x: float, y: float, sign: str) -> None:
        self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{_JOIN_RADIUS}" class="join"/>')
        self.text(x, y + 4, sign)


def draw_diagram(outline: Outline, *, title: str) -> str:
    """Return the SVG of ``outline``.

    Args:
        outline: the network.
        title: line above the picture.
    """
    columns = _split(outline.children or (outline,))
    widths = [max(_size(box)[0] for box in column) for column in columns]
    height = max(_stack_height(column) for column in columns)
    canvas = _Canvas()
    left, top = float(_MARGIN), float(_MARGIN + _TITLE)
    shape: Shape = outline.in_shape
    leaving: tuple[float, float] | None = None
    for column, width in zip(columns, widths, strict=True):
        middle = left + width / 2
        if leaving is not None:
            _turn(canvas, leaving, (middle, top), left - _COLUMN_GAP / 2)
        bottom = _draw_stack(canvas, column, middle, top, shape)
        shape = column[-1].out_shape
        leaving = (middle, bottom)
        left += width + _COLUMN_GAP
    if leaving is not None:
        canvas.text(leaving[0] + 6, leaving[1] + 14, _shape_text(shape), anchor="start", kind="shape")
    total = (left - _COLUMN_GAP + _MARGIN, top + height + _MARGIN)
    canvas.text(_MARGIN, _MARGIN, title, anchor="start", kind="title")
    return _wrap(canvas, max(total[0], _MARGIN * 2 + len(title) * _CHARACTER * 1.3), total[1])


def _split(boxes: Sequence[Outline]) -> list[tuple[Outline, ...]]:
    columns: list[list[Outline]] = [[]]
    for index, box in enumerate(boxes):
        is_full = columns[-1] and _stack_height([*columns[-1], box]) > _COLUMN_HEIGHT
        if is_full and _stack_height(boxes[index:]) > _LEAST_COLUMN:
            columns.append([])
        columns[-1].append(box)
    return [tuple(column) for column in columns]


def _size(box: Outline) -> tuple[float, float]:
    """Return width and height of a box, without the edge that leads into it."""
    if not box.children:
        return _text_width(_label(box)) + 2 * _PADDING, _BOX_HEIGHT
    if _is_parallel(box):
        sizes = [_size(child) for child in box.children]
        width = sum(size[0] for size in sizes) + _PADDING * (len(sizes) - 1)
        height = max(size[1] for size in sizes) + 2 * _GAP
    else:
        width = max(_size(child)[0] for child in box.children)
        height = _stack_height(box.children)
    if box.side:
        width += max(_size(child)[0] for child in box.side) + _PADDING
        height = max(height, _stack_height(box.side))
    room = _SIDE_ROOM if box.joined in ("add", "append") and not box.side else 0
    join = _JOIN_ROOM if box.joined != "none" else 0
    # the title stands left of the edge that comes in at the middle
    width = max(width + 2 * room, 2 * _text_width(_label(box)) * _BOLD)
    return width + 2 * _PADDING, height + join + _TITLE + 2 * _PADDING


def _stack_height(boxes: Sequence[Outline]) -> float:
    return sum(_size(box)[1] + _GAP for box in boxes)


def _draw_stack(canvas: _Canvas, boxes: Sequence[Outline], middle: float, top: float, shape: Shape) -> float:
    """Draw boxes under each other with their edges; return where the last one ends."""
    for box in boxes:
        canvas.line([(middle, top), (middle, top + _GAP)])
        canvas.text(middle + 6, top + _GAP / 2 + 2, _shape_text(shape), anchor="start", kind="shape")
        top += _GAP
        _draw_box(canvas, box, middle, top)
        top += _size(box)[1]
        shape = box.out_shape
    return top


def _draw_box(canvas: _Canvas, box: Outline, middle: float, top: float) -> None:
    width, height = _size(box)
    left = middle - width / 2
    if not box.children:
        canvas.box(left, top, width, height, _FILL[box.role], "#7a8691")
        canvas.text(middle, top + 16, _label(box))
        return
    canvas.box(left, top, width, height, "#ffffff", "#b6bec5")
    canvas.text(left + _PADDING, top + 15, _label(box), anchor="start", kind="frame")
    inner = top + _TITLE
    canvas.line([(middle, top), (middle, inner)], arrow=False)
    bottom = top + height - _PADDING
    if _is_parallel(box):
        _draw_branches(canvas, box, middle, inner, bottom)
    else:
        _draw_paths(canvas, box, left, middle, inner, bottom)


def _draw_branches(canvas: _Canvas, box: Outline, middle: float, inner: float, bottom: float) -> None:
    sizes = [_size(child) for child in box.children]
    left = middle - (sum(width for width, _ in sizes) + _PADDING * (len(sizes) - 1)) / 2
    join = bottom - _JOIN_ROOM / 2
    rail = join - _GAP
    for child, (width, height) in zip(box.children, sizes, strict=True):
        centre = left + width / 2
        canvas.line([(middle, inner), (centre, inner), (centre, inner + _GAP)])
        for copy in reversed(range(1, min(child.repeat, 3))):  # equal branches: cards in a stack
            offset = _CARD * copy
            canvas.box(centre - width / 2 + offset, inner + _GAP + offset, width, height, "#ffffff", "#b6bec5")
        _draw_box(canvas, child, centre, inner + _GAP)
        canvas.line([(centre, inner + _GAP + height), (centre, rail), (middle, rail)], arrow=False)
        left += width + _PADDING
    canvas.line([(middle, rail), (middle, join - _JOIN_RADIUS)])
    canvas.join(middle, join, _JOIN_SIGN[box.joined])
    canvas.line([(middle, join + _JOIN_RADIUS), (middle, bottom + _PADDING)], arrow=False)


def _draw_paths(canvas: _Canvas, box: Outline, left: float, middle: float, inner: float, bottom: float) -> None:
    width = _size(box)[0]
    body_width = max(_size(child)[0] for child in box.children)
    centre = left + _PADDING + body_width / 2 if box.side else middle
    if box.side:
        canvas.line([(middle, inner), (centre, inner)], arrow=False)
    end = _draw_stack(canvas, box.children, centre, inner, box.in_shape)
    if box.joined == "none":
        canvas.line([(centre, end), (middle, bottom + _PADDING)], arrow=False)
        return
    join = bottom - _JOIN_ROOM / 2
    canvas.line([(centre, end), (centre, join - _JOIN_RADIUS)])
    canvas.join(centre, join, _JOIN_SIGN[box.joined])
    if box.after:
        canvas.text(centre - _JOIN_RADIUS - 4, join + 4, box.after, anchor="end", kind="shape")
    if box.side:
        side_width = max(_size(child)[0] for child in box.side)
        side = left + width - _PADDING - side_width / 2
        canvas.line([(middle, inner), (side, inner)], arrow=False)
        side_end = _draw_stack(canvas, box.side, side, inner, box.in_shape)
        canvas.line([(side, side_end), (side, join), (centre + _JOIN_RADIUS, join)])
    else:
        edge = left + width - _PADDING
        canvas.line([(centre, inner), (edge, inner), (edge, join), (centre + _JOIN_RADIUS, join)])
    canvas.line([(centre, join + _JOIN_RADIUS), (centre, bottom), (middle, bottom)], arrow=False)
    canvas.line([(middle, bottom), (middle, bottom + _PADDING)], arrow=False)


def _turn(canvas: _Canvas, start: tuple[float, float], end: tuple[float, float], gutter: float) -> None:
    low, high = start[1] + 16, end[1] - 10
    canvas.line([start, (start[0], low), (gutter, low), (gutter, high), (end[0], high), end], arrow=False)


def _is_parallel(box: Outline) -> bool:
    return box.joined in ("concat", "mean")


def _label(box: Outline) -> str:
    if not box.label:
        return f"each of {box.repeat} branches" if box.repeat > 1 else ""
    return f"{box.label} ×{box.repeat}" if box.repeat > 1 else box.label


def _text_width(words: str) -> float:
    return len(words) * _CHARACTER


def _shape_text(shape: Shape) -> str:
    return "×".join(map(str, shape))


def _wrap(canvas: _Canvas, width: float, height: float) -> str:
    body = "\n".join(canvas.parts)
    return f"""<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" \
viewBox="0 0 {width:.0f} {height:.0f}">
<style>
text {{ font-family: Helvetica, Arial, sans-serif; font-size: {_FONT}px; fill: #1f2933; }}
.title {{ font-size: 14px; font-weight: bold; }}
.frame {{ font-weight: bold; fill: #52606d; }}
.shape {{ font-size: 9.5px; fill: #7b8794; }}
.edge {{ fill: none; stroke: #52606d; }}
.join {{ fill: #ffffff; stroke: #52606d; }}
</style>
<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" \
orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="#52606d"/></marker></defs>
<rect width="100%" height="100%" fill="#ffffff"/>
{body}
</svg>
"""
