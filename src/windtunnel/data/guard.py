"""Turning whatever a damaged file makes a library raise into one error that names the file."""

import lzma
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from tarfile import TarError

from windtunnel.errors import DataError

_DAMAGE = (
    OSError,
    EOFError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    SystemError,  # numpy's word for text of characters that Unicode does not have
    AssertionError,  # Pillow's and numpy's word for a state their own parsers rule out
    ArithmeticError,
    SyntaxError,  # Pillow's word for a broken PNG or GIF; numpy's for a broken .npy header
    tokenize.TokenError,  # numpy's for one that might be of Python 2
    RecursionError,
    NotImplementedError,  # zip members packed or encrypted in a way Python cannot undo
    RuntimeError,
    MemoryError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    UnpicklingError,
    TarError,
    zipfile.BadZipFile,
)


@contextmanager
def reading(path: Path | str, kind: str) -> Iterator[None]:
    """Raise :class:`DataError` naming ``path`` for anything that goes wrong while parsing it.

    The block must hold only the parsing of bytes nobody vouches for, since it hides the kind of the fault.

    Args:
        path: the file, or a place inside one, for the message.
        kind: what the file was taken for, e.g. ``"parquet file"``.
    """
    try:
        yield
    except DataError:
        raise
    except _DAMAGE as error:
        said = str(error).strip().split("\n")[0][:200] or type(error).__name__
        raise DataError(
            f"{path} cannot be read as {kind}: {said}; it may be cut short or damaged: fetch or copy it again"
        ) from error
