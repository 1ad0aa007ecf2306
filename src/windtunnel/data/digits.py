"""The handwritten digits that ship with scikit-learn: a data set for a machine without one."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

from windtunnel.data.cache import Allocate, Decoded, fill_array, load_cached
from windtunnel.data.spec import DatasetSpec, RawDataset
from windtunnel.data.split import stratified_parts

_LARGEST_VALUE = 16.0
_TEST_FRACTION = 0.2
_SPLIT_SEED = 0


class DigitsSource:
    """1,797 grey digits of 8x8 pixels, scikit-learn's copy of a UCI set (Alpaydin and Kaynak 1998).

    The copy has no test part, so a fifth of it, stratified by class, is one: 1,438 train, 359 test. Values
    0..16 become 0..255.
    """

    def load(self, cache_dir: Path | None = None) -> RawDataset:
        """Return the set (see :class:`windtunnel.data.source.Source`)."""
        return load_cached(_DigitsReader(), cache_dir)


@dataclass(frozen=True)
class _DigitsReader:
    @property
    def recipe(self) -> str:
        return f"digits of scikit-learn {version('scikit-learn')}"

    def files(self) -> Sequence[Path]:
        return ()

    def decode(self, allocate: Allocate) -> Decoded:
        from sklearn.datasets import load_digits  # takes a second to import; the cache spares it

        bunch = load_digits()
        images = np.rint(bunch.images * (255.0 / _LARGEST_VALUE)).astype(np.uint8)[..., None]
        labels = bunch.target.astype(np.int64)
        parts = stratified_parts(torch.from_numpy(labels), [1 - _TEST_FRACTION, _TEST_FRACTION], _SPLIT_SEED)
        found = {}
        for split, part in zip(("train", "test"), parts, strict=True):
            fill_array(allocate, split, images[part.numpy()])
            found[split] = labels[part.numpy()]
        return Decoded(DatasetSpec("digits", tuple("0123456789"), 1, (8, 8)), found)
