"""The torch backend on a GPU must not wait for it: nothing may depend on the data's values, shapes least of all."""

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from windtunnel.augment import parse_policy
from windtunnel.augment.instruction import Program, Table
from windtunnel.augment.op import Frame
from windtunnel.augment.torch_backend.run import TorchRunner
from windtunnel.config.augment import POLICIES

FRAME = Frame(3, 16, 20, (0.5, 0.5, 0.5))
TONES = ["posterize", "solarize", "autocontrast", "equalize", "sharpness", {"name": "affine", "fill": [0.1, 0.2, 0.3]}]


@pytest.mark.parametrize("policy", [*POLICIES, ["rand_augment"], ["trivial_augment"], ["augmix"], TONES], ids=str)
def test_runs_without_looking_at_values(policy):
    """Fake tensors have no values: reading one, or a shape that depends on one, raises."""
    ops = [op for op in parse_policy(policy) if op.name not in ("cutmix", "mix_choice")]
    program = Program(tuple(slot for op in ops for slot in op.build().slots(FRAME)))
    runner = TorchRunner(program, FRAME)
    width = sum(slot.width for slot in program.slots)
    with FakeTensorMode():
        table = Table(torch.zeros(5, len(program.slots), dtype=torch.int8), torch.zeros(5, width))
        pixels = torch.zeros(9, FRAME.height, FRAME.width, FRAME.channels, dtype=torch.uint8)
        copied, done = runner.run_bytes(pixels, torch.zeros(5, dtype=torch.int64), table)
        result = runner.run((copied.float() / 255).permute(0, 3, 1, 2), table, done)
    assert result.shape == (5, 3, 16, 20)
