"""The interface of everything images come from."""

from pathlib import Path
from typing import Protocol

from windtunnel.data.spec import RawDataset


class Source(Protocol):
    """A place that holds one data set."""

    def load(self, cache_dir: Path | None = None) -> RawDataset:
        """Return the set, decoded once and memory-mapped from then on.

        Args:
            cache_dir: folder of decoded sets; None takes :func:`windtunnel.core.places.cache_root`.

        Raises:
            DataError: the set is missing or damaged.
        """
