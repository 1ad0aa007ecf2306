"""Things that no source file may do, wherever it lies. Each test looks at every file and says which ones do it."""

import ast
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "windtunnel"

# Marks are put together here so that this file does not hold them itself.
MARKS = ("no" + "qa", "type: " + "ignore", "TO" + "DO", "FIX" + "ME", "XX" + "X")


class Source(NamedTuple):
    text: str
    tree: ast.Module


@pytest.fixture(scope="module")
def sources():
    """Every file of the package, by its path in it."""
    texts = {path.relative_to(PACKAGE).as_posix(): path.read_text("utf-8") for path in sorted(PACKAGE.rglob("*.py"))}
    assert len(texts) > 300
    return {path: Source(text, ast.parse(text)) for path, text in texts.items()}


def _calls(tree, *names):
    """Return the lines in which ``tree`` calls one of ``names``."""
    wanted = {tuple(name.split(".")) for name in names}
    return [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Call) and _dotted(node.func) in wanted]


def _dotted(node):
    """Return a name such as ``torch.manual_seed`` in parts; None for what is no plain name."""
    if isinstance(node, ast.Name):
        return (node.id,)
    before = _dotted(node.value) if isinstance(node, ast.Attribute) else None
    return (*before, node.attr) if before is not None else None


def _found(found):
    """Keep the files in which something was found."""
    return {path: what for path, what in found.items() if what}


def test_nothing_is_silenced_or_left_for_later(sources):
    assert _found({path: [mark for mark in MARKS if mark in source.text] for path, source in sources.items()}) == {}


def test_nobody_seeds_the_global_generators(sources):
    names = ("torch.manual_seed", "np.random.seed", "numpy.random.seed", "random.seed")
    found = {path: _calls(source.tree, *names) for path, source in sources.items() if path != "core/rng.py"}
    assert _found(found) == {}


def test_only_the_command_line_prints(sources):
    found = {path: _calls(source.tree, "print") for path, source in sources.items() if not path.startswith("cli/")}
    assert _found(found) == {}


def test_modules_read_no_environment_when_imported(sources):
    tops = {path: _run_on_import(source.tree) for path, source in sources.items()}
    assert [path for path, top in tops.items() if "os.environ" in ast.unparse(top)] == []
    assert _found({path: _calls(top, "os.getenv", "logging.basicConfig") for path, top in tops.items()}) == {}


def _run_on_import(tree):
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    return ast.Module([node for node in tree.body if not isinstance(node, kinds)], [])


def test_what_is_looked_for_would_be_found():
    tree = ast.parse("import os\nos.getenv('A')\nprint(1)\ntorch.manual_seed(0)\nmade().print()\n")
    assert _calls(tree, "os.getenv") == [2]
    assert _calls(tree, "print", "torch.manual_seed") == [3, 4]
    assert _found({"a.py": [], "b.py": [7]}) == {"b.py": [7]}
    assert "os.environ" in ast.unparse(_run_on_import(ast.parse("import os\nHOME = os.environ['HOME']\n")))
