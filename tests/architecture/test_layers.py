"""Who may import whom, and what is not imported before it is needed."""

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


@pytest.mark.parametrize("module", LIGHT)
def test_importing_pulls_in_nothing_heavy(module):
    program = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert LIGHT[module].isdisjoint(done.stdout.split())
