"""Tables on the terminal, and the same rows as JSON."""

import json
from collections.abc import Mapping, Sequence
from typing import Any


def print_table(rows: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    """Print rows that share their keys, as a table with those keys as headings or as a JSON list."""
    print(json.dumps(list(rows), indent=2) if as_json else format_table(rows))


def format_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows as aligned columns; whole numbers and reals to the right.

    >>> print(format_table([{"model": "mlp", "parameters": 7}, {"model": "lenet", "parameters": 61706}]))
    model  parameters
    mlp             7
    lenet       61706
    """
    if not rows:
        return "(none)"
    keys = list(rows[0])
    cells = [keys, *([_text(row[key]) for key in keys] for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(keys))]
    right = [all(isinstance(row[key], int | float) for row in rows) for key in keys]
    return "\n".join(
        "  ".join(
            text.rjust(width) if flush else text.ljust(width)
            for text, width, flush in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in cells
    )


def _text(value: Any) -> str:
    return "" if value is None else str(value)
