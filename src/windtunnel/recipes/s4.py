"""Report S4's own run: a slim ResNet of 4,754,218 parameters in two phases of 100 epochs, CutMix, five views."""

import math

from windtunnel.config.budget import BudgetConfig
from windtunnel.config.data import Cifar10, DataConfig, OfficialSplit
from windtunnel.config.evaluate import EvaluateConfig
from windtunnel.config.experiment import Experiment
from windtunnel.config.models import SlimResnet
from windtunnel.config.optim import Sgd
from windtunnel.config.run import RuntimeConfig, TrainConfig
from windtunnel.config.schedule import PiecewiseLinear
from windtunnel.config.tta import FiveViewsTta

_SEGMENTS = 25  # straight pieces of half a cosine: never off by more than 0.001 of its height
_JUMP = 1e-4  # of the training, between the end of the first phase and the start of the second
_SECOND = 0.1  # the second phase's first rate over the first's


def s4() -> Experiment:
    """S4's slim ResNet under 5 M parameters on CIFAR-10: 100 epochs from 0.1, 100 from 0.01; S4: 94.65%.

    Command: ``windtunnel train cifar10/s4``, or ``windtunnel reproduce S4``. S4 gives no batch size (here 128).
    Deviations: S4 draws its curves on the test images; here 1,000 training images are held out for them. Its second
    phase starts from the first's weights with a new optimizer; here the optimizer's momentum goes on.
    """
    return Experiment.model_validate(
        {
            "name": "s4",
            "project": "cifar10",
            "data": DataConfig(source=Cifar10(), split=OfficialSplit(validation=0.02), batch_size=128),
            "augment": "s4_slim",
            "model": SlimResnet(),
            "budget": BudgetConfig(parameters=5_000_000),
            "optim": Sgd(lr=0.1, momentum=0.9, nesterov=False, weight_decay=5e-4),
            "schedule": PiecewiseLinear(points=_two_phases()),
            "train": TrainConfig(epochs=200.0),
            "runtime": RuntimeConfig(deterministic=True),
            "evaluate": EvaluateConfig(tta=FiveViewsTta()),
        }
    )


def _two_phases() -> tuple[tuple[float, float], ...]:
    """Return half a cosine from 1 to 0 in each half of the training, the second a tenth as high."""
    first = [(place / _SEGMENTS, _half_cosine(place / _SEGMENTS)) for place in range(_SEGMENTS + 1)]
    second = [(max(place, 2 * _JUMP), _SECOND * height) for place, height in first]
    return (*((place / 2, height) for place, height in first), *((0.5 + place / 2, height) for place, height in second))


def _half_cosine(place: float) -> float:
    return (1 + math.cos(math.pi * place)) / 2
