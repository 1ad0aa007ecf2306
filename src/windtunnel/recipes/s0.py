"""S0's training protocol around any of its models and policies, its headline run, and the grid of its tables."""

from typing import Any

from windtunnel.config.data import Cifar10, DataConfig, FractionSplit
from windtunnel.config.experiment import Experiment
from windtunnel.config.optim import Sgd
from windtunnel.config.run import TrainConfig
from windtunnel.config.schedule import Plateau
from windtunnel.config.sweep import Axis, SweepConfig

S0_MODELS = (
    "cnn_130k", "cnn_large", "cnn_430k", "res_v1", "bn8", "dbn", "bn4",
    "hwy_v1", "hwy_v2", "bv1", "bv2", "bnv1", "bnv2",
)  # fmt: skip
S0_POLICIES = ("none", "easy", "hard2", "hard3")


def s0() -> Experiment:
    """S0's best run: ResV1 on CIFAR-10 under its Easy policy, its protocol of at most 200 epochs.

    Command: ``windtunnel train cifar10/s0``. S0 reports 98.0 / 90.4 / 89.5% on train, validation and test. Any other
    run of its tables: ``windtunnel train cifar10/s0 model=bn4 augment=hard2``.
    """
    return build_s0("res_v1", "easy")


def s0_sweep() -> SweepConfig:
    """S0's tables as a grid: its 13 models under no augmentation, Easy, Hard2 and Hard3; 12 cells more than it ran.

    Command: ``windtunnel sweep s0_sweep``. ``windtunnel reproduce S0`` trains its 40 runs, reads the test split of each
    once as the report did, and sets both side by side.
    """
    return SweepConfig(
        name="s0_sweep",
        project="cifar10",
        base="cifar10/s0",
        space={"model": Axis(values=S0_MODELS), "augment": Axis(values=S0_POLICIES)},
    )


def build_s0(model: str, policy: str) -> Experiment:
    """Return S0's protocol for a model and an augmentation policy.

    40,000 images to train on, 5,000 to choose by and 5,000 to test with, all of the 50,000 labelled ones; batches of
    256, Nesterov SGD, a rate that rises from 0 to 0.05 in 5 epochs and is halved when the validation loss has not
    improved for more than 4, and an end after 200 epochs or below a rate of 1e-7. S0 names no weight decay: none.

    Args:
        model: name of a model preset.
        policy: name of an augmentation policy.
    """
    settings: dict[str, Any] = {
        "name": "s0",
        "project": "cifar10",
        "data": DataConfig(source=Cifar10(), split=FractionSplit(), batch_size=256),
        "augment": policy,
        "model": model,
        "optim": Sgd(lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.0),
        "schedule": Plateau(factor=0.5, patience=4, stop_below_lr=1e-7, warmup_epochs=5.0),
        "train": TrainConfig(epochs=200.0),
    }
    return Experiment.model_validate(settings)
