"""The tests run with tensor annotations checked; without this they would be comments."""

import jaxtyping
import pytest
import torch

from windtunnel.core.rng import uniforms


def test_a_tensor_of_the_wrong_kind_is_refused():
    with pytest.raises(jaxtyping.TypeCheckError):
        uniforms(0, torch.zeros(3), 2)


def test_a_tensor_of_the_wrong_rank_is_refused():
    with pytest.raises(jaxtyping.TypeCheckError):
        uniforms(0, torch.zeros(3, 3, dtype=torch.int64), 2)
