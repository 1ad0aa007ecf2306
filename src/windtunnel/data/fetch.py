"""Downloading the named sets: several mirrors, checksums, resuming, one process at a time."""

import hashlib
import http.client
import shutil
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from windtunnel.core.places import offline_switch
from windtunnel.data.locks import locked
from windtunnel.data.mirrors import Form, RemoteFile
from windtunnel.errors import DataError

# (file name, bytes there, bytes in all), called as bytes come in
Progress = Callable[[str, int, int], None]

_CHUNK = 1 << 18
_TIMEOUT_S = 30.0
_ATTEMPTS = 3  # of one address, as long as each brings the file further
_AGENT = "windtunnel (+https://pypi.org/project/windtunnel)"
_RANGE_REFUSED = 416


class _FetchFailure(Exception):
    """One address did not deliver the file; the next is tried."""


def fetch_set(name: str, folder: Path, forms: Sequence[Form], progress: Progress | None = None) -> list[Path]:
    """Download a set into ``folder`` unless it is there, and return its files.

    Each form is tried in turn, each of its files from each of its addresses. A file is written beside its name
    with ``.part`` appended, which a later call goes on from, and renamed once its sha256 is right; a file with a
    wrong one is deleted. A second process waits for the first and then finds the files there.

    Args:
        name: the set, for messages.
        folder: folder to download into; made when missing.
        forms: where from; see :data:`windtunnel.data.mirrors.MIRRORS`.
        progress: called with (file name, bytes there, bytes in all).

    Raises:
        DataError: offline, no address delivered a whole form, or the folder cannot be written.
    """
    try:
        for form in forms:
            if all(_is_complete(folder / file.name, file) for file in form.files):
                return [folder / file.name for file in form.files]
        if offline_switch():
            raise DataError(
                f"{name} is not in {folder} and the network is switched off; unset WINDTUNNEL_OFFLINE and "
                "HF_HUB_OFFLINE, or copy the files there"
            )
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / ".fetch.lock"):
            return _fetch_first_form(name, folder, forms, progress or _ignore)
    except OSError as error:
        raise DataError(f"cannot write {name} to {folder}: {error}; choose another folder with --into") from error


def _fetch_first_form(name: str, folder: Path, forms: Sequence[Form], progress: Progress) -> list[Path]:
    failures: list[str] = []
    for form in forms:
        try:
            return [_fetch_file(folder, file, progress, failures) for file in form.files]
        except _FetchFailure:
            continue
    told = "".join(f"\n  {failure}" for failure in failures)
    raise DataError(
        f"{name} could not be downloaded:{told}\nTry again later (what came is kept and resumed), or put the files "
        f"into {folder} by hand"
    )


def _fetch_file(folder: Path, file: RemoteFile, progress: Progress, failures: list[str]) -> Path:
    """Return the complete file, trying each address in turn; tells in ``failures`` why one did not do."""
    path = folder / file.name
    if _is_complete(path, file):
        return path
    part = folder / f"{file.name}.part"
    for url in file.urls:
        try:
            _fetch_from(url, part, file, progress)
        except _FetchFailure as failure:
            failures.append(f"{url}: {failure}")
            continue
        part.replace(path)
        return path
    raise _FetchFailure(f"{file.name}: no address delivered it")


def _fetch_from(url: str, part: Path, file: RemoteFile, progress: Progress) -> None:
    """Bring ``part`` to the whole verified file, or raise :class:`_FetchFailure`."""
    if urlsplit(url).scheme not in ("http", "https"):
        raise _FetchFailure("not an http address")
    for _ in range(_ATTEMPTS):
        before = _size(part)
        if before < file.size:
            _check_space(part, file.size - before)
            _download(url, part, file, progress)
        if _is_complete(part, file):
            return
        if _size(part) >= file.size:  # all of it and still not right; maybe the part began on another address
            part.unlink()
            if before == 0:
                raise _FetchFailure("the checksum is wrong; the file there is another one")
        elif _size(part) <= before:
            break
    raise _FetchFailure(f"the connection ended after {_size(part)} of {file.size} bytes")


def _download(url: str, part: Path, file: RemoteFile, progress: Progress) -> None:
    """Append to ``part`` what ``url`` sends; ends early without an error when the connection does."""
    start = _size(part)
    headers = {"User-Agent": _AGENT, **({"Range": f"bytes={start}-"} if start else {})}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=_TIMEOUT_S) as response:
            resumed = response.status == http.client.PARTIAL_CONTENT and _starts_at(response, start)
            done = start if resumed else 0
            with part.open("ab" if resumed else "wb") as out:
                while data := _receive(response):
                    done += len(data)
                    if done > file.size:
                        break
                    out.write(data)
                    progress(file.name, done, file.size)
    except HTTPError as error:
        if error.code == _RANGE_REFUSED:
            part.unlink(missing_ok=True)
        raise _FetchFailure(f"HTTP {error.code} {error.reason}") from error
    except (URLError, ConnectionError, TimeoutError, http.client.HTTPException) as error:
        raise _FetchFailure(f"not reached: {error}") from error
    if done > file.size:
        part.unlink(missing_ok=True)
        raise _FetchFailure(f"it is longer than {file.size} bytes; the file there is another one")


def _receive(response: http.client.HTTPResponse) -> bytes:
    """Return the next bytes, or none when the connection ended, in good order or not."""
    try:
        return response.read(_CHUNK)
    except (http.client.HTTPException, OSError):
        return b""


def _starts_at(response: http.client.HTTPResponse, start: int) -> bool:
    return (response.headers.get("Content-Range") or "").startswith(f"bytes {start}-")


def _is_complete(path: Path, file: RemoteFile) -> bool:
    if not path.is_file() or path.stat().st_size != file.size:
        return False
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() == file.sha256


def _check_space(part: Path, needed: int) -> None:
    if (free := shutil.disk_usage(part.parent).free) < needed:
        raise OSError(f"{needed / 2**20:.0f} MiB are needed and {free / 2**20:.0f} MiB are free")


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _ignore(name: str, done: int, total: int) -> None:
    """Show no progress."""
