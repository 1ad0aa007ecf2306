import pynvml
import torch

from windtunnel.comparison.trial import read_conditions


def test_a_gpu_that_does_not_tell_its_power_ends_no_trial(monkeypatch):
    def refuse(device):
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)

    monkeypatch.setattr(torch.cuda, "power_draw", refuse)
    monkeypatch.setattr(torch.cuda, "clock_rate", lambda device: 1980)
    conditions = read_conditions(torch.device("cuda", 0))
    assert (conditions["milliwatts"], conditions["sm_mhz"]) == (None, 1980)
    assert conditions["load"] >= 0
