from pathlib import Path

import pytest

from windtunnel.data import paths
from windtunnel.data.paths import cache_root, data_dir, download_dir, is_offline, search_places


def test_the_cache_lies_in_the_users_cache_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_root() == tmp_path / "windtunnel"


@pytest.mark.parametrize("value", ["", "relative/folder"])
def test_an_unset_or_relative_cache_home_means_the_usual_one(monkeypatch, tmp_path, value):
    monkeypatch.setenv("XDG_CACHE_HOME", value)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_root() == tmp_path / ".cache" / "windtunnel"


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


@pytest.mark.parametrize(("value", "offline"), [("1", True), ("true", True), ("0", False), ("", False), ("No", False)])
@pytest.mark.parametrize("switch", ["WINDTUNNEL_OFFLINE", "HF_HUB_OFFLINE"])
def test_offline_switches(monkeypatch, switch, value, offline):
    monkeypatch.setenv(switch, value)
    assert is_offline() is offline
