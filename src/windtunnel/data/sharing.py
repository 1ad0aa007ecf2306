"""A data set that lies on a device once, for all processes that train on it: what its readers do.

A holder (:mod:`windtunnel.data.sharing_holder`) owns the memory and hands it out over a Unix socket. A reader keeps its
connection open for as long as it uses the images, so the kernel tells the holder of its end, however it ends. On CUDA
the memory goes over by CUDA IPC, on the CPU as an anonymous file of shared memory. Readers must not write: on the CPU
they would write a copy of their own, on CUDA nothing would stop them.
"""

import json
import mmap
import os
import pickle
import signal
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.multiprocessing.reductions import init_reductions

from windtunnel.core.types import ImageBytes
from windtunnel.data.open import OpenedData
from windtunnel.data.part import Part
from windtunnel.data.placement import NOT_SHARED, Sharing
from windtunnel.errors import WindtunnelError

ADDRESS_VARIABLE = "WINDTUNNEL_SHARED_DATA"
"""Names the socket of the holder a process is to read from; unset where every process has its own copy."""

PARTS = ("train", "validation")
"""What is shared: the test split is read once, at the end, by whoever asks for it."""

_LONGEST_MESSAGE, _MOST_FILES = 1 << 17, 8
_ANSWER_S = 20.0
_CHUNK, _ROWS = 1 << 20, 4096
_MODULUS = (1 << 61) - 1


class SharingError(WindtunnelError):
    """The images cannot be had from their holder; a copy of one's own always can."""


class Message(NamedTuple):
    """What a holder sends: a JSON text of what the parts are, and the files that hold them (on the CPU)."""

    text: bytes
    files: tuple[int, ...]


def use_shared_parts(data: OpenedData, device: torch.device) -> tuple[OpenedData, Sharing]:
    """Return ``data`` with its images taken from the holder this process was told of, and what came of it.

    Without a holder, or when it does not have these images, ``data`` comes back as it was: each part is then copied.
    """
    address = os.environ.get(ADDRESS_VARIABLE, "")
    if not address:
        return data, NOT_SHARED
    try:
        parts, holder = open_shared(Path(address), data, device)
    except SharingError as error:
        return data, Sharing(said=f"a copy of its own, since {error}")
    held = {name: replace(getattr(data, name), resident=images) for name, images in parts.items()}
    return replace(data, **held), Sharing(is_shared=True, said=f"shared by process {holder}")


def open_shared(address: Path, data: OpenedData, device: torch.device) -> tuple[dict[str, ImageBytes], int]:
    """Return the parts of ``data`` as the holder at ``address`` has them, checked, and the holder's process id.

    Raises:
        SharingError: nobody answers, it holds other images, or they do not arrive as they were sent.
    """
    connection, message = _ask(address)
    header = json.loads(message.text)
    try:
        parts = _open_parts(header, message.files, describe_data(data, device), device)
    except (SharingError, OSError, RuntimeError) as error:  # RuntimeError: CUDA refuses the handle
        connection.close()
        raise SharingError(f"what process {header['pid']} holds cannot be used: {error}") from error
    finally:
        for number in message.files:
            os.close(number)
    _keep(connection, _die if device.type == "cuda" else _go_on)
    return parts, int(header["pid"])


def describe_data(data: OpenedData, device: torch.device) -> dict[str, Any]:
    """Return what tells these images, on this device, from others."""
    splits = {name: digest for name, digest in data.split_digests.items() if name in PARTS}
    return {"digest": data.digest, "splits": splits, "device": device.type}


@dataclass(frozen=True)
class HeldPart:
    """A part as its holder has it.

    Args:
        images: images and labels on the device.
        checksum: of both, to be found again by every reader.
        files: on the CPU the anonymous files of shared memory they lie in; none on CUDA.
    """

    images: ImageBytes
    checksum: int
    files: tuple[int, ...] = ()


def hold_part(part: Part, device: torch.device) -> HeldPart:
    """Put a part on ``device`` where other processes can reach it."""
    images = part.load(device)
    if device.type != "cpu":
        return HeldPart(images, compute_checksum(images))
    files = (_write_file(images.images.permute(0, 2, 3, 1)), _write_file(images.labels))
    shared = _map_part(files, images.images.permute(0, 2, 3, 1).shape)
    return HeldPart(shared, compute_checksum(shared), files)


