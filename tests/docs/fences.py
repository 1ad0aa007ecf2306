"""The code blocks of Markdown pages, with the remarks written above them.

A remark is an HTML comment on a line of its own, `<!-- key -->` or `<!-- key: value -->`, right above the block;
readers do not see it.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
_REMARK = re.compile(r"<!-- *([a-z ]+?) *(?:: *(.*?))? *-->")
_FENCE = re.compile(r"^( *)(`{3,})(.*)$")


@dataclass(frozen=True)
class Fence:
    """One block: where it is, what language its fence names, its text, and its remarks."""

    path: Path
    line: int
    language: str
    text: str
    remarks: dict[str, str] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """File and line, for messages."""
        return f"{self.path.relative_to(ROOT)}:{self.line}"


def pages() -> list[Path]:
    """Return every committed page: README, the other pages of the root, everything in docs."""
    generated = ROOT / "docs" / "reference"
    found = [path for path in sorted((ROOT / "docs").rglob("*.md")) if generated not in path.parents]
    return [*sorted(ROOT.glob("*.md")), *found]


def read_fences(path: Path) -> list[Fence]:
    """Return the blocks of ``path`` in order."""
    lines = path.read_text(encoding="utf-8").splitlines()
    found, place = [], 0
    while place < len(lines):
        opening = _FENCE.match(lines[place])
        if opening is None:
            place += 1
            continue
        indent, ticks, language = opening.groups()
        end = next(at for at in range(place + 1, len(lines)) if lines[at].strip() == ticks)
        inner = [line.removeprefix(indent) for line in lines[place + 1 : end]]
        text = "".join(f"{line}\n" for line in inner)
        found.append(Fence(path, place + 1, language.strip(), text, _remarks_above(lines, place)))
        place = end + 1
    return found


def prose(path: Path) -> str:
    """Return the text of ``path`` without its blocks."""
    return re.sub(r"^( *)(`{3,}).*?^\1\2$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def _remarks_above(lines: list[str], place: int) -> dict[str, str]:
    remarks = {}
    for line in reversed(lines[:place]):
        remark = _REMARK.fullmatch(line.strip())
        if remark is None:
            break
        remarks[remark[1]] = remark[2] or ""
    return remarks
