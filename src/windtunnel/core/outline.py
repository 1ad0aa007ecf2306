"""What a network looks like, for drawing: boxes within boxes, without the network itself."""

from dataclasses import dataclass
from typing import Literal

Shape = tuple[int, ...]
Role = Literal["conv", "linear", "pool", "norm", "attention", "other"]


@dataclass(frozen=True)
class Outline:
    """One box of a block diagram.

    Args:
        label: what it is, e.g. ``conv 3x3, 64 · norm · relu``.
        role: what it mainly does, for its colour.
        in_shape: shape in front of it without the batch axis.
        out_shape: shape behind it.
        children: boxes within, one after the other, or side by side where ``joined`` is ``concat`` or ``mean``.
        side: boxes on the path around ``children``; empty for a plain line.
        joined: how the paths meet: ``none`` is a chain, ``add`` and ``append`` put the input (through ``side``) to
            the end, ``concat`` and ``mean`` hold parallel children.
        after: what follows the joining point within the box, e.g. ``relu``; ``""`` for nothing.
        repeat: how many times the box stands there in a row.
    """

    label: str
    role: Role
    in_shape: Shape
    out_shape: Shape
    children: tuple["Outline", ...] = ()
    side: tuple["Outline", ...] = ()
    joined: Literal["none", "add", "append", "concat", "mean"] = "none"
    after: str = ""
    repeat: int = 1
