"""A step on a device that is not the CPU, without one: torch's meta device has no values and mixes with no other.

So a tensor that was made on the CPU by mistake, or a value that the host looks at, ends in an error here as on a GPU.
"""

from typing import Any

import pytest
import torch
from torch import Tensor

from windtunnel.config.experiment import Experiment
from windtunnel.core.types import ImageBytes
from windtunnel.data.part import Part
from windtunnel.evaluation.predict import predict_logits
from windtunnel.evaluation.tta import PlainView
from windtunnel.training.assemble import Parts, assemble
from windtunnel.training.state import TrainState
from windtunnel.training.step import train_step
from windtunnel.training.team import Team

META = torch.device("meta")
LOW = {"precision": "bfloat16", "low_precision_weights": True}

VARIANTS: dict[str, dict[str, Any]] = {
    "sgd": {"augment": [{"name": "random_crop", "padding": 1}, {"name": "color_jitter"}, {"name": "cutout"}]},
    "muon": {"optim": {"name": "muon"}, "augment": [{"name": "trivial_augment"}]},
    "rmsprop": {"optim": {"name": "rmsprop"}, "augment": [{"name": "augmix"}]},
    "lookahead": {"averaging": {"name": "lookahead", "every": 1}, "augment": ["mixup"]},
    "lookahead_ema": {"averaging": {"name": "lookahead_ema", "every": 1}, "augment": ["cutmix"]},
    "ema": {"ema": {}, "loss": {"name": "focal"}},
    "sam": {"train": {"sam": {"adaptive": True}, "clip_norm": 1.0, "resize": [[0.0, 6]]}},
    "accumulate": {"train": {"accumulate": 3}, "loss": {"name": "cross_entropy", "class_weights": [1.0] * 10}},
    "low precision": {"runtime": LOW, "ema": {}, "train": {"sam": {}}},
    "low precision muon": {"runtime": LOW, "optim": {"name": "muon"}},
}
VARIANTS["accumulate"]["loss"]["reduction"] = "sum"


@pytest.fixture
def on_meta(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(part: Part, device: torch.device) -> ImageBytes:
        channels, height, width = part.image_shape
        images = torch.empty((len(part), height, width, channels), dtype=torch.uint8, device=device)
        return ImageBytes(images.permute(0, 3, 1, 2), torch.empty(len(part), dtype=torch.int64, device=device))

    monkeypatch.setattr(Part, "load", load)
    monkeypatch.setattr(Team, "resolve_device", lambda team, name: META)


def build(tiny: Experiment, **fields: Any) -> Parts:
    tree = tiny.model_dump() | {"averaging": None}
    for name, value in fields.items():
        tree[name] = tree[name] | value if name in ("train", "runtime") else value
    parts = assemble(Experiment.model_validate(tree))
    for group in parts.optimizer.param_groups:
        group["fused"] = False  # torch has these kernels for devices with values only
    return parts


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_step_stays_on_its_device_and_the_host_looks_at_nothing(
    tiny: Experiment, on_meta: None, variant: str
) -> None:
    parts = build(tiny, **VARIANTS[variant])
    state = TrainState.fresh(META)
    for _, batch in zip(range(2), parts.loader.epoch(0), strict=False):
        assert {tensor.device for tensor in batch} == {META}
        train_step(parts, state, batch)
    assert all(tensor.device == META for tensor in parts.model.state_dict().values())


@pytest.mark.parametrize("tta", [{"name": "flip_translate"}, {"name": "five_views", "average": "probabilities"}])
def test_predictions_stay_on_the_device(tiny: Experiment, on_meta: None, tta: dict[str, str]) -> None:
    parts = build(tiny, evaluate={"tta": tta}, ema={})
    assert parts.validation is not None and parts.ema is not None
    with parts.ema.swapped_in():
        for views in (PlainView(), parts.views):
            assert predict_logits(parts.model, parts.validation, views).device == META


def test_the_meta_device_does_find_what_lies_elsewhere(
    tiny: Experiment, on_meta: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def misplaced(logits: Tensor, labels: Tensor) -> Tensor:
        return (logits * torch.ones(logits.shape)).sum()

    parts = build(tiny)
    monkeypatch.setattr(type(parts.loss), "__call__", lambda loss, logits, labels: misplaced(logits, labels))
    with pytest.raises(RuntimeError, match="device"):
        train_step(parts, TrainState.fresh(META), next(iter(parts.loader.epoch(0))))
