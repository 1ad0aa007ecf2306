"""How an experiment is trained and on what."""

import math
from typing import Literal

from pydantic import model_validator

from windtunnel.config.base import (
    Count,
    Flag,
    Fraction,
    FrozenConfig,
    NonNegativeReal,
    PositiveReal,
    Text,
)

Metric = Literal["val_loss", "val_accuracy", "val_loss_ema", "val_accuracy_ema"]


class EarlyStopping(FrozenConfig):
    """Stop when a validation metric no longer improves."""

    metric: Metric = "val_loss"
    """The metric watched; ``_ema`` is that of the averaged weights."""
    patience: Count = 5
    """Validations without an improvement before stopping."""
    min_delta: NonNegativeReal = 0.0
    """Smallest change that counts as an improvement."""


class Target(FrozenConfig):
    """Stop as soon as a validation accuracy is reached."""

    metric: Literal["val_accuracy", "val_accuracy_ema"] = "val_accuracy"
    """The metric watched; ``_ema`` is that of the averaged weights."""
    value: Fraction
    """The accuracy, 0..1."""


class LrScaling(FrozenConfig):
    """Learning rates stated for one batch size and used with another."""

    rule: Literal["linear", "sqrt"] = "linear"
    """Multiply every learning rate by ``batch_size / reference``, or by its square root."""
    reference: Count = 256
    """Batch size the learning rates are stated for, images."""

    def factor(self, batch_size: int) -> float:
        """Return what learning rates are multiplied by.

        >>> LrScaling(reference=256).factor(1024), LrScaling(rule="sqrt", reference=256).factor(1024)
        (4.0, 2.0)
        """
        ratio = batch_size / self.reference
        return ratio if self.rule == "linear" else math.sqrt(ratio)


class Sam(FrozenConfig):
    """Sharpness-aware minimisation: the gradient is taken at the worst point nearby; two passes an update.

    Norm layers' running statistics follow the first pass only. Source: Foret et al. 2021; adaptive: Kwon et al. 2021.
    """

    rho: PositiveReal = 0.05
    """Distance to the worst point, in the norm of all weights."""
    adaptive: Flag = False
    """Measure the distance relative to each weight's size."""


class TrainConfig(FrozenConfig):
    """Length of training and what happens on the way."""

    epochs: PositiveReal = 10.0
    """Passes over the training images; fractions end within an epoch."""
    max_minutes: PositiveReal | None = None
    """Stop after this much training and validation, over all processes that worked on the run; schedules still count
    on ``epochs``. ``null`` has no limit."""
    target: Target | None = None
    """Stop when this is reached; ``null`` trains to the end."""
    early_stopping: EarlyStopping | None = None
    """Stop when a metric no longer improves; ``null`` trains to the end."""
    validate_every: NonNegativeReal = 1.0
    """Epochs between validations; 0 never validates, so that a speed run does not pay for it."""
    checkpoint_every: NonNegativeReal = 1.0
    """Epochs between checkpoints, fractions allowed; 0 saves only at the end and when interrupted."""
    clip_norm: PositiveReal | None = None
    """Largest gradient norm over all parameters; ``null`` does not clip."""
    accumulate: Count = 1
    """Parts each batch is passed through the network in, gradients added up: less memory, the same update but for
    norm layers' batch statistics."""
    lr_scaling: LrScaling | None = None
    """Scale learning rates with the batch size; ``null`` takes them as they are."""
    sam: Sam | None = None
    """Sharpness-aware minimisation around the optimizer."""
    resize: tuple[tuple[NonNegativeReal, Count], ...] = ()
    """Progressive resizing: (epoch from which on, height and width in pixels), epochs rising; validation and test see
    full-size images."""

    @model_validator(mode="after")
    def _epochs_of_resize_rise(self) -> "TrainConfig":
        epochs = [epoch for epoch, _ in self.resize]
        if epochs != sorted(set(epochs)):
            raise ValueError(f"resize needs rising epochs, not {epochs}")
        return self


class RuntimeConfig(FrozenConfig):
    """What the experiment runs on and in which number format; never changes what is computed, but rounding."""

    device: Text = "auto"
    """``auto`` (CUDA when there is one, else CPU), ``cpu``, ``cuda`` or ``cuda:N``."""
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    """Format of activations; with float32 weights float16 scales the loss."""
    low_precision_weights: Flag = False
    """Keep the weights in ``precision`` as well (norm layers stay float32), as airbench does on GPUs."""
    channels_last: Flag = True
    """Memory layout of images and filters."""
    compile: Literal["off", "default", "reduce-overhead", "max-autotune"] = "off"
    """``torch.compile`` mode."""
    convolution: Literal["direct", "winograd"] = "direct"
    """How 3x3 convolutions at stride 1 are computed on a CPU in float32: ``winograd`` multiplies less and rounds more;
    needs numba."""
    cuda_graph: Flag = False
    """Record one update as a CUDA graph and replay it, so that launching its kernels costs next to nothing."""
    deterministic: Flag = False
    """Only deterministic kernels; on CPU results are bit-identical either way."""
    threads: Count | None = None
    """CPU threads; ``null`` keeps torch's choice."""
    tune_allocator: Flag = True
    """On CPU with glibc, keep freed memory in the process."""
    batch_norm: Literal["local", "synced"] = "local"
    """With several processes (``--nproc``), what batch norm's statistics in training are taken over: each process's
    own share of the batch, or the whole batch (GPUs only). The running statistics saved are the first process's."""
    augment_backend: Literal["auto", "torch", "numba"] = "auto"
    """What augments: ``auto`` is numba on CPU where it is installed and knows the ops, else torch."""

    @model_validator(mode="after")
    def _winograd_is_for_plain_cpus(self) -> "RuntimeConfig":
        wanted = {"precision": "float32", "compile": "off", "channels_last": True}
        wrong = [name for name, value in wanted.items() if getattr(self, name) != value]
        if self.convolution == "winograd" and (wrong or self.device.startswith("cuda")):
            name, value = (wrong[0], wanted[wrong[0]]) if wrong else ("device", "cpu")
            raise ValueError(
                f"convolution winograd is for CPUs in float32, channels last, not compiled: set {name}: "
                f"{str(value).lower()}, or convolution: direct"
            )
        return self
