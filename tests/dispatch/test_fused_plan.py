"""What can train as one stack, and which field stands in the way."""

import pytest

from windtunnel.dispatch.fused.plan import Fusion, Refusal, fuse
from windtunnel.recipes import load_experiment


def quickstart(*overrides):
    return load_experiment("quickstart", overrides)


@pytest.mark.parametrize(
    "override",
    [
        "optim.lr=0.5",
        "optim.weight_decay=0.0",
        "optim.momentum=0.5",
        "seed=3",
        "name=other",
        "loss.label_smoothing=0.1",
        "schedule=cosine",
    ],
)
def test_numbers_of_the_update_may_differ(override):
    found = fuse([quickstart(), quickstart(override)])
    assert isinstance(found, Fusion)
    assert found.one_order == (override != "seed=3")


@pytest.mark.parametrize(
    ("override", "field"),
    [
        ("model.hidden=32", "model.hidden"),
        ("data.batch_size=32", "data.batch_size"),
        ("train.epochs=3", "train.epochs"),
        ("optim.nesterov=false", "optim.nesterov"),
        ("train.clip_norm=1.0", "train.clip_norm"),
        ("augment=[]", "augment"),
        ("runtime.precision=bfloat16", "runtime.precision"),
    ],
)
def test_a_difference_that_cannot_be_stacked_is_named(override, field):
    found = fuse([quickstart("name=first"), quickstart("name=second", override)])
    assert isinstance(found, Refusal)
    assert field in found.reason


@pytest.mark.parametrize(
    ("override", "field"),
    [
        ("optim=muon", "optim=muon"),
        ("ema={}", "ema"),
        ("averaging=lookahead", "averaging=lookahead"),
        ("train.sam={}", "train.sam"),
        ("train.accumulate=2", "train.accumulate=2"),
        ("train.early_stopping={}", "train.early_stopping"),
        ("runtime.precision=float16", "runtime.precision=float16"),
        ("loss.class_weights=[1,1,1,1,1,1,1,1,1,2]", "loss.class_weights"),
        ("optim.groups=[{match: '*.bias', train_epochs: 1}]", "optim.groups.train_epochs"),
    ],
)
def test_what_a_stack_cannot_do_is_named(override, field):
    found = fuse([quickstart(override), quickstart(override, "seed=1")])
    assert isinstance(found, Refusal)
    assert field in found.reason


def test_one_run_is_no_stack():
    assert isinstance(fuse([quickstart()]), Refusal)
