"""Hard limits on how long a function and a file may be."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
LONGEST_FUNCTION, LONGEST_FILE = 60, 500


def _texts():
    """Return every source file's text, by its path."""
    paths = sorted(path for folder in ("src", "tests", "benchmarks") for path in (ROOT / folder).rglob("*.py"))
    return {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in paths}


def _too_long(text):
    """Return the functions in ``text`` that are too long, with their lengths."""
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return {each.name: _length(each) for each in functions if _length(each) > LONGEST_FUNCTION}


def _length(function):
    return function.end_lineno - function.lineno + 1


def test_no_file_is_too_long():
    lengths = {path: len(text.splitlines()) for path, text in _texts().items()}
    assert len(lengths) > 500
    assert {path: length for path, length in lengths.items() if length > LONGEST_FILE} == {}


def test_no_function_is_too_long():
    found = {path: _too_long(text) for path, text in _texts().items()}
    assert {path: functions for path, functions in found.items() if functions} == {}


def test_what_is_too_long_would_be_found():
    assert _too_long("def long():\n" + "    pass\n" * 60 + "def long(): pass\n") == {"long": 61}
    assert _too_long("class A:\n    async def fits(self):\n" + "        pass\n" * 59) == {}
