"""The whole of an experiment: one frozen tree that says everything a run depends on."""

from typing import Annotated

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError, model_validator

from windtunnel.config.augment import MIXING_OPS, AugmentConfig
from windtunnel.config.averaging import AveragingConfig, Ema
from windtunnel.config.base import FrozenConfig, NonNegativeInt
from windtunnel.config.budget import BudgetConfig
from windtunnel.config.data import DataConfig
from windtunnel.config.evaluate import EvaluateConfig
from windtunnel.config.loss import CrossEntropy, LossConfig
from windtunnel.config.models import ModelConfig
from windtunnel.config.optim import Adam, AdamW, Muon, OptimConfig, ScheduleFreeAdamW, Sgd
from windtunnel.config.run import RuntimeConfig, TrainConfig
from windtunnel.config.schedule import Cosine, Plateau, ScheduleConfig
from windtunnel.errors import UsageError

_DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(10))}


def _stands_everywhere(name: str) -> str:
    if name.endswith(".") or name.partition(".")[0].lower() in _DEVICES:
        raise ValueError("a folder of this name cannot be copied to Windows; choose another")
    return name


FolderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$"), AfterValidator(_stands_everywhere)]


def check_folder_name(name: str, field: str) -> str:
    """Return ``name`` when a folder may have it; ``field`` says where it was given.

    Raises:
        UsageError: it holds a separator, a space or another character that is none of a name's.
    """
    try:
        return TypeAdapter(FolderName).validate_python(name)
    except ValidationError:
        raise UsageError(
            f"{field}: {name[:80]!r} is no name of a folder; use up to 80 letters, digits, dots, dashes and underscores"
        ) from None


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
    """Averaging that pulls the weights while they train, if any."""
    ema: Ema | None = None
    """Average of the weights beside them, if any."""
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
        if self.watchers and not (self.data.may_have_validation and self.train.validate_every > 0):
            raise ValueError(
                f"{self.watchers[0]} needs a validation part: set data.split.validation above 0 and "
                "train.validate_every above 0"
            )
        return self

    @property
    def watchers(self) -> tuple[str, ...]:
        """What acts on the metrics of the validation part, in words."""
        watching = {
            "train.early_stopping": self.train.early_stopping is not None,
            "train.target": self.train.target is not None,
            "schedule plateau": isinstance(self.schedule, Plateau),
        }
        return tuple(watcher for watcher, is_on in watching.items() if is_on)

    @model_validator(mode="after")
    def _ema_metrics_need_the_average(self) -> "Experiment":
        for field in ("early_stopping", "target"):
            rule = getattr(self.train, field)
            if rule is not None and rule.metric.endswith("_ema") and self.ema is None:
                raise ValueError(
                    f"train.{field}.metric {rule.metric} is not computed: set ema, or watch the raw weights"
                )
        return self

    @model_validator(mode="after")
    def _batch_can_be_divided(self) -> "Experiment":
        if self.train.accumulate > self.data.batch_size:
            raise ValueError(
                f"train.accumulate {self.train.accumulate} is more than the {self.data.batch_size} images of a batch: "
                "lower it or raise data.batch_size"
            )
        weighted = isinstance(self.loss, CrossEntropy) and self.loss.class_weights is not None
        if self.train.accumulate > 1 and weighted and self.loss.reduction == "mean":
            raise ValueError(
                "train.accumulate cannot keep the weighted mean of loss.class_weights over a whole batch: "
                "set loss.reduction: sum (and lower the learning rate by the batch size), or train.accumulate: 1"
            )
        return self

    @model_validator(mode="after")
    def _schedule_free_needs_a_constant_rate(self) -> "Experiment":
        if isinstance(self.optim, ScheduleFreeAdamW) and self.schedule.name != "constant":
            raise ValueError(
                f"optim schedule_free_adamw averages instead of lowering its rate, so schedule {self.schedule.name} "
                "contradicts it: set schedule: constant, with warmup_epochs if wanted"
            )
        return self

    @model_validator(mode="after")
    def _graph_can_record_the_update(self) -> "Experiment":
        if self.runtime.cuda_graph and (reason := self._why_no_graph()):
            raise ValueError(f"runtime.cuda_graph cannot record {reason}")
        return self

    def _why_no_graph(self) -> str | None:
        if not isinstance(self.optim, Sgd | Adam | AdamW | Muon):
            return f"optim {self.optim.name}; use sgd, adam, adamw or muon"
        if self.runtime.precision == "float16" and not self.runtime.low_precision_weights:
            return "the loss scaling of precision float16; use bfloat16"
        return None
