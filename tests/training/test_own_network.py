"""A network of one's own in a run: what it returns is found out before anything is trained."""

import pytest

from windtunnel.errors import ModelError
from windtunnel.recipes import load_experiment
from windtunnel.training.assemble import assemble

SOURCE = """
from torch import nn

class Net(nn.Module):
    def __init__(self, outputs):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(64, outputs))

    def forward(self, images):
        return self.layers(images)
"""


@pytest.mark.parametrize("outputs", [7, 1000])
def test_another_number_of_outputs_than_classes_is_refused(tmp_path, outputs):
    (tmp_path / "mine.py").write_text(SOURCE)
    model = f"model={{name: '{tmp_path}/mine.py:Net', outputs: {outputs}}}"
    with pytest.raises(ModelError, match=rf"model: Net returns a tensor \(2, {outputs}\) .* with 10 classes"):
        assemble(load_experiment("quickstart", [model]))
