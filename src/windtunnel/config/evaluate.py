"""How an experiment is evaluated: batch size, test-time augmentation, whether the test split is read."""

from windtunnel.config.base import Count, Flag, FrozenConfig
from windtunnel.config.tta import NoTta, TtaConfig


class EvaluateConfig(FrozenConfig):
    """How accuracy is measured."""

    batch_size: Count = 1000
    """Images a forward pass."""
    tta: TtaConfig = NoTta()
    """Test-time augmentation."""
    test: Flag = True
    """Read the test split once at the end; ``false`` leaves it unread (sweeps)."""
