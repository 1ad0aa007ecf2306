import pwd
from pathlib import Path

import pytest

from windtunnel.core.places import cache_root, folder_name, offline_switch
from windtunnel.errors import UsageError


def test_the_cache_lies_in_the_users_cache_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_root() == tmp_path / "windtunnel"


@pytest.mark.parametrize("value", ["", "relative/folder"])
def test_an_unset_or_relative_cache_home_means_the_usual_one(monkeypatch, tmp_path, value):
    monkeypatch.setenv("XDG_CACHE_HOME", value)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_root() == tmp_path / ".cache" / "windtunnel"


def test_a_user_without_a_home_is_told_what_to_set(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", lambda number: {}[number])
    with pytest.raises(UsageError, match="set HOME, or XDG_CACHE_HOME"):
        cache_root()


def test_a_folder_has_its_own_name_from_within(monkeypatch, tmp_path):
    (tmp_path / "pets" / "train").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "pets" / "train")
    assert [folder_name(Path(path)) for path in (".", "..", "../", "../train")] == ["train", "pets", "pets", "train"]


@pytest.mark.parametrize(("value", "offline"), [("1", True), ("true", True), ("0", False), ("", False), ("No", False)])
@pytest.mark.parametrize("switch", ["WINDTUNNEL_OFFLINE", "HF_HUB_OFFLINE"])
def test_offline_switches(monkeypatch, switch, value, offline):
    monkeypatch.setenv(switch, value)
    assert offline_switch() == (switch if offline else None)
