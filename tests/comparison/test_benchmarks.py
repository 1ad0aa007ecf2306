import json
from pathlib import Path

import pytest

from windtunnel.comparison.benchmarks import find_benchmarks, list_benchmarks, run_benchmarks
from windtunnel.errors import UsageError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkout with a benchmark that works and one that fails."""
    (tmp_path / "src" / "windtunnel").mkdir(parents=True)
    place = tmp_path / "benchmarks"
    place.mkdir()
    for name, text in {
        "run_all": "",
        "_shared": "",
        "step": "print('ours 1 s')\nprint('theirs 2 s')",
        "broken": "import sys\nsys.exit('no data')",
    }.items():
        (place / f"{name}.py").write_text(text)
    return place


def test_the_folder_is_found_from_within_the_checkout_only(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert find_benchmarks([folder.parent / "src" / "windtunnel"]) == folder
    with pytest.raises(UsageError, match="clone its repository"):
        find_benchmarks([tmp_path_factory.mktemp("elsewhere")])


def test_what_benchmarks_print_and_whether_they_fail_is_kept(folder: Path, tmp_path: Path) -> None:
    told: list[str] = []
    outcomes = run_benchmarks(folder, (), tmp_path / "bench.json", told.append)
    assert [(one.name, one.exit_code) for one in outcomes] == [("broken", 1), ("step", 0)]
    assert "theirs 2 s" in told
    held = json.loads((tmp_path / "bench.json").read_text())["benchmarks"]
    assert held[0]["output"] == ["no data"]
    assert held[1]["output"] == ["ours 1 s", "theirs 2 s"]


def test_an_unknown_benchmark_gets_a_near_name_and_nothing_runs(folder: Path, tmp_path: Path) -> None:
    assert list_benchmarks(folder) == ["broken", "step"]
    with pytest.raises(UsageError, match="did you mean 'step'"):
        run_benchmarks(folder, ["stepp"], tmp_path / "bench.json", print)
    assert not (tmp_path / "bench.json").exists()
