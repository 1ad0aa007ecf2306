"""Dropping whole residual paths while training. Source: Huang et al. 2016, arXiv 1603.09382."""

from jaxtyping import Float
from torch import Tensor, nn


def rising_rates(last: float, count: int) -> list[float]:
    """Return probabilities that rise linearly from 0 at the first of ``count`` paths to ``last``.

    >>> rising_rates(0.2, 3)
    [0.0, 0.1, 0.2]
    """
    return [last * index / max(count - 1, 1) for index in range(count)]


class StochasticDepth(nn.Module):
    """Set each sample's path to zero with probability ``p`` while training, scaled to keep the mean.

    Args:
        p: probability, 0 to below 1.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, path: Float[Tensor, "b ..."]) -> Float[Tensor, "b ..."]:
        """Return the path, samples dropped."""
        if not self.training or self.p == 0:
            return path
        kept = path.new_empty(path.shape[0], *(1,) * (path.ndim - 1)).bernoulli_(1 - self.p)
        return path * (kept / (1 - self.p))
