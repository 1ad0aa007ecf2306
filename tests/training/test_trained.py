import torch

from windtunnel.config.run import RuntimeConfig
from windtunnel.training.trained import runtime_for_use


def test_a_run_trained_with_winograd_is_used_on_gpus_with_their_own_convolutions():
    runtime = RuntimeConfig(convolution="winograd")
    assert runtime_for_use(runtime, torch.device("cuda", 0)).convolution == "direct"


def test_a_run_trained_with_a_recorded_update_is_used_where_nothing_can_be_recorded():
    assert not runtime_for_use(RuntimeConfig(cuda_graph=True), torch.device("cpu")).cuda_graph


def test_what_use_needs_as_well_stays():
    runtime = RuntimeConfig(threads=2, channels_last=False, precision="bfloat16")
    assert runtime_for_use(runtime, torch.device("cpu")) == runtime
