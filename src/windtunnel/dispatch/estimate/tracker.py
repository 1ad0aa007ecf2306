"""Watching tensors come and go: a dispatch mode that logs every storage of an eager computation."""

import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter
from torch.utils.weak import WeakIdKeyDictionary

from windtunnel.dispatch.estimate.allocators import Event


class StorageLog(TorchDispatchMode):
    """Logs the allocation and the release of every storage that an operator returns, each once.

    Entered within a fake-tensor mode it sees sizes without any memory being taken. What an operator takes and gives
    back within itself stays unseen, so it is asked for and logged under the label ``scratch``.

    Args:
        scratch: returns the bytes an operator, called with some arguments, holds besides its results.
    """

    def __init__(self, scratch: Callable[[Any, Sequence[Any]], int]) -> None:
        super().__init__()
        self._scratch = scratch
        self.events: list[Event] = []
        self.labels: dict[int, str] = {}
        self._blocks: Any = WeakIdKeyDictionary()
        self._count = 0

    def add(self, tensors: Iterable[torch.Tensor], label: str) -> None:
        """Log tensors that are there already and give them, or those logged before, a label."""
        for tensor in tensors:
            self._note(tensor)
            self.labels[self._blocks[tensor.untyped_storage()]] = label

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run the operator and log what it returns."""
        result = func(*args, **(kwargs or {}))
        for value in tree_iter(result):
            if isinstance(value, torch.Tensor):
                self._note(value)
        if size := self._scratch(func, args):
            block = self._next_block()
            self.labels[block] = "scratch"
            self.events += [Event(block, size), Event(block, -size)]
        return result

    def _note(self, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage in self._blocks:
            return
        block, size = self._next_block(), storage.nbytes()
        self._blocks[storage] = block
        if size:
            self.events.append(Event(block, size))
            weakref.finalize(storage, self.events.append, Event(block, -size))

    def _next_block(self) -> int:
        self._count += 1
        return self._count
