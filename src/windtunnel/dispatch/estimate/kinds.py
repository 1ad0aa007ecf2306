"""Which experiments need the same memory, so that one trace and one measured run price them all."""

import hashlib
import importlib.metadata
import json
from typing import Any

from windtunnel import __version__
from windtunnel.config.experiment import Experiment

_WITHOUT_EFFECT = {
    "": ("name", "project", "seed", "budget", "schedule"),
    "train": ("epochs", "max_minutes", "target", "early_stopping", "checkpoint_every", "lr_scaling"),
    "data": ("normalize",),
}
# A rate or a strength changes numbers, not sizes; whether there is one at all may decide what is kept.
_ONLY_PRESENCE = ("optim", "loss", "averaging", "ema", "augment", "train")


def describe_kind(experiment: Experiment) -> dict[str, Any]:
    """Return the fields of ``experiment`` that decide its memory, rates and strengths as whether they are above 0."""
    tree = experiment.model_dump(mode="json")
    for part, fields in _WITHOUT_EFFECT.items():
        for field in fields:
            (tree[part] if part else tree).pop(field, None)
    tree["data"]["split"].pop("seed", None)
    return tree | {part: _presence(tree[part]) for part in _ONLY_PRESENCE}


def kind_key(experiment: Experiment) -> str:
    """Return a hash of what decides the memory of ``experiment``, the versions of torch and windtunnel included."""
    versions = [__version__, importlib.metadata.version("torch")]
    text = json.dumps([describe_kind(experiment), versions], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _presence(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _presence(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_presence(item) for item in value]
    return value != 0 if isinstance(value, float) else value
