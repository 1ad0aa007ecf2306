import pytest

from windtunnel.core.places import cache_root, offline_switch


def test_the_cache_lies_in_the_users_cache_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_root() == tmp_path / "windtunnel"


@pytest.mark.parametrize("value", ["", "relative/folder"])
def test_an_unset_or_relative_cache_home_means_the_usual_one(monkeypatch, tmp_path, value):
    monkeypatch.setenv("XDG_CACHE_HOME", value)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_root() == tmp_path / ".cache" / "windtunnel"


@pytest.mark.parametrize(("value", "offline"), [("1", True), ("true", True), ("0", False), ("", False), ("No", False)])
@pytest.mark.parametrize("switch", ["WINDTUNNEL_OFFLINE", "HF_HUB_OFFLINE"])
def test_offline_switches(monkeypatch, switch, value, offline):
    monkeypatch.setenv(switch, value)
    assert offline_switch() == (switch if offline else None)
