import importlib.util
from pathlib import Path

import pytest

_MAKER = Path(__file__).parents[2] / "benchmarks" / "_made_runs.py"


@pytest.fixture(scope="session")
def made_runs():
    """The module that makes runs, sweeps and comparisons without training."""
    spec = importlib.util.spec_from_file_location("made_runs", _MAKER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def made(made_runs, tmp_path_factory):
    """Folders of a run, a sweep, a comparison and an ablation; tests only read them."""
    return made_runs.made_in(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="session")
def documents(made):
    """The report of each, by kind."""
    from windtunnel.publish.find import find_subject
    from windtunnel.publish.write import build_document

    return {kind: build_document(find_subject(str(folder))) for kind, folder in made.items()}
