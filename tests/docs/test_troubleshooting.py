"""Every message that the troubleshooting page explains is one that the code can say."""

import ast
import re

import pytest

from docs.fences import ROOT

PAGE = ROOT / "docs" / "guides" / "troubleshooting.md"
HOLE = "…"


def _template(node):
    """Return a text constant, or an f-string with a hole for each value."""
    if isinstance(node, ast.Constant):
        return node.value
    parts = [part.value if isinstance(part, ast.Constant) else HOLE for part in node.values]
    return "".join(parts)


def _said_by(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str)):
            yield _template(node)


ENTRIES = re.findall(r"^### `(.+)`$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)


@pytest.fixture(scope="module")
def templates():
    """Every text in the source, with holes for what an f-string puts in."""
    return [said for path in sorted((ROOT / "src" / "windtunnel").rglob("*.py")) for said in _said_by(path)]


def _is_said(entry, templates):
    """Say whether the entry's fixed words stand in one message in this order, with something else at its holes."""
    words = [re.escape(part) for part in entry.split(HOLE)]
    pattern = re.compile(".*".join(words), flags=re.DOTALL)
    return any(pattern.search(said) for said in templates)


def test_the_page_has_entries():
    assert len(ENTRIES) > 35


@pytest.mark.parametrize("entry", ENTRIES)
def test_the_message_is_in_the_source(entry, templates):
    assert len(re.sub(r"[^a-z]", "", entry)) >= 6
    assert _is_said(entry, templates)


def test_a_message_that_nobody_says_is_noticed(templates):
    assert not _is_said("there is no such … message in the code at all", templates)
