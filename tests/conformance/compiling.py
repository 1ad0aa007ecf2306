"""Networks compiled into one graph; called in a process of its own, where warnings are errors too."""

import copy
import warnings

import torch
from pydantic import TypeAdapter

from windtunnel.config.models import ModelConfig


def compile_into_one_graph(names):
    """Compile each network by name, compare it with itself as written, and print its name."""
    warnings.simplefilter("error")
    for name in names:
        config = TypeAdapter(ModelConfig).validate_python(name)
        network = config.build(num_classes=7, in_channels=3, image_size=(16, 16))
        compiled = torch.compile(copy.deepcopy(network), backend="aot_eager", fullgraph=True)
        images = torch.randn(4, 3, 16, 16)
        torch.manual_seed(3)
        expected = network(images)
        torch.manual_seed(3)
        got = compiled(images)
        torch.testing.assert_close(got, expected, atol=1e-4, rtol=1e-4)
        got.sum().backward()
        print(name, flush=True)
