"""What a network may cost at most; checked before training."""

from windtunnel.config.base import Count, FrozenConfig, PositiveReal


class BudgetConfig(FrozenConfig):
    """Upper limits; those left ``null`` are not checked."""

    parameters: Count | None = None
    """Parameters, frozen ones included."""
    macs: Count | None = None
    """Multiply-adds of one image's forward pass, in convolutions and matrix products."""
    memory_mib: PositiveReal | None = None
    """Memory of a training step at the experiment's batch size: weights, gradients, one optimizer state of the
    same size and the activations kept for backward, MiB."""
    latency_ms: PositiveReal | None = None
    """Forward pass of one image on the CPU of this machine, median, milliseconds."""
