"""Things that no source file may do, wherever it lies."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "windtunnel"
FILES = sorted(PACKAGE.rglob("*.py"))

# Marks are put together here so that this file does not hold them itself.
MARKS = ("no" + "qa", "type: " + "ignore", "TO" + "DO", "FIX" + "ME", "XX" + "X")


def _relative(path):
    return path.relative_to(PACKAGE).as_posix()


def _calls(tree, *names):
    return [
        node.lineno for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) in set(names)
    ]


@pytest.mark.parametrize("path", FILES, ids=_relative)
def test_nothing_is_silenced_or_left_for_later(path):
    text = path.read_text(encoding="utf-8")
    assert [mark for mark in MARKS if mark in text] == []


@pytest.mark.parametrize("path", [path for path in FILES if _relative(path) != "core/rng.py"], ids=_relative)
def test_nobody_seeds_the_global_generators(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert _calls(tree, "torch.manual_seed", "np.random.seed", "numpy.random.seed", "random.seed") == []


@pytest.mark.parametrize("path", [path for path in FILES if not _relative(path).startswith("cli/")], ids=_relative)
def test_only_the_command_line_prints(path):
    assert _calls(ast.parse(path.read_text(encoding="utf-8")), "print") == []


@pytest.mark.parametrize("path", FILES, ids=_relative)
def test_modules_read_no_environment_when_imported(path):
    top = ast.Module([node for node in ast.parse(path.read_text(encoding="utf-8")).body if _runs_on_import(node)], [])
    assert "os.environ" not in ast.unparse(top)
    assert _calls(top, "os.getenv", "logging.basicConfig") == []


def _runs_on_import(node):
    return not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
