"""Reading members of a tar archive as a stream: nothing is ever extracted to disk."""

import gzip
import io
import tarfile
from collections.abc import Collection
from pathlib import Path, PurePosixPath

from windtunnel.data.guard import reading
from windtunnel.errors import DataError

# The largest archive read here, CIFAR's, unpacks to 186 MB.
_MAX_UNPACKED = 1 << 29
_MAX_MEMBERS = 10_000
_GZIP_MAGIC = b"\x1f\x8b"
_TAR_MAGIC, _TAR_MAGIC_AT = b"ustar", 257


def is_archive(path: Path) -> bool:
    """Return whether ``path`` is a file that begins as gzip or tar does."""
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        head = stream.read(_TAR_MAGIC_AT + len(_TAR_MAGIC))
    return head.startswith(_GZIP_MAGIC) or head[_TAR_MAGIC_AT:] == _TAR_MAGIC


def read_members(path: Path, wanted: Collection[str]) -> dict[str, bytes]:
    """Return the content of the files in ``path`` whose last name part is in ``wanted``, by that part.

    Args:
        path: a tar file, gzipped or not.
        wanted: file names without folders.

    Raises:
        DataError: damaged, larger than any known set, or a member is a link, a device or lies outside the
            archive's folder.
    """
    found: dict[str, bytes] = {}
    with reading(path, "a tar archive"), _open_bounded(path) as stream:
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for count, member in enumerate(archive):
                if count >= _MAX_MEMBERS:
                    raise ValueError(f"it has more than {_MAX_MEMBERS:,} members")
                _check_member(member, path)
                name = PurePosixPath(member.name).name
                if member.isfile() and name in wanted:
                    opened = archive.extractfile(member)
                    found[name] = opened.read() if opened else b""
    return found


def _check_member(member: tarfile.TarInfo, path: Path) -> None:
    inner = PurePosixPath(member.name)
    if inner.is_absolute() or ".." in inner.parts:
        raise DataError(f"{path}: refused, its member {member.name!r} points outside the archive")
    if not (member.isfile() or member.isdir()):
        raise DataError(f"{path}: refused, its member {member.name!r} is a link or a device")


def _open_bounded(path: Path) -> "_BoundedReader":
    with path.open("rb") as stream:
        zipped = stream.read(2) == _GZIP_MAGIC
    return _BoundedReader(gzip.open(path) if zipped else path.open("rb"))


class _BoundedReader(io.RawIOBase):
    """Reads a stream and stops with an error after as many bytes as no known set unpacks to."""

    def __init__(self, stream: io.BufferedIOBase | gzip.GzipFile) -> None:
        self._stream = stream
        self._left = _MAX_UNPACKED

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size if size >= 0 else self._left + 1)
        self._left -= len(data)
        if self._left < 0:
            raise ValueError(f"it unpacks to more than {_MAX_UNPACKED} bytes")
        return data

    def close(self) -> None:
        self._stream.close()
        super().close()
