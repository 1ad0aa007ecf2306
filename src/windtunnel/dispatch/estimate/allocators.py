"""What a list of allocations needs: the bytes live at once, and what torch's CUDA allocator reserves for them."""

from bisect import insort
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

_MEBIBYTE = 2**20


class Event(NamedTuple):
    """A block taken (``size`` above 0) or given back (``size`` below 0)."""

    block: int
    size: int


@dataclass(frozen=True)
class Peak:
    """The moment when most bytes are live.

    Args:
        bytes: live bytes.
        shares: label -> live bytes under it at that moment; blocks without a label count as ``""``.
    """

    bytes: int
    shares: dict[str, int]


def find_peak(events: Iterable[Event], labels: Mapping[int, str]) -> Peak:
    """Return the largest sum of live bytes and what it consists of.

    >>> find_peak([Event(0, 8), Event(1, 4), Event(0, -8), Event(2, 1)], {0: "weights"})
    Peak(bytes=12, shares={'weights': 8, '': 4})
    """
    live: dict[str, int] = {}
    total, peak = 0, Peak(0, {})
    for event in events:
        label = labels.get(event.block, "")
        live[label] = live.get(label, 0) + event.size
        total += event.size
        if total > peak.bytes:
            peak = Peak(total, dict(live))
    return peak


@dataclass
class _Pool:
    """Free blocks of one allocator pool as (size, segment, offset), smallest first."""

    free: list[tuple[int, int, int]] = field(default_factory=list)

    def take(self, size: int) -> tuple[int, int, int] | None:
        for index, block in enumerate(self.free):
            if block[0] >= size:
                return self.free.pop(index)
        return None

    def give(self, size: int, segment: int, offset: int) -> None:
        """Put a block back, joined with the free blocks that touch it."""
        start, end = offset, offset + size
        for block in [block for block in self.free if block[1] == segment]:
            if block[2] + block[0] == start:
                start = block[2]
            elif block[2] == end:
                end = block[2] + block[0]
            else:
                continue
            self.free.remove(block)
        insort(self.free, (end - start, segment, start))


class CudaCache:
    """torch's caching allocator on one stream: what it reserves for a list of allocations.

    Sizes are rounded to 512 bytes. Blocks up to 1 MiB come from segments of 2 MiB, those below 10 MiB from segments of
    20 MiB, larger ones from segments rounded to 2 MiB; the smallest free block that fits is split. Source: comments and
    constants of c10/cuda/CUDACachingAllocator.cpp, torch 2.9 to 2.13.
    """

    _ROUND, _SMALL, _LARGE = 512, _MEBIBYTE, 10 * _MEBIBYTE

    def __init__(self) -> None:
        self.reserved = 0
        self._pools = {True: _Pool(), False: _Pool()}
        self._held: dict[int, tuple[int, int, int, bool]] = {}
        self._segments = 0

    def run(self, events: Iterable[Event]) -> int:
        """Return the bytes reserved after all ``events``; nothing is ever given back to the device."""
        for event in events:
            if event.size > 0:
                self._allocate(event.block, event.size)
            elif event.block in self._held:
                size, segment, offset, small = self._held.pop(event.block)
                self._pools[small].give(size, segment, offset)
        return self.reserved

    def _allocate(self, block: int, wanted: int) -> None:
        size = -(-wanted // self._ROUND) * self._ROUND
        small = size <= self._SMALL
        found = self._pools[small].take(size) or self._new_segment(size)
        length, segment, offset = found
        rest = length - size
        if rest >= self._ROUND if small else rest > self._SMALL:
            self._pools[small].give(rest, segment, offset + size)
            length = size
        self._held[block] = (length, segment, offset, small)

    def _new_segment(self, size: int) -> tuple[int, int, int]:
        if size <= self._SMALL:
            length = 2 * _MEBIBYTE
        elif size < self._LARGE:
            length = 20 * _MEBIBYTE
        else:
            length = -(-size // (2 * _MEBIBYTE)) * 2 * _MEBIBYTE
        self.reserved += length
        self._segments += 1
        return length, self._segments, 0
