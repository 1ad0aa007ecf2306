"""Images to predict: a file, a folder of files or an array, without labels."""

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from windtunnel.data.decode import SUFFIXES, Mode, decode_image
from windtunnel.data.spec import DatasetSpec
from windtunnel.errors import DataError


@dataclass(frozen=True)
class UnlabelledImages:
    """Images and what to call each of them."""

    images: UInt8[Tensor, "n c h w"]
    names: tuple[str, ...]


def read_images(path: Path, *, like: DatasetSpec, resize: bool = False) -> UnlabelledImages:
    """Read an image, a folder of images or an ``.npz`` with an array ``images`` (n h w) or (n h w c), uint8.

    Args:
        path: the file or folder.
        like: the data set the model was trained on, which sets size and channels.
        resize: bring image files of another size to the one trained on, as the training data was; arrays never are.

    Raises:
        DataError: there are no images, or one is damaged or of another size.
    """
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES)
        if not files:
            raise DataError(f"{path} holds no image; looked for {', '.join(SUFFIXES)}")
        return _read_files(files, [str(file.relative_to(path)) for file in files], like, resize)
    if not path.is_file():
        raise DataError(f"no file or folder {path}; give an image, a folder of images or an .npz")
    if path.suffix.lower() == ".npz":
        return _read_npz(path, like)
    return _read_files([path], [path.name], like, resize)


def _read_files(files: list[Path], names: list[str], like: DatasetSpec, resize: bool) -> UnlabelledImages:
    mode: Mode = "RGB" if like.channels == 3 else "L"
    size = like.image_size if resize else None
    rows = [decode_image(file.read_bytes(), str(file), mode, size) for file in files]
    for file, row in zip(files, rows, strict=True):
        _check_shape(row.shape, str(file), like)
    return UnlabelledImages(_to_tensor(np.stack(rows)), tuple(names))


def _read_npz(path: Path, like: DatasetSpec) -> UnlabelledImages:
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as arrays:
            images = arrays["images"]
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} holds no array 'images' that can be read: {error}") from error
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or len(images) == 0:
        raise DataError(
            f"{path}: 'images' is {images.dtype} {images.shape}; it must be uint8 (n h w) or (n h w c), n > 0"
        )
    if images.ndim == 3:
        images = images[..., None]
    _check_shape(images.shape[1:], str(path), like)
    return UnlabelledImages(_to_tensor(images), tuple(str(index) for index in range(len(images))))


def _check_shape(shape: tuple[int, ...], name: str, like: DatasetSpec) -> None:
    wanted = (*like.image_size, like.channels)
    if tuple(shape) != wanted:
        raise DataError(f"{name} is {shape} (height, width, channels); the model was trained on {wanted}: resize it")


def _to_tensor(images: np.ndarray) -> UInt8[Tensor, "n c h w"]:
    return torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2)
