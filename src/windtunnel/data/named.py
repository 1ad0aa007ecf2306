"""The named public sets, in whatever public form they lie on disk."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from windtunnel.core.places import user_path
from windtunnel.data.cache import Allocate, Decoded, Pixels, Reader, load_cached
from windtunnel.data.cifar import LAYOUTS, find_cifar
from windtunnel.data.classnames import CIFAR10, CIFAR100, DIGITS, FASHION
from windtunnel.data.decode import Mode
from windtunnel.data.idx import find_idx
from windtunnel.data.parquet import ParquetReader, find_shards
from windtunnel.data.paths import search_places
from windtunnel.data.spec import DatasetSpec, RawDataset
from windtunnel.errors import DataError


@dataclass(frozen=True)
class NamedSet:
    """A public set.

    Args:
        spec: its facts; the statistics are those the literature normalises with.
        counts: images of each split.
        aliases: other names its folder or archive goes by.
        forms: the file forms it is published in, for messages.
    """

    spec: DatasetSpec
    counts: Mapping[str, int]
    aliases: tuple[str, ...]
    forms: str

    @property
    def mode(self) -> Mode:
        """Colour mode of its images."""
        return "L" if self.spec.channels == 1 else "RGB"


_GREY_FORMS = "parquet files or the four IDX files (gz or not)"
_CIFAR_FORMS = "parquet files, the python tar.gz or the folder it unpacks to"

NAMED_SETS: Mapping[str, NamedSet] = {
    "mnist": NamedSet(
        DatasetSpec("mnist", DIGITS, 1, (28, 28), (0.1307,), (0.3081,)),
        {"train": 60_000, "test": 10_000},
        ("MNIST", "MNIST/raw"),
        _GREY_FORMS,
    ),
    "fashion_mnist": NamedSet(
        DatasetSpec("fashion_mnist", FASHION, 1, (28, 28), (0.2860,), (0.3530,)),
        {"train": 60_000, "test": 10_000},
        ("fashion-mnist", "FashionMNIST", "FashionMNIST/raw"),
        _GREY_FORMS,
    ),
    "cifar10": NamedSet(
        DatasetSpec("cifar10", CIFAR10, 3, (32, 32), (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
        {"train": 50_000, "test": 10_000},
        ("cifar-10", "cifar-10-batches-py", "cifar-10-python.tar.gz"),
        _CIFAR_FORMS,
    ),
    "cifar100": NamedSet(
        DatasetSpec("cifar100", CIFAR100, 3, (32, 32), (0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)),
        {"train": 50_000, "test": 10_000},
        ("cifar-100", "cifar-100-python", "cifar-100-python.tar.gz"),
        _CIFAR_FORMS,
    ),
}


class NamedSource:
    """A named public set, found where the user keeps data.

    Args:
        name: one of :data:`NAMED_SETS`.
        path: folder or file that holds it; None looks in ``$WINDTUNNEL_DATA_DIR`` and the download folder.
    """

    def __init__(self, name: str, *, path: str | None = None) -> None:
        self.known = NAMED_SETS[name]
        self.path = user_path(path) if path else None

    def load(self, cache_dir: Path | None = None) -> RawDataset:
        """Return the set (see :class:`windtunnel.data.source.Source`)."""
        return load_cached(_Checked(self.find_reader(), self.known), cache_dir)

    def places(self) -> list[Path]:
        """Return the places the set is looked for in, in order."""
        name = self.known.spec.name
        return [self.path] if self.path else search_places(name, self.known.aliases)

    def find_reader(self) -> Reader:
        """Return the reader of the first public form found; one that lacks a part only where no whole one is.

        Raises:
            DataError: there is none.
        """
        return self._find_form()[0]

    def missing_parts(self) -> list[str]:
        """Return the parts, such as ``test``, that the form found lacks.

        Raises:
            DataError: there is none.
        """
        _, splits = self._find_form()
        return [split for split in self.known.counts if split not in splits]

    def _find_form(self) -> tuple[Reader, set[str]]:
        places = self.places()
        found: list[tuple[Reader, set[str]]] = []
        for reader, splits in (form for place in places for form in _find_forms(place, self.known)):
            if splits.issuperset(self.known.counts):
                return reader, splits
            found.append((reader, splits))
        if found:
            return found[0]
        name = self.known.spec.name
        looked = "".join(f"\n  {place}" for place in places)
        raise DataError(
            f"{name}: not found. Looked for {self.known.forms} in:{looked}\n"
            f"Get it with `windtunnel data fetch {name}`, set WINDTUNNEL_DATA_DIR to the folder that holds a "
            f"{name} folder, or set data.source.path"
        )


def mnist(*, path: str | None = None) -> NamedSource:
    """Return MNIST's source; see :class:`NamedSource`."""
    return NamedSource("mnist", path=path)


def fashion_mnist(*, path: str | None = None) -> NamedSource:
    """Return Fashion-MNIST's source; see :class:`NamedSource`."""
    return NamedSource("fashion_mnist", path=path)


def cifar10(*, path: str | None = None) -> NamedSource:
    """Return CIFAR-10's source; see :class:`NamedSource`."""
    return NamedSource("cifar10", path=path)


def cifar100(*, path: str | None = None) -> NamedSource:
    """Return CIFAR-100's source; see :class:`NamedSource`."""
    return NamedSource("cifar100", path=path)


def _find_forms(place: Path, known: NamedSet) -> Iterator[tuple[Reader, set[str]]]:
    """Yield the reader of each form at ``place`` and the parts it has: a download may have left half of one."""
    if shards := find_shards(place):
        yield ParquetReader(shards, known.spec.name, mode=known.mode), set(shards)
    if known.spec.name in LAYOUTS:
        if batches := find_cifar(place, known.spec):
            yield batches, set(batches.layout.batches)
    elif idx := find_idx(place, known.spec):
        yield idx, set(idx.pairs)


@dataclass(frozen=True)
class _Checked:
    """Holds a reader's result against what is publicly known of the set."""

    reader: Reader
    known: NamedSet

    @property
    def recipe(self) -> str:
        return self.reader.recipe

    def files(self) -> Sequence[Path]:
        return self.reader.files()

    def decode(self, allocate: Allocate) -> Decoded:
        spec = self.known.spec
        wanted = (*spec.image_size, spec.channels)

        def checked(split: str, count: int, shape: tuple[int, int, int]) -> Pixels:
            if shape != wanted:
                raise DataError(
                    f"{self.files()[0]}: images of (height, width, channels) {shape}, but {spec.name} has {wanted}; "
                    "this is another data set"
                )
            return allocate(split, count, shape)

        decoded = self.reader.decode(checked)
        if missing := [split for split in self.known.counts if split not in decoded.labels]:
            raise DataError(
                f"{self.files()[0].parent}: holds no {missing[0]} part of {spec.name}; fetch or copy it again"
            )
        names = decoded.spec.class_names
        numbered = names == tuple(str(index) for index in range(len(names)))
        if len(names) > len(spec.class_names) or (len(names) < len(spec.class_names) and not numbered):
            raise DataError(
                f"{self.files()[0]}: {len(names)} classes, but {spec.name} has {len(spec.class_names)}; "
                "this is another data set"
            )
        return Decoded(spec, decoded.labels)
