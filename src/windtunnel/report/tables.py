"""Tables of a report as CSV, Markdown and LaTeX."""

import csv
import io
from collections.abc import Sequence
from typing import Literal

from windtunnel.core.cells import plain_cell
from windtunnel.report.document import Cell, Column, Document, Table

_MARKDOWN = str.maketrans(
    {**{letter: f"\\{letter}" for letter in "\\|*`[]"}, "<": "&lt;", ">": "&gt;", "&": "&amp;", "\n": " ", "\r": " "}
)
_LATEX = str.maketrans(
    {
        **{letter: f"\\{letter}" for letter in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "±": r"$\pm$",
        "[": "{[}",  # at the beginning of a row it would be an argument of the row before
        "\n": " ",
        "\r": " ",
    }
)


def format_csv(table: Table) -> str:
    """Return the values themselves, unrounded; an interval makes two columns, what is not known is empty.

    Text that a spreadsheet would run gets an apostrophe in front.

    >>> table = Table("best", (Column("run"), Column("interval")), (("a", (0.5, 0.75)), ("b", None)))
    >>> print(format_csv(table), end="")
    run,interval low,interval high
    a,0.5,0.75
    b,,
    """
    paired = [any(isinstance(row[place], tuple) for row in table.rows) for place in range(len(table.columns))]
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(
        [
            plain_cell(name)
            for column, pair in zip(table.columns, paired, strict=True)
            for name in _headings(column, pair=pair)
        ]
    )
    writer.writerows(
        [plain_cell(value) for cell, pair in zip(row, paired, strict=True) for value in _values(cell, pair=pair)]
        for row in table.rows
    )
    return buffer.getvalue()


def format_markdown(table: Table) -> str:
    r"""Return a table as GitHub and Pandoc read it; names that hold Markdown or HTML stay names.

    >>> print(format_markdown(Table("best", (Column("run", align="left"), Column("n")), (("a|b", 3),))))
    | run | n |
    | :-- | --: |
    | a\|b | 3 |
    """
    rules = [":--" if column.align == "left" else "--:" for column in table.columns]
    rows = [_headers(table), *table.texts()]
    lines = [" | ".join(text.translate(_MARKDOWN) for text in row) for row in rows]
    return "\n".join(f"| {line} |" for line in (lines[0], " | ".join(rules), *lines[1:]))


def format_latex(table: Table) -> str:
    r"""Return a table for LaTeX with the package booktabs.

    >>> print(format_latex(Table("best", (Column("run", align="left"), Column("n")), (("a_b", 3),))))
    \begin{tabular}{lr}
    \toprule
    run & n \\
    \midrule
    a\_b & 3 \\
    \bottomrule
    \end{tabular}
    """
    columns = "".join("l" if column.align == "left" else "r" for column in table.columns)
    head, *body = [
        " & ".join(text.translate(_LATEX) for text in row) + r" \\" for row in [_headers(table), *table.texts()]
    ]
    return "\n".join(
        [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", head, r"\midrule", *body, r"\bottomrule", r"\end{tabular}"]
    )


def format_for_paper(document: Document, language: Literal["markdown", "latex"]) -> str:
    """Return the tables that sum the document up, one after another, in one of the two languages."""
    chosen = [table for table in document.tables() if table.for_paper]
    form = format_latex if language == "latex" else format_markdown
    return "\n\n".join(form(table) for table in chosen)


def _headers(table: Table) -> list[str]:
    return [column.label for column in table.columns]


def _headings(column: Column, *, pair: bool) -> Sequence[str]:
    name = column.field or column.label
    return (f"{name} low", f"{name} high") if pair else (name,)


def _values(cell: Cell, *, pair: bool) -> Sequence[Cell]:
    if not pair:
        return (cell,)
    return (None, None) if cell is None else tuple(cell)
