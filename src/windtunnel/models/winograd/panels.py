"""Matrices in panels: columns in groups, each group's rows one after the other, so that all is read in order.

Groups are ``WIDEST`` wide, the last ones narrower, 8 at least. A matrix takes ``rows * columns`` floats; the group of
column ``c`` on begins ``c * rows`` floats in, and its rows are as long as the group is wide.
"""

from collections.abc import Callable

from windtunnel.models.winograd.compiled import WIDEST, compiled
from windtunnel.models.winograd.vectors import build_product

_LONGEST = 96  # rows of a group that stay in the first cache


@compiled
def width_of(columns: int) -> int:
    """Return how wide the next group is with ``columns`` left."""
    if columns >= WIDEST:
        return WIDEST
    if columns >= 32 and WIDEST > 32:
        return 32
    return 16 if columns >= 16 else 8


def _build_rows(columns: int) -> Callable[..., None]:
    """Return what multiplies into a group of so many columns, six rows at a time."""
    six, four, two = (build_product(rows, columns) for rows in (6, 4, 2))

    def multiply_rows(
        a: int, a_row: int, a_depth: int, b: int, b_row: int, c: int, rows: int, depth: int, add: int
    ) -> None:
        row = 0
        while row < rows:
            if rows - row >= 6:
                six(a, a_row, a_depth, b, b_row, c, columns, depth, add)
                step = 6
            elif rows - row >= 4:
                four(a, a_row, a_depth, b, b_row, c, columns, depth, add)
                step = 4
            else:
                two(a, a_row, a_depth, b, b_row, c, columns, depth, add)
                step = 2
            a, c, row = a + 4 * step * a_row, c + 4 * step * columns, row + step

    return compiled(multiply_rows)


_multiply_64, _multiply_32, _multiply_16, _multiply_8 = (_build_rows(columns) for columns in (64, 32, 16, 8))


@compiled
def _multiply_group(
    a: int, a_row: int, a_depth: int, b: int, b_row: int, c: int, width: int, rows: int, depth: int, add: int
) -> None:
    """Write ``rows`` (even) of a group of ``c``."""
    if width == 64:
        _multiply_64(a, a_row, a_depth, b, b_row, c, rows, depth, add)
    elif width == 32:
        _multiply_32(a, a_row, a_depth, b, b_row, c, rows, depth, add)
    elif width == 16:
        _multiply_16(a, a_row, a_depth, b, b_row, c, rows, depth, add)
    else:
        _multiply_8(a, a_row, a_depth, b, b_row, c, rows, depth, add)


@compiled
def multiply(a: int, b: int, c: int, room: int, rows: int, depth: int, columns: int) -> None:
    """Write ``c = a @ b``, all in panels.

    Args:
        a: address of (rows, depth).
        b: address of (depth, columns).
        c: address of (rows, columns).
        room: rows that ``a`` and ``c`` have room for.
        rows: rows in use, even.
        depth: columns of ``a``.
        columns: columns of ``c``.
    """
    column = 0
    while column < columns:
        width = width_of(columns - column)
        at = 0
        while at < depth:
            deep = width_of(depth - at)
            _multiply_group(
                a + 4 * at * room, deep, 1, b + 4 * (column * depth + at * width), width,
                c + 4 * column * room, width, rows, deep, at,
            )  # fmt: skip
            at += deep
        column += width


@compiled
def add_multiplied_transposed(a: int, b: int, c: int, room: int, depth: int, rows: int, columns: int) -> None:
    """Write ``c = c + a.T @ b``, all in panels.

    Args:
        a: address of (depth, rows).
        b: address of (depth, columns).
        c: address of (rows, columns).
        room: rows that ``a`` and ``b`` have room for.
        depth: rows of ``a`` and ``b`` in use.
        rows: columns of ``a``.
        columns: columns of ``c``.
    """
    column = 0
    while column < columns:
        width = width_of(columns - column)
        at = 0
        while at < depth:
            deep = min(_LONGEST, depth - at)
            row = 0
            while row < rows:
                tall = width_of(rows - row)
                _multiply_group(
                    a + 4 * (row * room + at * tall), 1, tall, b + 4 * (column * room + at * width), width,
                    c + 4 * (column * rows + row * width), width, tall, deep, 1,
                )  # fmt: skip
                row += tall
            at += deep
        column += width
