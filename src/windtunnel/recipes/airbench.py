"""airbench93 to airbench96 with SGD. Source: Jordan 2024, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU".

The published learning rates are for a loss summed over the batch and are scaled by 1/(1024 (1 + 1/(1 - momentum)));
weight decay is published per update, so torch's coefficient is that over the group's learning rate.
"""

from windtunnel.config.augment import AlternatingFlip, Cutout, OpConfig, RandomCrop
from windtunnel.config.averaging import LookaheadEma
from windtunnel.config.data import Cifar10, DataConfig
from windtunnel.config.evaluate import EvaluateConfig
from windtunnel.config.experiment import Experiment
from windtunnel.config.loss import CrossEntropy
from windtunnel.config.models import Airbench
from windtunnel.config.optim import ParameterGroup, Sgd
from windtunnel.config.run import TrainConfig
from windtunnel.config.schedule import PiecewiseLinear
from windtunnel.config.tta import FlipTranslateTta

_BATCH = 1024
_MOMENTUM = 0.85
_SCALE = 1024 * (1 + 1 / (1 - _MOMENTUM))
_BIAS_SCALE = 64.0
_FLIP_AND_SHIFT = (AlternatingFlip(), RandomCrop(padding=2, mode="reflect"))
_RISE_AND_FALL = ((0.0, 0.2), (0.23, 1.0), (1.0, 0.07))


def airbench93() -> Experiment:
    """CIFAR-10 to 93% (public mean 93.00 with TTA).

    Command: ``windtunnel train cifar10/airbench93``.
    """
    return _airbench("airbench93", Airbench(widths=(64, 128, 128)), epochs=11.0)


def airbench94() -> Experiment:
    """CIFAR-10 to 94% (public mean 94.01 with TTA, sd 0.14, n=1000).

    Command: ``windtunnel train cifar10/airbench94``.
    """
    return _airbench("airbench94", Airbench(), epochs=9.9)


def airbench95() -> Experiment:
    """CIFAR-10 to 95% (public mean 95.01 with TTA, n=200).

    Command: ``windtunnel train cifar10/airbench95``.
    """
    return _airbench("airbench95", Airbench(widths=(128, 384, 384)), epochs=15.0, lr=10.0)


def airbench96() -> Experiment:
    """CIFAR-10 to 96% (public mean 96.03 with TTA, n=400).

    Command: ``windtunnel train cifar10/airbench96``.
    """
    return _airbench(
        "airbench96",
        Airbench(widths=(128, 384, 512), depth=3, norm_momentum=0.1),
        epochs=37.0,
        lr=9.0,
        weight_decay=0.012,
        points=((0.0, 0.2), (0.1, 1.0), (1.0, 0.0)),
        augment=(AlternatingFlip(), RandomCrop(padding=4, mode="reflect"), Cutout(size=12)),
    )


def s1_small() -> Experiment:
    """Base of report S1's experiment at a quarter of its epochs and with narrow convolutions, for CPUs.

    Command: ``windtunnel ablate cifar10/s1_small --changes s1_ablation_small --trials 5``. Images are streamed, so that
    S1's fourth change, having them on the device beforehand, is one here, too. Batches are those of airbench94.
    """
    small = _airbench("s1_small", Airbench(widths=(16, 64, 64)), epochs=9.9 / 4)
    return small.model_copy(update={"data": small.data.model_copy(update={"placement": "streaming"})})


def _airbench(
    name: str,
    model: Airbench,
    *,
    epochs: float,
    lr: float = 11.5,
    weight_decay: float = 0.0153,
    points: tuple[tuple[float, float], ...] = _RISE_AND_FALL,
    augment: tuple[OpConfig, ...] = _FLIP_AND_SHIFT,
) -> Experiment:
    decay = weight_decay * _BATCH / lr
    return Experiment(
        name=name,
        project="cifar10",
        data=DataConfig(source=Cifar10(), batch_size=_BATCH),
        augment=augment,
        model=model,
        optim=Sgd(
            lr=lr / _SCALE,
            momentum=_MOMENTUM,
            weight_decay=decay,
            groups=(
                ParameterGroup(match="*norm*", lr_scale=_BIAS_SCALE, weight_decay=decay / _BIAS_SCALE),
                ParameterGroup(match="whiten.bias", train_epochs=3.0),
            ),
        ),
        schedule=PiecewiseLinear(points=points),
        loss=CrossEntropy(label_smoothing=0.2, reduction="sum"),
        averaging=LookaheadEma(),
        train=TrainConfig(epochs=epochs, validate_every=0.0),
        evaluate=EvaluateConfig(batch_size=2000, tta=FlipTranslateTta()),
    )
