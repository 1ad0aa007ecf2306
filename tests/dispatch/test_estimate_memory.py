import pynvml
import pytest

from windtunnel.dispatch.estimate.memory import held_besides_tensors


def test_a_run_on_a_gpu_without_nvml_ends_without_a_figure_for_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    monkeypatch.setattr(pynvml, "nvmlInit", refuse)
    assert held_besides_tensors("cuda:0") is None


def test_a_gpu_that_nvml_does_not_list_gives_no_figure_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pynvml, "nvmlInit", lambda: None)
    monkeypatch.setattr("windtunnel.dispatch.estimate.memory.list_gpus", list)
    assert held_besides_tensors("cuda:0") is None
