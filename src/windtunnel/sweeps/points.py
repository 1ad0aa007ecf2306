"""What a search strategy is to a study: it proposes points and is told how they did."""

from dataclasses import dataclass
from typing import Literal, Protocol

from windtunnel.sweeps.space import Choices


@dataclass(frozen=True)
class Verdict:
    """How a point did, over all its seeds.

    Args:
        kind: ``measured``; ``pruned`` early for doing badly; ``infeasible``, not valid, over a limit or diverged, so
            that nobody wants it; ``unknown``, because its runs failed or were cancelled, which says nothing of it.
        value: mean of the metric over the runs that measured it, for measured and pruned points.
    """

    kind: Literal["measured", "pruned", "infeasible", "unknown"]
    value: float | None = None


class Points(Protocol):
    """A search strategy. Proposals are numbered; asked again for a number it gives the same point."""

    def has(self, number: int) -> bool:
        """Say whether there is a proposal ``number`` at all, now or later."""

    def is_ready(self, number: int, waiting: int) -> bool:
        """Say whether proposal ``number`` can be had while ``waiting`` points have no verdict yet."""

    def propose(self, number: int) -> Choices:
        """Return proposal ``number``."""

    def tell(self, number: int, verdict: Verdict) -> None:
        """Take note of how a point did; telling the same again changes nothing."""
