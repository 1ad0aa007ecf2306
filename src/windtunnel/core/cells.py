"""Cells of CSV files that people open in a spreadsheet."""

from typing import TypeVar

Cell = TypeVar("Cell")
_BEGINS_A_FORMULA = ("=", "+", "-", "@", "\t")


def plain_cell(value: Cell) -> Cell | str:
    """Return ``value``, with an apostrophe in front of text that a spreadsheet would take for a formula and run.

    A number is none, however it is written. A carriage return becomes a space: readers take it for the end of a row,
    and the csv module does not quote it.

    >>> plain_cell("=cmd()"), plain_cell("cat"), plain_cell("-0.5"), plain_cell(-0.5)
    ("'=cmd()", 'cat', '-0.5', -0.5)
    """
    if not isinstance(value, str):
        return value
    text = value.replace("\r", " ")
    return f"'{text}" if text.startswith(_BEGINS_A_FORMULA) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
