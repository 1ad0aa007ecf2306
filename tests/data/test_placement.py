from types import SimpleNamespace

import pytest
import torch

from windtunnel.data import placement
from windtunnel.data.placement import choose_placement, measure_free_memory

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)
GIB = 2**30


@pytest.fixture
def free(monkeypatch, tmp_path):
    """Pretend that so many GiB are free in main memory and on the GPU, outside any container."""

    def pretend(main, gpu=0.0):
        monkeypatch.setattr(placement.psutil, "virtual_memory", lambda: SimpleNamespace(available=int(main * GIB)))
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (int(gpu * GIB), 80 * GIB))
        monkeypatch.setattr(placement, "_CGROUP", tmp_path)

    return pretend


@pytest.mark.parametrize(
    ("device", "size", "mode"), [(CPU, 1, "resident"), (CPU, 3, "streaming"), (GPU, 3, "resident")]
)
def test_images_are_resident_when_they_take_half_of_what_is_free_there(free, device, size, mode):
    free(main=4, gpu=8)
    chosen = choose_placement("auto", size * GIB, device)
    assert chosen.mode == mode
    assert str(chosen) == f"images {mode} ({size}.0 GiB, {4 if device == CPU else 8}.0 GiB free on {device})"


def test_what_the_config_says_is_done(free):
    free(main=4)
    assert choose_placement("streaming", 1, CPU).mode == "streaming"
    assert choose_placement("resident", 9 * GIB, CPU).mode == "resident"


@pytest.mark.parametrize(("limit", "expected"), [("max", 4 * GIB), (str(2 * GIB), 2 * GIB - 700)])
def test_a_containers_limit_counts_its_cached_files_as_free(free, tmp_path, limit, expected):
    free(main=4)
    (tmp_path / "memory.max").write_text(f"{limit}\n")
    (tmp_path / "memory.current").write_text("1000\n")
    (tmp_path / "memory.stat").write_text("anon 700\nfile 300\n")
    assert measure_free_memory(CPU) == expected