def pack(parts: dict[str, HeldPart], data: OpenedData, device: torch.device) -> Message:
    """Return what a reader needs to open ``parts``; to be made anew for every reader, since CUDA IPC counts them."""
    files = [number for part in parts.values() for number in part.files]
    described = {name: _describe_part(part, files) for name, part in parts.items()}
    header = {"pid": os.getpid(), "of": describe_data(data, device), "parts": described}
    return Message(json.dumps(header).encode(), tuple(files))


def compute_checksum(images: ImageBytes) -> int:
    """Return a number that changes with any byte of the images or labels, and with their order."""
    total = 0
    for values in (images.images.permute(0, 2, 3, 1).reshape(-1), images.labels):
        for chunk in values.split(_CHUNK):
            places = torch.arange(1, len(chunk) + 1, device=chunk.device)
            total = (total * 31 + int((chunk.long() * places).sum())) % _MODULUS
    return total


def _ask(address: Path) -> tuple[socket.socket, Message]:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.settimeout(_ANSWER_S)
    try:
        connection.connect(str(address))
        text, files, _, _ = socket.recv_fds(connection, _LONGEST_MESSAGE, _MOST_FILES)
    except OSError as error:
        connection.close()
        raise SharingError(f"no holder answers at {address} ({error})") from error
    if not text:
        connection.close()
        raise SharingError(f"the holder at {address} has no memory to share")
    return connection, Message(text, tuple(files))


def _open_parts(
    header: dict[str, Any], files: Sequence[int], wanted: dict[str, Any], device: torch.device
) -> dict[str, ImageBytes]:
    if header["of"] != wanted:
        raise SharingError("it is another data set")
    parts = {name: _receive(part, files, device) for name, part in header["parts"].items()}
    for name, images in parts.items():
        if compute_checksum(images) != header["parts"][name]["checksum"]:
            raise SharingError(f"the {name} images did not arrive as they were sent")
    return parts


def _describe_part(part: HeldPart, files: Sequence[int]) -> dict[str, Any]:
    if not part.files:
        init_reductions()  # teaches the pickler to send a handle on a GPU's memory instead of its bytes
        return {"checksum": part.checksum, "ipc": bytes(ForkingPickler.dumps(tuple(part.images))).hex()}
    count, channels, height, width = part.images.images.shape
    places = [files.index(number) for number in part.files]
    return {"checksum": part.checksum, "shape": [count, height, width, channels], "files": places}


def _receive(part: dict[str, Any], files: Sequence[int], device: torch.device) -> ImageBytes:
    if device.type == "cuda":
        torch.zeros(1, device=device)  # a context has to be there before memory of another one is mapped into it
        # from our own holder, over a socket in a private folder: CUDA's handles have no other form than a pickle
        return ImageBytes(*pickle.loads(bytes.fromhex(part["ipc"])))
    return _map_part([files[place] for place in part["files"]], part["shape"])


def _write_file(tensor: Tensor) -> int:
    """Return an anonymous file of shared memory that holds ``tensor``."""
    number = os.memfd_create("windtunnel")
    with os.fdopen(os.dup(number), "wb") as file:
        for rows in tensor.split(_ROWS):
            file.write(rows.contiguous().numpy().data)
    return number


def _map_part(files: Sequence[int], shape: Sequence[int]) -> ImageBytes:
    # a private mapping: pages are the holder's own until somebody writes, which then changes a copy
    pixels, labels = (mmap.mmap(number, 0, access=mmap.ACCESS_COPY) for number in files)
    images = torch.frombuffer(pixels, dtype=torch.uint8).reshape(*shape)
    return ImageBytes(images.permute(0, 3, 1, 2), torch.frombuffer(labels, dtype=torch.int64))


def _keep(connection: socket.socket, at_end: Callable[[], None]) -> None:
    """Hold the connection open for the rest of the process, and act when the holder ends before it."""
    connection.settimeout(None)

    def watch() -> None:
        with connection:
            connection.recv(1)
        at_end()

    threading.Thread(target=watch, name="shared data", daemon=True).start()


def _go_on() -> None:
    """Do nothing: the kernel keeps shared memory for as long as it is mapped."""


def _die() -> None:
    """End at once and save nothing: what CUDA makes of memory whose owner has ended is not defined."""
    os.kill(os.getpid(), signal.SIGKILL)
