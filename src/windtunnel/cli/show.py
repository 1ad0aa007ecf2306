"""``windtunnel show``: an experiment, or a sweep, with every default filled in."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from windtunnel.cli.options import AsJson, Overrides, Reference

if TYPE_CHECKING:
    from pydantic import BaseModel


def show(reference: Reference, overrides: Overrides = None, as_json: AsJson = False) -> None:
    """Print an experiment's complete settings as YAML.

    The output is a file that `windtunnel train` takes, or for a sweep `windtunnel sweep`.

    Examples:
      windtunnel show quickstart
      windtunnel show cifar10/airbench94 optim.lr=9 train.epochs=5 > mine.yaml
      windtunnel show s2_sweep
    """
    from windtunnel.config.files import dump_yaml

    config = _load(reference, overrides or ())
    print(json.dumps(config.model_dump(mode="json"), indent=2) if as_json else dump_yaml(config), end="")
    if as_json:
        print()


def _load(reference: str, overrides: Sequence[str]) -> "BaseModel":
    from windtunnel.recipes import load_experiment
    from windtunnel.sweeps.definition import is_sweep_reference, load_definition

    if is_sweep_reference(reference):
        return load_definition(reference, overrides).config
    return load_experiment(reference, overrides)
