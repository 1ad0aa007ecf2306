"""Networks written as lists of blocks: what fits is built, what does not is named."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from windtunnel.config.experiment import Experiment
from windtunnel.config.models.blocks import Sequential
from windtunnel.config.problems import validate_tree
from windtunnel.errors import ConfigError, ModelError

HEAD = {"name": "head"}
CONV = {"name": "conv", "out_channels": 8}


def build(*blocks, size=8, channels=3):
    config = Sequential(blocks=blocks)
    return config.build(num_classes=5, in_channels=channels, image_size=(size, size))


def refuse(*blocks, size=8):
    with pytest.raises(ModelError) as raised:
        build(*blocks, size=size)
    assert raised.value.exit_code == 2
    return str(raised.value)


def config_problems(blocks):
    tree = {"name": "x", "data": {"source": "digits"}, "model": {"name": "sequential", "blocks": blocks}}
    with pytest.raises(ConfigError) as raised:
        validate_tree(Experiment, tree, "test")
    return {problem.path: str(problem) for problem in raised.value.problems}


LEAVES = st.sampled_from(
    [
        "residual",
        {"name": "bottleneck", "reduction": 2},
        {"name": "double_encode", "first": 2, "second": 2},
        {"name": "preact_residual", "out_channels": 8},
        {"name": "basic", "out_channels": 8},
        {"name": "conv", "out_channels": 8, "kernel_size": 5},
        {"name": "activation", "activation": "gelu"},
    ]
)


def nest(inner):
    several = st.lists(inner, min_size=1, max_size=2)
    return (
        several.map(lambda blocks: {"name": "highway", "blocks": blocks})
        | several.map(lambda blocks: {"name": "chain", "blocks": blocks, "repeat": 2})
        | st.tuples(several, st.booleans()).map(
            lambda drawn: {"name": "branch", "branches": drawn[0], "combine": "mean", "normalize": drawn[1]}
        )
    )


@settings(max_examples=12, deadline=None)
@given(st.lists(st.recursive(LEAVES, nest, max_leaves=4), min_size=1, max_size=2))
def test_blocks_nest_in_any_order_and_train(blocks):
    network = build(CONV, *blocks, HEAD)
    network(torch.randn(4, 3, 8, 8)).square().mean().backward()
    assert all(part.grad is not None for part in network.parameters())
    config = Sequential(blocks=(CONV, *blocks, HEAD))
    assert Sequential(**config.model_dump(mode="json")) == config


def test_highway_adds_its_own_input():
    network = build(CONV, {"name": "highway", "blocks": ["residual", "residual"]}, HEAD).eval()
    highway = network.blocks[1]
    images = torch.randn(2, 8, 8, 8)
    torch.testing.assert_close(highway(images), highway.blocks(images) + images)


@pytest.mark.parametrize("normalize", [False, True])
def test_branches_concatenate_or_average(normalize):
    branches = ["residual", "bottleneck"]
    for combine, channels in (("concat", 16), ("mean", 8)):
        block = {"name": "branch", "branches": branches, "combine": combine, "normalize": normalize}
        branch = build(CONV, block, HEAD).blocks[1].eval()
        images = torch.randn(2, 8, 8, 8)
        parts = [path(images) for path in branch.branches]
        if normalize:
            parts = [norm(part) for norm, part in zip(branch.norms, parts, strict=True)]
        expected = torch.cat(parts, 1) if combine == "concat" else torch.stack(parts).mean(0)
        assert expected.shape[1] == channels
        torch.testing.assert_close(branch(images), expected)


def test_residual_adds_its_input_after_the_last_activation():
    block = build(CONV, "residual", HEAD).blocks[1].eval()
    images = torch.randn(2, 8, 8, 8)
    assert ((block(images) - images) >= 0).all()


def test_a_list_as_a_branch_is_a_chain():
    block = {"name": "branch", "branches": [["residual", "residual"], "residual"], "combine": "mean"}
    assert len(build(CONV, block, HEAD).blocks[1].branches[0]) == 2


def test_repeats_have_weights_of_their_own():
    chain = build(CONV, {"name": "chain", "blocks": ["residual"], "repeat": 3}, HEAD).blocks[1]
    weights = [block.path[0].conv.weight for block in chain]
    assert len({weight.data_ptr() for weight in weights}) == 3


def test_a_whitening_stem_is_set_from_images():
    network = build("whiten", {"name": "conv_group", "out_channels": 8}, HEAD, size=12)
    before = network.blocks[0].weight.clone()
    network.initialise_from(torch.randn(8, 3, 12, 12))
    assert not torch.equal(network.blocks[0].weight, before)


def test_a_reduction_that_does_not_divide_names_the_block_and_what_would():
    blocks = [CONV, {"name": "branch", "branches": ["residual", ["residual", {"name": "bottleneck", "reduction": 3}]]}]
    said = refuse(*blocks, HEAD)
    assert said.startswith("model.blocks.1.branches.1.blocks.1 (bottleneck): ")
    assert "reduction 3 does not divide the 8 channels; use one of [1, 2, 4, 8]" in said
    assert "the reduction 4 x 3 = 12 does not divide the 8" in refuse(
        CONV, {"name": "double_encode", "second": 3}, HEAD
    )


def test_a_highway_that_changes_the_shape_names_both():
    said = refuse(CONV, {"name": "highway", "blocks": [{"name": "conv", "out_channels": 8, "pool": 2}]}, HEAD)
    assert said.startswith("model.blocks.1 (highway): its blocks turn 8x8x8 into 8x4x4")


@pytest.mark.parametrize(
    ("combine", "odd"),
    [("concat", {"name": "conv", "out_channels": 4, "stride": 2}), ("mean", {"name": "conv", "out_channels": 4})],
)
def test_branches_that_do_not_fit_name_the_branch(combine, odd):
    said = refuse(CONV, {"name": "branch", "branches": ["residual", odd], "combine": combine}, HEAD)
    assert said.startswith("model.blocks.1.branches.1: gives 4x") and "8x8x8" in said


def test_a_pool_that_leaves_no_pixel_names_the_shape():
    said = refuse(CONV, {"name": "max_pool", "kernel_size": 16}, HEAD)
    assert said.startswith("model.blocks.1 (max_pool): does not fit its input of 8x8x8")


def test_a_head_stands_at_the_end_and_only_there():
    assert "model.blocks.1: the last block is 'residual'; end the list with a head" in refuse(CONV, "residual")
    said = refuse(CONV, {"name": "highway", "blocks": [HEAD]}, HEAD)
    assert said.startswith("model.blocks.1.blocks.0: a head is only allowed as the last block")


def test_faulty_fields_are_reported_with_the_blocks_path():
    blocks = [
        CONV,
        {"name": "highway", "blocks": ["residul", {"name": "conv", "out_channels": 0, "activation": "rely"}]},
    ]
    problems = config_problems(blocks)
    assert "did you mean 'residual'" in problems["model.blocks.1.blocks.0"]
    assert {"model.blocks.1.blocks.1.out_channels", "model.blocks.1.blocks.1.activation"} <= set(problems)


def test_a_branch_of_zero_branches_is_refused():
    problems = config_problems([CONV, {"name": "branch", "branches": []}, HEAD])
    assert "needs at least one block" in problems["model.blocks.1.branches"]


def test_a_users_own_block_is_built(tmp_path):
    (tmp_path / "mine.py").write_text(
        "from typing import ClassVar\n"
        "from torch import nn\n"
        "from windtunnel.config.models.blocks import Block\n"
        "class Twice(nn.Module):\n"
        "    def __init__(self, *, in_channels, factor):\n"
        "        super().__init__()\n"
        "        self.conv = nn.Conv2d(in_channels, factor * in_channels, 1)\n"
        "    def forward(self, images):\n"
        "        return self.conv(images)\n"
        "class TwiceConfig(Block):\n"
        f"    target: ClassVar[str] = '{tmp_path / 'mine.py'}:Twice'\n"
        f"    name: str = ''\n"
        "    factor: int = 2\n"
    )
    network = build(CONV, {"name": f"{tmp_path / 'mine.py'}:TwiceConfig", "factor": 3}, HEAD)
    assert network.blocks[2].linear.in_features == 24


@pytest.mark.parametrize(
    ("blocks", "path"),
    [
        ((CONV, "whiten", HEAD), "model.blocks.1"),
        (({"name": "chain", "blocks": ["whiten", CONV]}, HEAD), "model.blocks.0.blocks.0"),
        (({"name": "branch", "branches": ["whiten", CONV]}, HEAD), "model.blocks.0.branches.0"),
    ],
)
def test_a_whitening_stem_that_would_stay_random_is_refused(blocks, path):
    assert refuse(*blocks).startswith(f"{path} (whiten): its filters are set from training images")
