"""Who may import whom, and what is not imported before it is needed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from windtunnel.cli.main import VERBS

ROOT = Path(__file__).parents[2]

# What a module must not have pulled in once it is imported.
LIGHT = {
    "windtunnel": {"torch", "numpy", "pydantic", "typer"},
    "windtunnel.cli.main": {"torch", "numpy", "pydantic", "rich.console"},
    "windtunnel.config.experiment": {"torch", "numpy"},
    "windtunnel.config.files": {"torch", "numpy"},
    "windtunnel.recipes": {"torch", "numpy"},
    "windtunnel.report.curves": {"torch"},
    "windtunnel.report.html": {"torch"},
    "windtunnel.track.base": {"torch", "numpy"},
    **{f"windtunnel.cli.{verb.name}": {"torch"} for verb in VERBS},
}


def test_layers_hold():
    pytest.importorskip("importlinter", reason="import-linter is in the dev extra")
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]
    linted = subprocess.run([*command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert linted.returncode == 0, linted.stdout


# Imports each module in a fork of its own. What pulled in nothing forbidden to anybody is then imported here as well,
# so that the next fork need not begin from nothing: it cannot have been what pulls in more.
IMPORTS = """
import importlib, json, os, sys

light = json.loads(sys.argv[1])
always = set.intersection(*map(set, light.values()))
found = {}
for module, forbidden in sorted(light.items(), key=lambda item: -len(item[1])):
    reader, writer = os.pipe()
    if os.fork() == 0:
        importlib.import_module(module)
        os.write(writer, json.dumps(sorted(set(forbidden) & set(sys.modules))).encode())
        os._exit(0)
    os.close(writer)
    with open(reader) as said:
        found[module] = json.loads(said.read() or '["it cannot be imported"]')
    os.wait()
    if set(forbidden) == always and not found[module]:
        importlib.import_module(module)
print(json.dumps(found))
"""


def test_importing_pulls_in_nothing_heavy():
    light = json.dumps({module: sorted(forbidden) for module, forbidden in LIGHT.items()})
    done = subprocess.run([sys.executable, "-c", IMPORTS, light], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found) == set(LIGHT)
    assert {module: heavy for module, heavy in found.items() if heavy} == {}


def test_what_is_heavy_would_be_found():
    light = json.dumps({"json": ["decimal"], "fractions": ["decimal"], "no_such_module": ["decimal"]})
    done = subprocess.run([sys.executable, "-S", "-c", IMPORTS, light], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {
        "json": [],
        "fractions": ["decimal"],
        "no_such_module": ["it cannot be imported"],
    }
