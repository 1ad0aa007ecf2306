"""Arrays of images without labels: which of a file's arrays they are, how they lie, and what each is called."""

import math
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from windtunnel.data.cache import Pixels
from windtunnel.data.guard import reading
from windtunnel.data.npy import read_header, read_values, stored_bytes
from windtunnel.data.pickled import load_pickled_arrays
from windtunnel.data.spec import DatasetSpec
from windtunnel.errors import DataError

IMAGE_KEYS = ("images", "data")
ID_KEYS = ("ids", "id", "filenames")
LONGEST_NAME = 4096


def find_arrays(arrays: Mapping[str, Any], path: Path) -> tuple[Any, Any]:
    """Return the images among ``arrays``, and the ids or None.

    Raises:
        DataError: none or several of them could be the images or the ids.
    """
    image_keys = [key for key in IMAGE_KEYS if key in arrays]
    id_keys = [key for key in ID_KEYS if key in arrays]
    if len(image_keys) != 1:
        listed = ", ".join(sorted(arrays)) or "nothing"
        raise DataError(f"{path} holds {listed}; it must hold exactly one of {' and '.join(IMAGE_KEYS)}")
    if len(id_keys) > 1:
        raise DataError(f"{path} holds {' and '.join(id_keys)}; keep the one that names the images")
    return arrays[image_keys[0]], arrays[id_keys[0]] if id_keys else None


def arrange_images(images: Any, path: Path, like: DatasetSpec) -> Pixels:
    """Return ``images`` as (n h w c), whichever way they lie; rows of CIFAR hold one plane a channel.

    Raises:
        DataError: no array of uint8, empty, or of another size than ``like``.
    """
    (height, width), channels = like.image_size, like.channels
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.ndim not in (2, 3, 4):
        said = f"{images.dtype} {images.shape}" if isinstance(images, np.ndarray) else type(images).__name__
        raise DataError(f"{path}: the images are {said}; they must be a uint8 array of (n h w c)")
    if len(images) == 0:
        raise DataError(f"{path} holds no image; its array is {images.shape}")
    shape = images.shape[1:]
    if shape == (height, width, channels):
        return _own(images)
    if shape in {(channels, height, width), (math.prod((channels, height, width)),)}:
        planes = images.reshape(-1, channels, height, width)
        return _own(planes.transpose(0, 2, 3, 1))
    if channels == 1 and shape == (height, width):
        return _own(images[..., None])
    raise DataError(
        f"{path}: each image is {shape}; the model was trained on {(height, width, channels)} (height, width, "
        "channels): resize them, or use the run that was trained on this size"
    )


def _own(images: Pixels) -> Pixels:
    """Return ``images`` in C order in memory that can be written, which torch insists on."""
    return np.require(images, requirements=["C", "W"])


def as_names(ids: Any, count: int, path: Path) -> tuple[str, ...]:
    """Return ``ids`` as text, one for each of ``count`` images; None numbers them from 0.

    Raises:
        DataError: they are no whole numbers or text, or not as many as the images.
    """
    if ids is None:
        return tuple(str(index) for index in range(count))
    with reading(path, "ids of images"):
        values = ids.tolist() if isinstance(ids, np.ndarray) and ids.ndim == 1 else ids
    if not isinstance(values, list | tuple) or not all(_is_name(value) for value in values):
        raise DataError(f"{path}: the ids are {type(ids).__name__}, not a list of whole numbers or short text")
    if len(values) != count:
        raise DataError(f"{path} holds {count} images and {len(values)} ids")
    with reading(path, "ids of images"):
        return tuple(value.decode("utf-8") if isinstance(value, bytes) else str(value) for value in values)


def _is_name(value: Any) -> bool:
    if isinstance(value, str | bytes):
        return len(value) <= LONGEST_NAME
    return isinstance(value, int) and not isinstance(value, bool)


def _read_npz(path: Path) -> Mapping[str, Any]:
    wanted = {*IMAGE_KEYS, *ID_KEYS}
    with reading(path, "an .npz file"), zipfile.ZipFile(path) as archive:
        names = [member.removesuffix(".npy") for member in archive.namelist()]
        return {name: _read_member(archive, name) if name in wanted else None for name in names}


def _read_member(archive: zipfile.ZipFile, name: str) -> Any:
    with archive.open(f"{name}.npy") as stream:
        header = read_header(stream, name, stored_bytes(archive.getinfo(f"{name}.npy")))
        return read_values(stream, header, name)


def _read_npy(path: Path) -> Mapping[str, Any]:
    with reading(path, "an .npy file"), path.open("rb") as file:
        return {"images": read_values(file, read_header(file, "the array", path.stat().st_size), "the array")}


def _read_pickle(path: Path) -> Mapping[str, Any]:
    with reading(path, "a pickled dict of arrays"):
        found: dict[str, Any] = load_pickled_arrays(path.read_bytes(), "bytes, whole numbers and text")
    return found


# suffix -> reader; CIFAR's own batches have no suffix
ARRAY_READERS: Mapping[str, Callable[[Path], Mapping[str, Any]]] = MappingProxyType(
    {".npz": _read_npz, ".npy": _read_npy, ".pkl": _read_pickle, ".pickle": _read_pickle, "": _read_pickle}
)
