"""The whole of an experiment: one frozen tree that says everything a run depends on."""

from typing import Annotated

from pydantic import Field, model_validator

from windtunnel.config.augment import MIXING_OPS, AugmentConfig
from windtunnel.config.averaging import AveragingConfig
from windtunnel.config.base import FrozenConfig, NonNegativeInt
from windtunnel.config.budget import BudgetConfig
from windtunnel.config.data import DataConfig
from windtunnel.config.evaluate import EvaluateConfig
from windtunnel.config.loss import CrossEntropy, LossConfig
from windtunnel.config.models import ModelConfig
from windtunnel.config.optim import OptimConfig, Sgd
from windtunnel.config.run import RuntimeConfig, TrainConfig
from windtunnel.config.schedule import Cosine, Plateau, ScheduleConfig

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
    schedule: ScheduleConfig = Cosine()
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
    def _mixing_needs_a_partner(self) -> "Experiment":
        mixing = [op.name for op in self.augment if isinstance(op, MIXING_OPS)]
        if mixing and self.data.batch_size == 1:
            raise ValueError(f"augment {mixing[0]} blends images of a batch: set data.batch_size above 1")
        return self

    @model_validator(mode="after")
    def _watching_needs_validation(self) -> "Experiment":
        watchers = {
            "train.early_stopping": self.train.early_stopping is not None,
            "schedule plateau": isinstance(self.schedule, Plateau),
        }
        has_part = self.data.split.model_dump().get("validation", 0) > 0
        for watcher, is_on in watchers.items():
            if is_on and not (has_part and self.train.validate_every > 0):
                raise ValueError(
                    f"{watcher} needs a validation part: set data.split.validation above 0 and "
                    "train.validate_every above 0"
                )
        return self
