"""What wheel and sdist hold, and that core needs nothing that only an extra installs."""

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
import yaml

import windtunnel
from windtunnel.cli.main import VERBS

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "windtunnel"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
CACHES = ("__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Build both packages and return the folder they are in."""
    pytest.importorskip("hatchling", reason="the build backend is not installed")
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", folder], cwd=ROOT, check=True, capture_output=True
    )
    return folder


@pytest.fixture(scope="module")
def wheel(built):
    with zipfile.ZipFile(next(built.glob("*.whl"))) as archive:
        yield archive


def test_the_wheel_holds_every_file_of_the_package(wheel):
    files = [path for path in SOURCE.rglob("*") if path.is_file() and not set(CACHES) & set(path.parts)]
    wanted = {f"windtunnel/{path.relative_to(SOURCE).as_posix()}" for path in files}
    assert {"windtunnel/py.typed", "windtunnel/recipes/golden/quickstart.yaml"} <= wanted
    assert any("/templates/" in name for name in wanted)
    assert any("/ui/static/" in name for name in wanted)
    assert wanted <= set(wheel.namelist())


def test_the_wheel_holds_nothing_else(wheel):
    others = [name for name in wheel.namelist() if not re.match(r"windtunnel(-[^/]*\.dist-info)?/", name)]
    assert others == []
    assert [name for name in wheel.namelist() if any(cache in name for cache in CACHES)] == []


def test_the_wheel_says_who_it_is(wheel):
    name = next(name for name in wheel.namelist() if name.endswith("/METADATA"))
    metadata = Parser().parsestr(wheel.read(name).decode())
    assert metadata["Version"] == windtunnel.__version__
    assert metadata["Requires-Python"] == ">=3.11"
    assert set(metadata.get_all("Provides-Extra")) == set(EXTRAS)
    entry_points = wheel.read(name.replace("METADATA", "entry_points.txt")).decode()
    assert "windtunnel = windtunnel.cli.main:main" in entry_points


def test_the_sdist_can_be_built_tested_and_read(built):
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    single = {"LICENSE", "README.md", "CHANGELOG.md", "pyproject.toml", "constraints.txt", "Makefile", "docs/index.md"}
    assert single <= names
    tests = {path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("test_*.py")}
    assert tests <= names


# Everything an extra or the developer's tools bring; none of it may be needed by core.
_WITHOUT_EXTRAS = """
import importlib.machinery, sys

BLOCKED = set("numba timm schedulefree optuna onnx onnxscript onnxruntime ray starlette uvicorn sse_starlette plotly \
tensorboard wandb mlflow trackio beartype hypothesis pytest torchmetrics torchvision sphinx".split())

class Without(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in BLOCKED else super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(importlib.machinery.PathFinder)] = Without
from windtunnel.cli.main import main

for words in [[verb, "--help"] for verb in sys.argv[1:]] + [["train", "quickstart", "--dry-run"]]:
    try:
        main(words)
    except SystemExit as ended:
        assert not ended.code, (words, ended.code)
"""


def test_core_works_where_no_extra_is_installed(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    verbs = [verb.name for verb in VERBS]
    command = [sys.executable, "-c", _WITHOUT_EXTRAS, *verbs]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "nothing was trained" in done.stdout


def _bounds():
    """Return the lower bound of every core dependency as pyproject.toml gives it."""
    found = (re.match(r"([\w.-]+)>=([\w.]+)", text) for text in PROJECT["dependencies"])
    return {match[1]: match[2] for match in found}


def _lowest():
    lines = (ROOT / "constraints-min.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("#")[0].strip().split("==") for line in lines if "==" in line)


def test_the_lowest_versions_are_those_of_pyproject():
    bounds, lowest = _bounds(), _lowest()
    assert set(bounds) == set(lowest)
    assert {name: version for name, version in lowest.items() if not f"{version}.".startswith(f"{bounds[name]}.")} == {}


def test_the_citation_names_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert str(citation["version"]) == windtunnel.__version__
    assert citation["license"] == PROJECT["license"]
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
