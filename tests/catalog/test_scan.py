import os

import pytest

from windtunnel.catalog import scan
from windtunnel.catalog.reading import Meter
from windtunnel.catalog.scan import Tree


def place(folder, *files):
    folder.mkdir(parents=True, exist_ok=True)
    for name in files:
        (folder / name).touch()


RUN = ("config.yaml", "events.jsonl")


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path, Meter())


def kinds(tree):
    tree.refresh()
    return {place.id: place.kind for place in tree.places() if place.kind != "folder"}


def test_runs_sweeps_and_comparisons_are_told_apart(tree, tmp_path):
    place(tmp_path / "p/run", *RUN)
    place(tmp_path / "p/sweep", "sweep.yaml", "points.jsonl")
    place(tmp_path / "p/sweep/runs/0000", *RUN)
    place(tmp_path / "p/sweep/dispatch/pool/workers/w/runs/0000", *RUN)
    place(tmp_path / "comparisons/c/runs/0000-A", *RUN)
    place(tmp_path / "comparisons/c/orders")
    place(tmp_path / "comparisons/a", "ablation.json")
    place(tmp_path / "p/no-run", "config.yaml")
    assert kinds(tree) == {
        "p/run": "run",
        "p/sweep": "sweep",
        "p/sweep/runs/0000": "run",
        "comparisons/c": "comparison",
        "comparisons/c/runs/0000-A": "run",
        "comparisons/a": "comparison",
    }
    owners = {place.id: place.owner for place in tree.places() if place.kind == "run"}
    assert owners == {
        "p/run": "",
        "p/sweep/runs/0000": "p/sweep",
        "comparisons/c/runs/0000-A": "comparisons/c",
    }


def test_what_is_hidden_linked_or_too_deep_is_left_alone(tree, tmp_path):
    place(tmp_path / ".trash/run", *RUN)
    place(tmp_path / "checkpoints/run", *RUN)
    place(tmp_path / "1/2/3/4/5/6/run", *RUN)
    place(tmp_path.parent / "outside/run", *RUN)
    (tmp_path / "link").symlink_to(tmp_path.parent / "outside")
    assert kinds(tree) == {}
    assert tree.is_cut


def test_there_is_an_end_to_what_is_looked_at(tmp_path, monkeypatch):
    monkeypatch.setattr(scan, "MOST_FOLDERS", 10)
    for number in range(30):
        place(tmp_path / f"run-{number}", *RUN)
    tree = Tree(tmp_path, Meter())
    assert len(kinds(tree)) == 9
    assert tree.is_cut


def test_new_and_deleted_folders_are_seen_and_the_rest_is_not_listed_again(tree, tmp_path):
    place(tmp_path / "p/one", *RUN)
    place(tmp_path / "q/two", *RUN)
    kinds(tree)
    for folder in (tmp_path, tmp_path / "p", tmp_path / "q", tmp_path / "p/one", tmp_path / "q/two"):
        os.utime(folder, (1, 1))
    kinds(tree)
    before = tree._meter.listings
    assert kinds(tree).keys() == {"p/one", "q/two"}
    assert tree._meter.listings == before
    place(tmp_path / "q/three", *RUN)
    (tmp_path / "q/two/config.yaml").unlink()
    (tmp_path / "q/two/events.jsonl").unlink()
    (tmp_path / "q/two").rmdir()
    assert kinds(tree).keys() == {"p/one", "q/three"}


def test_a_folder_that_becomes_a_run_is_one(tree, tmp_path):
    place(tmp_path / "p/run", "env.json")
    assert kinds(tree) == {}
    place(tmp_path / "p/run", "config.yaml")
    assert kinds(tree) == {"p/run": "run"}


def test_the_runs_folder_may_be_a_sweep_itself(tree, tmp_path):
    place(tmp_path, "sweep.yaml")
    place(tmp_path / "runs/0000", *RUN)
    assert kinds(tree) == {".": "sweep", "runs/0000": "run"}
    assert [place.owner for place in tree.places() if place.kind == "run"] == ["."]


def test_a_folder_that_cannot_be_read_is_told(tree, tmp_path, monkeypatch):
    place(tmp_path / "p/run", *RUN)
    place(tmp_path / "q/run", *RUN)
    listed = os.scandir

    def refuse(path):
        if path == tmp_path / "p":
            raise PermissionError(13, "Permission denied")
        return listed(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert kinds(tree) == {"q/run": "run"}
    assert [place.unreadable for place in tree.places() if place.unreadable] == [f"{tmp_path}/p: Permission denied"]


def test_a_root_that_disappears_is_empty_until_it_is_back(tree, tmp_path):
    place(tmp_path / "p/run", *RUN)
    kinds(tree)
    tmp_path.rename(tmp_path.parent / "moved")
    assert kinds(tree) == {}
    (tmp_path.parent / "moved").rename(tmp_path)
    assert kinds(tree) == {"p/run": "run"}
