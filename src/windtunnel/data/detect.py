"""What kind of data set a name or a path means."""

from collections.abc import Mapping
from pathlib import Path

from windtunnel.config.base import Component
from windtunnel.config.data import Cifar10, Cifar100, Digits, FashionMnist, ImageFolder, Mnist, Npz, Parquet
from windtunnel.core.places import user_path
from windtunnel.data.cifar import LAYOUTS, find_cifar
from windtunnel.data.folder import detect_folder_mode
from windtunnel.data.idx import find_idx
from windtunnel.data.named import NAMED_SETS
from windtunnel.data.parquet import find_shards
from windtunnel.errors import DataError
from windtunnel.registry import suggest

_BY_NAME: Mapping[str, type[Component]] = {
    "digits": Digits, "mnist": Mnist, "fashion_mnist": FashionMnist, "cifar10": Cifar10, "cifar100": Cifar100,
}  # fmt: skip


def detect_source(reference: str) -> Component:
    """Return the config of the source ``reference`` means: a named set, or the path of a file or folder.

    A path is read as arrays, parquet, IDX files, CIFAR batches or an image folder, whichever it looks like; a folder
    whose first image is grey as one of grey images.

    Raises:
        DataError: no such name and nothing at such a path.
    """
    if reference in _BY_NAME:
        return _BY_NAME[reference](name=reference)
    path = user_path(reference)
    if not path.exists():
        near = suggest(reference, _BY_NAME)
        hint = f"did you mean {near!r}?" if near else f"known sets: {', '.join(_BY_NAME)}"
        raise DataError(f"{reference!r} is no known set and no file or folder; {hint}")
    return _detect_form(path)


def _detect_form(path: Path) -> Component:
    if path.suffix.lower() == ".npz":
        return Npz(path=str(path))
    if find_shards(path):
        return Parquet(path=str(path))
    if idx := find_idx(path, NAMED_SETS["mnist"].spec):
        # both sets' files have the same names, their folders have not
        is_fashion = any("fashion" in folder.lower() for folder in idx.files()[0].absolute().parts[-4:-1])
        return FashionMnist(path=str(path)) if is_fashion else Mnist(path=str(path))
    found = {name: reader for name in LAYOUTS if (reader := find_cifar(path, NAMED_SETS[name].spec))}
    if found:
        # a folder of batches is told by their names; of an archive only the name is looked at
        hundred = "cifar10" not in found or ("cifar100" in found and "100" in found["cifar100"].paths[0].name)
        return Cifar100(path=str(path)) if hundred else Cifar10(path=str(path))
    return ImageFolder(path=str(path), mode=detect_folder_mode(path) if path.is_dir() else "RGB")
