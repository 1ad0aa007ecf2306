"""``windtunnel show``: an experiment, or a sweep, with every default filled in."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from windtunnel.cli.options import AsJson, Overrides, Reference
from windtunnel.cli.pictures import check_picture

if TYPE_CHECKING:
    from pydantic import BaseModel

    from windtunnel.config.experiment import Experiment

_PLACES_PER_EPOCH = 100


def show(
    reference: Reference,
    overrides: Overrides = None,
    as_json: AsJson = False,
    plot_schedule: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the learning rate over epochs instead (png, svg, pdf).")
    ] = None,
) -> None:
    """Print an experiment's complete settings as YAML.

    The output is a file that `windtunnel train` takes, or for a sweep `windtunnel sweep`.

    Examples:
      windtunnel show quickstart
      windtunnel show cifar10/airbench94 optim.lr=9 train.epochs=5 > mine.yaml
      windtunnel show s2_sweep
      windtunnel show cifar10/slim_resnet schedule=one_cycle --plot-schedule rate.png
    """
    from windtunnel.config.files import dump_yaml
    from windtunnel.recipes import load_experiment

    if plot_schedule is not None:
        print(_draw_schedule(load_experiment(reference, overrides or ()), plot_schedule))
        return
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


def _draw_schedule(experiment: "Experiment", path: Path) -> Path:
    from windtunnel.optim.schedules import sample_rates
    from windtunnel.report.schedule import plot_schedule, save_schedule

    check_picture("--plot-schedule", path)
    peaks = {name: rate * _scale(experiment) for name, rate in experiment.optim.peak_rates().items()}
    epochs, multipliers = sample_rates(
        experiment.schedule.build(), epochs=experiment.train.epochs, steps_per_epoch=_PLACES_PER_EPOCH
    )
    rates = {name: [peak * multiplier for multiplier in multipliers] for name, peak in peaks.items()}
    note = "drops follow the validation loss" if experiment.schedule.name == "plateau" else ""
    title = f"{experiment.name}: {experiment.optim.name}, {experiment.schedule.name}"
    return save_schedule(path, plot_schedule(epochs, rates, title=title, note=note))


def _scale(experiment: "Experiment") -> float:
    scaling = experiment.train.lr_scaling
    return 1.0 if scaling is None else scaling.factor(experiment.data.batch_size)
