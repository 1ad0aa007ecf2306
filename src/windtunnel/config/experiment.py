"""The whole of an experiment: one frozen tree that says everything a run depends on."""

from typing import Annotated

from pydantic import Field, model_validator

from windtunnel.config.augment import AugmentConfig
from windtunnel.config.base import FrozenConfig, NonNegativeInt
from windtunnel.config.budget import BudgetConfig
from windtunnel.config.data import DataConfig
from windtunnel.config.models import ModelConfig
from windtunnel.config.optim import (
    AveragingConfig,
    CrossEntropy,
    LossConfig,
    OptimConfig,
    ScheduleConfig,
    Sgd,
)
from windtunnel.config.optim import Cosine as CosineSchedule
from windtunnel.config.run import EvaluateConfig, RuntimeConfig, TrainConfig

FolderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$")]


class Experiment(FrozenConfig):
    """Everything that decides the outcome of a run."""

    name: FolderName
    """Name of the run folder: letters, digits, dot, dash and underscore."""
    project: FolderName = "default"
    """Folder the run's folder lies in."""
    seed: NonNegativeInt = 0
    """Seeds initialisation, order and augmentation, each through a stream of its own."""
    data: DataConfig
    """Images, splits and batches."""
    augment: AugmentConfig = ()
    """Ops applied to training images, in order, or the name of a policy."""
    model: ModelConfig
    """The network."""
    budget: BudgetConfig | None = None
    """Upper limits on what the network costs, checked before training."""
    optim: OptimConfig = Sgd()
    """The optimizer."""
    schedule: ScheduleConfig = CosineSchedule()
    """Learning rate over time."""
    loss: LossConfig = CrossEntropy()
    """The loss."""
    averaging: AveragingConfig | None = None
    """Averaging of weights, if any."""
    train: TrainConfig = TrainConfig()
    """Length and checkpoints."""
    runtime: RuntimeConfig = RuntimeConfig()
    """Device and number format."""
    evaluate: EvaluateConfig = EvaluateConfig()
    """How accuracy is measured."""

    @model_validator(mode="after")
    def _early_stopping_needs_validation(self) -> "Experiment":
        if self.train.early_stopping is None:
            return self
        if self.data.split.model_dump().get("validation", 0) == 0 or self.train.validate_every == 0:
            raise ValueError(
                "train.early_stopping needs a validation part: set data.split.validation above 0 "
                "and train.validate_every above 0"
            )
        return self
