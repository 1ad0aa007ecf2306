"""Encoded images (PNG, JPEG, WebP, ...) into rows of one uint8 array, by several threads."""

import io
import os
import stat
import struct
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import ExifTags, Image

from windtunnel.data.cache import Pixels
from windtunnel.data.guard import reading
from windtunnel.data.progress import progress_bar
from windtunnel.errors import DataError

Mode = Literal["RGB", "L"]
# (what to call the image in an error, its encoded bytes or the file that holds them)
Row = tuple[str, bytes | Path]

CHANNELS: dict[str, int] = {"RGB": 3, "L": 1}
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")
SUFFIXES = (".png", ".jpg", ".jpeg", ".jfif", ".webp", ".bmp", ".gif")
OTHER_SUFFIXES = (".tif", ".tiff", ".heic", ".heif", ".avif", ".jp2", ".jxl", ".ppm", ".pgm")
"""Images too, but of kinds that are not read; to be said, not to be left out without a word."""

# A picture of more pixels than this is no input of a small-image classifier but a decompression bomb.
_MAX_PIXELS = 1 << 26
_MAX_FILE_BYTES = 1 << 28
_SPARE = 2
_CHUNK_ROWS = 64
_CHUNK_BYTES = 1 << 22
_CHUNKS_AHEAD = 2  # of each thread

# Modes that hold the same pixels in another packing, so that the conversion loses nothing.
_SAME_PIXELS = {"RGB": ("P", "RGBX"), "L": ("1",)}
# A JPEG that carries a preview, a depth or a brightness map behind the picture, as telephones write them.
_PHOTO_WITH_EXTRAS = "MPO"
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# What Pillow makes of a damaged one; the warning is an error where the user has made it one.
_DAMAGED_EXIF = (SyntaxError, ValueError, LookupError, TypeError, OSError, struct.error, UserWarning)


def decode_image(encoded: bytes, name: str, mode: Mode, size: tuple[int, int] | None) -> Pixels:
    """Return one image as (h w c) uint8, turned as its EXIF orientation says.

    Args:
        encoded: the file's content.
        name: what to call the image in an error.
        mode: wanted colour mode. A colour file whose three channels are equal counts as grey.
        size: height and width to resize to (antialiased, bicubic), pixels; None keeps the file's.

    Raises:
        DataError: damaged, too large, of another mode, with transparency or of several frames.
    """
    with _opened(encoded, name) as image:
        if size is not None:  # a JPEG is decoded at 1/2, 1/4 or 1/8 where that leaves at least twice the wanted size
            image.draft(image.mode, (_SPARE * max(size), _SPARE * max(size)))
        pixels = _to_mode(_turn_upright(image), name, mode)
        if size is not None and pixels.size != (size[1], size[0]):
            pixels = pixels.resize((size[1], size[0]), Image.Resampling.BICUBIC)
        array = np.asarray(pixels, dtype=np.uint8)
    return array if mode == "RGB" else array[:, :, None]


def read_image(path: Path) -> bytes:
    """Return the content of an image file.

    Raises:
        DataError: the file cannot be read, or is absurdly large.
    """
    with reading(path, "an image"):
        state = path.stat()
        if not stat.S_ISREG(state.st_mode):  # a pipe would be waited for, a device never ends
            raise ValueError("it is no regular file")
        if state.st_size > _MAX_FILE_BYTES:
            raise ValueError(f"{state.st_size} bytes is more than this reader takes")
        return path.read_bytes()


def refuse_other_kinds(files: Iterable[Path]) -> None:
    """Raise :class:`DataError` for the first file that is an image of a kind that is not read."""
    for path in files:
        if path.suffix.lower() in OTHER_SUFFIXES and not path.name.startswith("."):
            raise DataError(
                f"{path}: images of this kind are not read; convert it to PNG, or take it out of the folder"
            )


def detect_mode(encoded: bytes, name: str) -> Mode:
    """Return ``L`` for an image stored in grey and ``RGB`` for any other."""
    with _opened(encoded, name) as image:
        return "L" if image.mode in ("L", "1") else "RGB"


