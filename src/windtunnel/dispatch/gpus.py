"""The GPUs that this process may use, as NVIDIA's management library (NVML) has them; CUDA is not touched."""

import os
import re
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pynvml

_EXCLUSIVE = (pynvml.NVML_COMPUTEMODE_EXCLUSIVE_PROCESS, pynvml.NVML_COMPUTEMODE_EXCLUSIVE_THREAD)


@dataclass(frozen=True)
class Gpu:
    """A GPU, or an instance of one that is divided by MIG: what one CUDA process can have.

    Args:
        uuid: what CUDA_VISIBLE_DEVICES takes.
        name: the product's.
        is_exclusive: whether the driver lets one process at a time onto it.
    """

    uuid: str
    name: str
    is_exclusive: bool = False


def list_gpus() -> list[Gpu]:
    """Return the GPUs that CUDA_VISIBLE_DEVICES allows, in its order.

    There are none where there is no driver, or where torch was built for the CPU alone: runs could not use them.
    """
    if not _is_built_for_cuda(find_spec("torch")):
        return []
    try:
        pynvml.nvmlInit()
        found = _find_all()
    except pynvml.NVMLError:
        return []
    return _choose_visible(found, os.environ.get("CUDA_VISIBLE_DEVICES"))


def read_memory(uuid: str) -> tuple[int, int]:
    """Return the bytes of a GPU and how many of them nobody holds.

    Raises:
        NVMLError: the driver does not tell, e.g. of a GPU that shares the host's memory or has fallen off the bus.
    """
    pynvml.nvmlInit()  # counted by NVML and not shut down again: asked every second, starting it anew would cost
    memory = pynvml.nvmlDeviceGetMemoryInfo(pynvml.nvmlDeviceGetHandleByUUID(uuid))
    return int(memory.total), int(memory.free)


def _is_built_for_cuda(torch: ModuleSpec | None) -> bool:
    """Say whether torch can use CUDA, by what its build wrote down: importing it would take seconds."""
    if torch is None or torch.origin is None:
        return False
    try:
        text = Path(torch.origin).with_name("version.py").read_text(encoding="utf-8")
    except OSError:
        return True
    return re.search(r"^cuda\b[^=]*= None$", text, re.MULTILINE) is None


def _find_all() -> list[tuple[str, list[Gpu]]]:
    """Return every GPU's own UUID and what processes can have of it, in the order of its index."""
    found = []
    for index in range(pynvml.nvmlDeviceGetCount()):
        try:
            handle = pynvml.nvmlDeviceGetHandleByIndex(index)
            found.append((_text(pynvml.nvmlDeviceGetUUID(handle)), _split(handle)))
        except pynvml.NVMLError:  # lost, or kept from this process: CUDA does not count it either
            continue
    return found


def _split(handle: Any) -> list[Gpu]:
    """Return the GPU, or its MIG instances; nothing where no process may use it."""
    mode = _ask(pynvml.nvmlDeviceGetComputeMode, handle, 0)
    if mode == pynvml.NVML_COMPUTEMODE_PROHIBITED:
        return []
    whole = Gpu(_text(pynvml.nvmlDeviceGetUUID(handle)), _text(pynvml.nvmlDeviceGetName(handle)), mode in _EXCLUSIVE)
    current, _ = _ask(pynvml.nvmlDeviceGetMigMode, handle, (0, 0))
    if current != pynvml.NVML_DEVICE_MIG_ENABLE:
        return [whole]
    parts = [
        _ask(lambda index: pynvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, index), index, None)
        for index in range(pynvml.nvmlDeviceGetMaxMigDeviceCount(handle))
    ]
    return [
        Gpu(_text(pynvml.nvmlDeviceGetUUID(part)), _text(_ask(pynvml.nvmlDeviceGetName, part, whole.name)))
        for part in parts
        if part is not None
    ]


def _choose_visible(found: list[tuple[str, list[Gpu]]], setting: str | None) -> list[Gpu]:
    """Return what ``setting`` names by index or UUID; it ends at the first that is not there, as CUDA's does."""
    if setting is None:
        return [gpu for _, parts in found for gpu in parts]
    chosen: list[Gpu] = []
    for word in (part.strip() for part in setting.split(",")):
        named = _find_named(found, word)
        if not named or named[0] in chosen:
            break
        chosen += named
    return chosen


def _find_named(found: list[tuple[str, list[Gpu]]], word: str) -> list[Gpu]:
    if word.isdecimal():
        return found[int(word)][1] if int(word) < len(found) else []
    wholes = [parts for uuid, parts in found if word and uuid.startswith(word)]
    if len(wholes) == 1:
        return wholes[0]
    parts = [gpu for _, parts in found for gpu in parts if word and gpu.uuid.startswith(word)]
    return parts if len(parts) == 1 else []


def _ask(question: Any, subject: Any, otherwise: Any) -> Any:
    """Return NVML's answer, or ``otherwise`` from a driver or GPU that does not know the question."""
    try:
        return question(subject)
    except pynvml.NVMLError:
        return otherwise


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
