"""A report as plain values, before it is a page, a folder of pictures, or tables for a paper."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from matplotlib.figure import Figure

Cell = Any


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Args:
        label: its heading.
        show: turns a value that is not None into text for people; CSV files hold the value itself.
        align: numbers stand to the right.
        field: its heading in CSV files, where the label alone would not tell it from others; empty for the label.
    """

    label: str
    show: Callable[[Any], str] = str
    align: Literal["left", "right"] = "right"
    field: str = ""


@dataclass(frozen=True)
class Table:
    """A table.

    Args:
        name: of its CSV file, without the suffix.
        columns: headings and how values are shown.
        rows: a value for each column; None where there is none, a pair for an interval.
        caption: what it holds.
        for_paper: whether ``--markdown`` and ``--latex`` print it.
    """

    name: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str = ""
    for_paper: bool = False
    kind: Literal["table"] = "table"

    def has_numbers(self) -> bool:
        """Say whether any column holds numbers."""
        return any(column.align == "right" for column in self.columns)

    def texts(self) -> list[list[str]]:
        """Return every cell as people read it; what is not known is empty."""
        return [
            ["" if value is None else column.show(value) for column, value in zip(self.columns, row, strict=True)]
            for row in self.rows
        ]


@dataclass(frozen=True)
class Picture:
    """A drawn figure.

    Args:
        name: of its PNG file, without the suffix.
        figure: the figure.
        label: what it shows, for those who cannot see it.
        caption: a line under it.
        follows_theme: whether its ink turns light on a dark page; pictures whose colours mean numbers stay as they are.
    """

    name: str
    figure: Figure
    label: str
    caption: str = ""
    follows_theme: bool = True
    kind: Literal["picture"] = "picture"


@dataclass(frozen=True)
class Photo:
    """A PNG file that is there already, e.g. a gallery of images."""

    path: Path
    label: str
    kind: Literal["photo"] = "photo"


@dataclass(frozen=True)
class Row:
    """Pictures that stand side by side where there is room."""

    pictures: tuple[Picture, ...]
    kind: Literal["row"] = "row"


@dataclass(frozen=True)
class Listing:
    """Text in a fixed pitch: a command or a file."""

    text: str
    kind: Literal["listing"] = "listing"


@dataclass(frozen=True)
class Paragraph:
    """A sentence or two."""

    text: str
    is_verdict: bool = False
    kind: Literal["paragraph"] = "paragraph"


Block = Table | Picture | Photo | Row | Listing | Paragraph


@dataclass(frozen=True)
class Section:
    """Blocks under a heading."""

    title: str
    blocks: tuple[Block, ...]

    @property
    def anchor(self) -> str:
        """Where links to it go."""
        return "-".join("".join(letter if letter.isalnum() else " " for letter in self.title.lower()).split())


@dataclass(frozen=True)
class Fact:
    """One number of the head of the page, as text, with a remark under it."""

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Document:
    """A whole report.

    Args:
        title: name of what was run.
        subtitle: what kind of thing it is and where it comes from.
        status: how it stands, in a word.
        reason: why, or empty.
        facts: the numbers a reader wants first.
        sections: the rest; those without blocks are left out of the page.
    """

    title: str
    subtitle: str
    status: str
    reason: str
    facts: tuple[Fact, ...]
    sections: tuple[Section, ...]

    def filled_sections(self) -> list[Section]:
        """Return the sections that hold something."""
        return [section for section in self.sections if section.blocks]

    def tables(self) -> list[Table]:
        """Return every table, in order."""
        return [block for block in self._blocks() if isinstance(block, Table)]

    def pictures(self) -> list[Picture]:
        """Return every picture, in order, rows spelled out."""
        found: list[Picture] = []
        for block in self._blocks():
            if isinstance(block, Row):
                found += block.pictures
            elif isinstance(block, Picture):
                found.append(block)
        return found

    def _blocks(self) -> Sequence[Block]:
        return [block for section in self.sections for block in section.blocks]
