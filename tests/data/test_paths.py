from pathlib import Path

from windtunnel.core.places import cache_root
from windtunnel.data import paths
from windtunnel.data.paths import data_dir, download_dir, search_places


def test_the_data_folder_may_name_the_home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("WINDTUNNEL_DATA_DIR", "~/sets")
    assert data_dir() == tmp_path / "sets"


def test_downloads_go_to_the_data_folder_unless_it_cannot_be_written(monkeypatch, tmp_path):
    monkeypatch.setenv("WINDTUNNEL_DATA_DIR", str(tmp_path / "new"))
    assert download_dir() == tmp_path / "new"
    monkeypatch.setattr(paths.os, "access", lambda *_: False)
    assert download_dir() == cache_root() / "downloads"


def test_every_download_folder_is_searched(monkeypatch, tmp_path):
    monkeypatch.setenv("WINDTUNNEL_DATA_DIR", str(tmp_path))
    places = search_places("mnist", ("MNIST/raw",))
    assert places[:2] == [tmp_path / "mnist", Path(tmp_path / "MNIST" / "raw")]
    assert cache_root() / "downloads" / "mnist" in places