def decode_into(out: Pixels, rows: Iterable[Row], mode: Mode, size: tuple[int, int] | None) -> int:
    """Decode ``rows`` into ``out`` (n h w c) from the first row on.

    Several threads read and decode, a few chunks ahead of the slowest: memory does not grow with the set. Pillow
    lets other threads run while it decodes and resizes.

    Returns:
        The number of images decoded.

    Raises:
        DataError: one of them is damaged, or of another size than ``out``.
    """
    threads = len(os.sched_getaffinity(0))
    done = 0
    with _decoders(threads) as pool, progress_bar("decoding images", len(out)) as advance:
        jobs: deque[Future[int]] = deque()
        for chunk in _chunks(rows):
            jobs.append(pool.submit(_decode_rows, out[done : done + len(chunk)], chunk, mode, size))
            done += len(chunk)
            if len(jobs) > _CHUNKS_AHEAD * threads:
                advance(jobs.popleft().result())
        for job in jobs:
            advance(job.result())
    return done


@contextmanager
def _decoders(threads: int) -> Iterator[ThreadPoolExecutor]:
    """Yield a pool whose waiting jobs are dropped when one has failed."""
    pool = ThreadPoolExecutor(threads, "windtunnel-decode")
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _decode_rows(out: Pixels, rows: Sequence[Row], mode: Mode, size: tuple[int, int] | None) -> int:
    if len(rows) > len(out):
        raise DataError(f"{rows[-1][0]}: more images than the file declares")
    for row, (name, encoded) in enumerate(rows):
        pixels = decode_image(read_image(encoded) if isinstance(encoded, Path) else encoded, name, mode, size)
        if pixels.shape != out.shape[1:]:
            raise DataError(
                f"{name}: the image is {pixels.shape[1]}x{pixels.shape[0]} pixels and the first one was "
                f"{out.shape[2]}x{out.shape[1]}; make them one size, or set data.source.image_size where the "
                "source has it"
            )
        out[row] = pixels
    return len(rows)


@contextmanager
def _opened(encoded: bytes, name: str) -> Iterator[Image.Image]:
    """Yield the image with its header read and checked; pixels are decoded when they are asked for."""
    with reading(name, "an image"):
        try:
            with Image.open(io.BytesIO(encoded), formats=FORMATS) as image:
                _check_header(image, name)
                yield image
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise DataError(f"{name}: {error}") from error


def _check_header(image: Image.Image, name: str) -> None:
    width, height = image.size
    if width * height > _MAX_PIXELS:
        raise DataError(f"{name}: {width}x{height} pixels is more than this reader decodes ({_MAX_PIXELS})")
    if getattr(image, "n_frames", 1) > 1 and image.format != _PHOTO_WITH_EXTRAS:
        raise DataError(f"{name}: is an animation; save one frame of it")


def _turn_upright(image: Image.Image) -> Image.Image:
    """Return the image as a camera meant it to be shown; a damaged orientation is none, as to every viewer."""
    image.load()  # a PNG may hold its EXIF behind the pixels
    if "exif" not in image.info:
        return image
    try:
        turn = _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except _DAMAGED_EXIF:
        return image
    return image if turn is None else image.transpose(turn)


def _to_mode(image: Image.Image, name: str, mode: Mode) -> Image.Image:
    if not image.has_transparency_data:
        if image.mode == mode:
            return image
        if image.mode in _SAME_PIXELS[mode]:
            return image.convert(mode)
        if mode == "L" and image.mode in ("RGB", "P") and _is_grey(colours := image.convert("RGB")):
            return colours.getchannel(0)
    shown = {"L": "grey", "RGB": "colour"}
    stored = f"{image.mode} with transparency" if "transparency" in image.info else image.mode
    raise DataError(
        f"{name}: the image's mode is {stored} and the set is {mode} ({shown[mode]}); convert the file, "
        "or set data.source.mode where the source has it"
    )


def _is_grey(image: Image.Image) -> bool:
    array = np.asarray(image)
    return bool((array[..., 0] == array[..., 1]).all() and (array[..., 0] == array[..., 2]).all())


def _chunks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Yield ``rows`` in lists, short enough in number and in bytes that several can be held."""
    chunk: list[Row] = []
    held = 0
    for row in rows:
        chunk.append(row)
        held += 0 if isinstance(row[1], Path) else len(row[1])
        if len(chunk) == _CHUNK_ROWS or held >= _CHUNK_BYTES:
            yield chunk
            chunk, held = [], 0
    if chunk:
        yield chunk
