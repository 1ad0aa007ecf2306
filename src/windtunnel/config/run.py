"""How an experiment is trained and on what."""

from typing import Literal

from windtunnel.config.base import (
    Count,
    Flag,
    FrozenConfig,
    NonNegativeReal,
    PositiveReal,
    Text,
)


class EarlyStopping(FrozenConfig):
    """Stop when a validation metric no longer improves."""

    metric: Literal["val_loss", "val_accuracy"] = "val_loss"
    """The metric watched."""
    patience: Count = 5
    """Validations without an improvement before stopping."""
    min_delta: NonNegativeReal = 0.0
    """Smallest change that counts as an improvement."""


class TrainConfig(FrozenConfig):
    """Length of training and what happens on the way."""

    epochs: PositiveReal = 10.0
    """Passes over the training images; fractions end within an epoch."""
    validate_every: NonNegativeReal = 1.0
    """Epochs between validations; 0 never validates, so that a speed run does not pay for it."""
    checkpoint_every: NonNegativeReal = 1.0
    """Epochs between checkpoints, fractions allowed; 0 saves only at the end and when interrupted."""
    clip_norm: PositiveReal | None = None
    """Largest gradient norm over all parameters; ``null`` does not clip."""
    early_stopping: EarlyStopping | None = None
    """``null`` trains to the end."""


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
    deterministic: Flag = False
    """Only deterministic kernels; on CPU results are bit-identical either way."""
    threads: Count | None = None
    """CPU threads; ``null`` keeps torch's choice."""
    tune_allocator: Flag = True
    """On CPU with glibc, keep freed memory in the process."""
    augment_backend: Literal["auto", "torch", "numba"] = "auto"
    """What augments: ``auto`` is numba on CPU where it is installed and knows the ops, else torch."""
