"""S0's graphic: what a double-encode bottleneck costs over its two reductions, beside plain bottlenecks.

The closed forms are S0's (section 2.3), in multiply-adds over h w c^2; the tests hold the networks to them.
"""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

REDUCTIONS = (1, 2, 4, 8, 16)


class Cost(NamedTuple):
    """One point of the grid.

    Args:
        first: N.
        second: M.
        double_encode: multiply-adds of DEB(N, M) over h w c^2.
        bottleneck: those of Bottleneck(N M), which reduces to as many channels.
    """

    first: int
    second: int
    double_encode: Fraction
    bottleneck: Fraction


def bottleneck_cost(reduction: int) -> Fraction:
    """Return Bottleneck(N)'s multiply-adds over h w c^2: 2/N + 9/N^2.

    >>> bottleneck_cost(8)
    Fraction(25, 64)
    """
    return Fraction(2, reduction) + Fraction(9, reduction**2)


def double_encode_cost(first: int, second: int) -> Fraction:
    """Return DEB(N, M)'s multiply-adds over h w c^2: 2/N + 2/(M N^2) + 9/(M^2 N^2).

    >>> double_encode_cost(4, 2)
    Fraction(45, 64)
    """
    return Fraction(2, first) + Fraction(2, second * first**2) + Fraction(9, (first * second) ** 2)


def compute_grid(reductions: Sequence[int] = REDUCTIONS) -> list[Cost]:
    """Return the cost at every pair of reductions."""
    return [
        Cost(first, second, double_encode_cost(first, second), bottleneck_cost(first * second))
        for first in reductions
        for second in reductions
    ]


def save_deb_flops(path: Path) -> Path:
    """Draw the grid as dots whose area is the cost, to a ``.svg``, ``.png`` or ``.pdf`` file."""
    from windtunnel.core.files import replacing
    from windtunnel.report.theme import HouseFigure, colour, house_style

    grid = compute_grid()
    with house_style(), replacing(path) as temporary:
        figure = HouseFigure(figsize=(6.4, 5.6), layout="constrained")
        axes = figure.subplots()
        places = {reduction: index for index, reduction in enumerate(REDUCTIONS)}
        axes.scatter(
            [places[cost.first] for cost in grid],
            [places[cost.second] for cost in grid],
            s=[180 * float(cost.double_encode) for cost in grid],
            color=colour(0),
            alpha=0.35,
            linewidths=0,
        )
        for cost in grid:
            words = f"{float(cost.double_encode):.3g}\n({float(cost.bottleneck):.3g})"
            place = (places[cost.first], places[cost.second])
            axes.annotate(words, place, ha="center", va="center", fontsize=8)
        axes.set_xticks(range(len(REDUCTIONS)), [str(reduction) for reduction in REDUCTIONS])
        axes.set_yticks(range(len(REDUCTIONS)), [str(reduction) for reduction in REDUCTIONS])
        axes.set_xlim(-0.9, len(REDUCTIONS) - 0.4)
        axes.set_ylim(-0.7, len(REDUCTIONS) - 0.4)
        axes.set_xlabel("first reduction N")
        axes.set_ylabel("second reduction M")
        axes.set_title("Multiply-adds of DEB(N, M) over hwc²; in brackets Bottleneck(NM)")
        figure.savefig(temporary, format=path.suffix[1:], dpi=150)
    return path
