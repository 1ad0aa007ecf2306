"""Images in folders named after their classes."""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from windtunnel.core.places import folder_name, name_place, user_path
from windtunnel.data.cache import Allocate, Decoded, load_cached
from windtunnel.data.decode import (
    CHANNELS,
    SUFFIXES,
    Mode,
    Row,
    decode_image,
    decode_into,
    detect_mode,
    read_image,
    refuse_other_kinds,
)
from windtunnel.data.guard import reading
from windtunnel.data.spec import DatasetSpec, RawDataset
from windtunnel.data.splitnames import SPLIT_NAMES, split_of
from windtunnel.errors import DataError


class ImageFolderSource:
    """A folder ``<split>/<class>/<image>``, or ``<class>/<image>`` for a set of one split.

    Splits go by their usual names (``train``; ``val``, ``valid``, ``validation`` or ``dev``; ``test`` or
    ``eval``). Classes are numbered in the order of their sorted names. Photos are turned as their EXIF orientation
    says. Hidden files and files that are no image by their suffix are left alone; images of kinds that are not read,
    and images in folders within a class, are errors.

    Args:
        path: the folder.
        image_size: height and width to resize to, pixels; None demands that all images have one size.
        mode: ``RGB`` for colour or ``L`` for grey; a file of the other kind is an error.
    """

    def __init__(self, *, path: str, image_size: int | None = None, mode: Mode = "RGB") -> None:
        self.path = user_path(path)
        self.size = (image_size, image_size) if image_size else None
        self.mode = mode

    def load(self, cache_dir: Path | None = None) -> RawDataset:
        """Return the set (see :class:`windtunnel.data.source.Source`)."""
        if not self.path.is_dir():
            raise DataError(f"{name_place(self.path)}: no such folder; data.source.path must hold <class>/<image>")
        images = _list_images(self.path)
        return load_cached(_FolderReader(self.path, images, self.mode, self.size), cache_dir)


@dataclass(frozen=True)
class _FolderReader:
    root: Path
    images: Mapping[str, Mapping[str, tuple[Path, ...]]]  # split -> class -> files
    mode: Mode
    size: tuple[int, int] | None

    @property
    def recipe(self) -> str:
        depth = len(self.root.parts)
        names = "\n".join("/".join(path.parts[depth:]) for path in self.files())
        size = f"{self.size}, JPEGs scaled while decoded" if self.size else "None"
        listed = hashlib.sha256(os.fsencode(names)).hexdigest()
        return f"folder {folder_name(self.root)} {self.mode} {size}, turned upright {listed}"

    def files(self) -> Sequence[Path]:
        return [path for classes in self.images.values() for paths in classes.values() for path in paths]

    def decode(self, allocate: Allocate) -> Decoded:
        names = {name: number for number, name in enumerate(sorted(self.images["train"]))}
        first = self.files()[0]
        height, width, _ = decode_image(read_image(first), str(first), self.mode, self.size).shape
        labels = {}
        for split, classes in self.images.items():
            numbers = [names[name] for name, paths in classes.items() for _ in paths]
            out = allocate(split, len(numbers), (height, width, CHANNELS[self.mode]))
            decode_into(out, _rows(classes), self.mode, self.size)
            labels[split] = np.asarray(numbers, dtype=np.int64)
        spec = DatasetSpec(folder_name(self.root), tuple(names), CHANNELS[self.mode], (height, width))
        return Decoded(spec, labels)


def detect_folder_mode(root: Path) -> Mode:
    """Return the colour mode of the first image in the folder ``root``.

    Raises:
        DataError: it holds no class folders, or that image is damaged.
    """
    first = next(path for classes in _list_images(root).values() for paths in classes.values() for path in paths)
    return detect_mode(read_image(first), str(first))


def _list_images(root: Path) -> dict[str, dict[str, tuple[Path, ...]]]:
    with reading(root, "an image folder"):
        parts = _find_parts(root)
        listed = {split: _list_classes(parts[split]) for split in SPLIT_NAMES if split in parts}
    known = listed["train"]
    if not known:
        raise DataError(f"{parts['train']}: holds no class folders; images must lie in <class>/<image>")
    for split, classes in listed.items():
        if unknown := sorted(set(classes) - set(known)):
            raise DataError(f"{parts[split]}: class {unknown[0]!r} is not among the {len(known)} of train")
    return listed


def _find_parts(root: Path) -> dict[str, Path]:
    """Return the folder of each split; the root itself is train when its folders are classes."""
    found: dict[str, Path] = {}
    others = []
    for child in _folders(root):
        split = split_of(child.name)
        if split is None:
            others.append(child)
        elif split in found:
            raise DataError(f"{root}: {found[split].name} and {child.name} both mean {split}; keep one of them")
        else:
            found[split] = child
    if others and not any(_folders(folder) for folder in found.values()):
        _refuse_part_like_class(root, found)
    if found and not others and "train" not in found:
        raise DataError(f"{root}: holds {', '.join(child.name for child in found.values())}, but no train folder")
    return found if "train" in found else {"train": root}


def _refuse_part_like_class(root: Path, found: Mapping[str, Path]) -> None:
    """Raise :class:`DataError` for a folder of images beside class folders that is named like a part of the set."""
    for folder in found.values():
        if _images_in(folder):
            raise DataError(
                f"{folder}: is it a part of the set or a class? Where it is a class, put all class folders into "
                f"{root / 'train'}; where it holds images without labels, keep them in a folder of their own"
            )


def _list_classes(folder: Path) -> dict[str, tuple[Path, ...]]:
    if loose := _images_in(folder):
        raise DataError(
            f"{loose[0]}: lies outside a class folder, so it has no label; move it into <class>/, or keep unlabelled "
            "images in a folder of their own"
        )
    listed = {child.name: _images_of_class(child) for child in _folders(folder)}
    if empty := [name for name, images in listed.items() if not images]:
        raise DataError(f"{folder / empty[0]}: holds no image ({', '.join(SUFFIXES)})")
    return listed


def _images_of_class(folder: Path) -> tuple[Path, ...]:
    refuse_other_kinds(folder.iterdir())
    for child in _folders(folder):
        if _images_in(child):
            raise DataError(
                f"{child}: lies within the class folder {folder.name}; images must lie in <class>/<image>, or in "
                "<part>/<class>/<image> with parts named train, val and test"
            )
    return _images_in(folder)


def _folders(folder: Path) -> list[Path]:
    return sorted(child for child in folder.iterdir() if child.is_dir() and not child.name.startswith("."))


def _images_in(folder: Path) -> tuple[Path, ...]:
    files = (path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    return tuple(sorted(_check_name(path) for path in files if not path.name.startswith(".") and path.is_file()))


def _check_name(path: Path) -> Path:
    """Refuse an image whose name is bytes and no text, as old archives bring them: no table could hold it."""
    try:
        path.name.encode()
    except UnicodeEncodeError:
        raise DataError(f"{path}: its name is not UTF-8; rename it, e.g. with `convmv -f latin1 -t utf8`") from None
    return path


def _rows(classes: Mapping[str, tuple[Path, ...]]) -> Iterator[Row]:
    for paths in classes.values():
        for path in paths:
            yield str(path), path
