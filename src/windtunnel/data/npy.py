"""Arrays as numpy writes them, in files of their own or in an ``.npz``; nothing their headers say is believed."""

import math
import zipfile
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import psutil

_MOST_HEADER_BYTES = 1 << 16
_CHUNK_BYTES = 1 << 24
# Deflate cannot make more than 1032 bytes out of one; whoever says so lies.
_MOST_PACKED = 1032
_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


@dataclass(frozen=True)
class Header:
    """What a file declares of its array.

    Args:
        shape: sizes of its axes.
        dtype: type of its values.
        order: ``C`` or ``F``.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    order: str

    @property
    def num_bytes(self) -> int:
        """Bytes of its values."""
        return math.prod(self.shape) * self.dtype.itemsize


class _Head:
    """The first bytes of a stream, so that a header cannot ask for gigabytes."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._left = _MOST_HEADER_BYTES

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes; none behind the longest header there is."""
        data = self._stream.read(min(size, self._left))
        self._left -= len(data)
        return data


def read_header(stream: IO[bytes], name: str, stored: int) -> Header:
    """Return what the array in ``stream`` declares.

    Args:
        stream: at the array's beginning; afterwards at its values.
        name: what to call it in an error.
        stored: bytes the file has for it.

    Raises:
        ValueError: it is no array of numpy's, holds Python objects, or declares more than is stored.
    """
    head: Any = _Head(stream)
    version = np.lib.format.read_magic(head)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(head)
    header = Header(shape, dtype, "F" if fortran and len(shape) > 1 else "C")
    if dtype.hasobject:
        raise ValueError(f"{name} holds Python objects, which are never loaded")
    if min(shape, default=0) < 0 or header.num_bytes > stored:
        raise ValueError(f"{name} declares {header.num_bytes} bytes and its member holds {stored}")
    return header


def stored_bytes(member: zipfile.ZipInfo) -> int:
    """Return how many bytes a member of an ``.npz`` unpacks to.

    Raises:
        ValueError: it is packed in a way numpy does not write, or says it unpacks to more than it can.
    """
    if member.compress_type not in _PACKINGS:
        raise ValueError(f"{member.filename} is packed by method {member.compress_type}; numpy stores or deflates")
    if member.file_size > _MOST_PACKED * member.compress_size:
        raise ValueError(f"{member.filename} cannot hold {member.file_size} bytes in {member.compress_size}")
    return member.file_size


def read_values(stream: IO[bytes], header: Header, name: str) -> npt.NDArray[Any]:
    """Return the array whose values ``stream`` holds from here on.

    Raises:
        ValueError: it would not fit into memory.
        EOFError: it is cut short.
    """
    if header.num_bytes > (free := int(psutil.virtual_memory().available)):
        raise ValueError(f"{name} takes {header.num_bytes} bytes of memory and {free} are free")
    values = np.empty(header.num_bytes, dtype=np.uint8)
    read_into(stream, values, name)
    order: Any = header.order
    return np.frombuffer(values.data, dtype=header.dtype).reshape(header.shape, order=order)


def read_into(stream: IO[bytes], out: npt.NDArray[np.uint8], name: str) -> None:
    """Fill ``out`` from ``stream``, chunk by chunk.

    Raises:
        EOFError: there are not as many bytes.
    """
    target = out.reshape(-1)
    done = 0
    while done < target.size:
        data = stream.read(min(_CHUNK_BYTES, target.size - done))
        if not data:
            raise EOFError(f"{name} is cut short")
        target[done : done + len(data)] = np.frombuffer(data, dtype=np.uint8)
        done += len(data)
