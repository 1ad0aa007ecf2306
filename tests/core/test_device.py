import pytest
import torch

from windtunnel.core.device import resolve_device, tune_host_allocator
from windtunnel.errors import UsageError


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "cuda:99", "tpu"])
def test_unknown_devices_are_named(name: str) -> None:
    with pytest.raises(UsageError, match=r"runtime\.device"):
        resolve_device(name)


def test_auto_is_a_device_that_is_there() -> None:
    assert resolve_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


def test_allocator_says_what_was_done(monkeypatch: pytest.MonkeyPatch) -> None:
    assert tune_host_allocator(False).state == "off"
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "1")
    assert tune_host_allocator(True).state == "off"
