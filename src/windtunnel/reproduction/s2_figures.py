"""What S2 reports: the runs it names, and which settings of its grid they had."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Setting(NamedTuple):
    """One point of S2's grid.

    Args:
        model: name of the network.
        mixing: whether CutMix or MixUp was on.
        optimizer: ``sgd`` or ``adam``.
        lr: learning rate.
        schedule: ``plateau`` or ``cosine``.
    """

    model: str
    mixing: bool
    optimizer: str
    lr: float
    schedule: str

    @property
    def id(self) -> str:
        """Return the id of its run.

        >>> Setting("resnet18", True, "adam", 1e-4, "plateau").id
        'resnet18-mix-adam-1e-04-plateau'
        """
        return f"{self.model}-{'mix' if self.mixing else 'plain'}-{self.optimizer}-{self.lr:.0e}-{self.schedule}"

    @property
    def labels(self) -> tuple[str, ...]:
        """Return the settings as a table shows them."""
        return (MODEL_NAMES[self.model], "on" if self.mixing else "off", self.optimizer, f"{self.lr:g}", self.schedule)


class Told(NamedTuple):
    """What S2 tells of a run.

    Args:
        name: the run's in the report.
        train: accuracy on augmented training images, percent.
        validation: accuracy on validation images, percent.
        validation_loss: nats.
        epochs: after which it had converged.
        train_loss: nats.
    """

    name: str
    train: float
    validation: float
    validation_loss: float
    epochs: float | None
    train_loss: float


MODEL_NAMES: Mapping[str, str] = {"resnet18": "ResNet-18", "preact_resnet18": "PreAct ResNet-18"}

FEARLESS = Setting("preact_resnet18", True, "adam", 1e-4, "cosine")
AZURE = Setting("preact_resnet18", True, "sgd", 1e-2, "cosine")
RICH = Setting("resnet18", True, "adam", 1e-4, "plateau")

SWEEP_RUNS: Mapping[Setting, Told] = {
    FEARLESS: Told("fearless-sweep-24", 87.89, 67.97, 1.24532, 46, 0.41383),
    AZURE: Told("azure-sweep-28", 86.31, 68.49, 1.22456, 34, 0.44401),
    RICH: Told("rich-sweep-7", 56.88, 50.37, 1.86905, 45, 1.55725),
}
EXTENDED = Told("proud-water-171", 66.004, 73.99, 1.03582, 97, 2.14712)
# the report gives this run 50 epochs and does not say after how many it had converged
PRETRAINED = Told("snowy-frog-185", 74.29, 82.69, 0.8434, None, 1.6735)


def list_settings() -> Sequence[Setting]:
    """Return the 32 points of the grid, in the order of the bundled sweep."""
    return [
        Setting(model, mixing, optimizer, lr, schedule)
        for model in MODEL_NAMES
        for mixing in (True, False)
        for optimizer in ("sgd", "adam")
        for lr in (1e-4, 1e-2)
        for schedule in ("plateau", "cosine")
    ]
