"""Drawing the parameters of a list of ops for many images at once."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int64
from torch import Tensor

from windtunnel.augment.instruction import Program, Step, Table
from windtunnel.augment.mix import MixingOp
from windtunnel.augment.op import Frame, Op, Params, Stream

# few enough images that their numbers stay in a CPU's caches, enough to make the cost of a call small
_CHUNK = 16384


@dataclass(frozen=True)
class Draw:
    """Parameters of n images; a slice of it belongs to a slice of the images.

    Args:
        params: one entry per op, in order, the mixing op included.
        table: what the backend does with them.
    """

    params: tuple[Params, ...]
    table: Table

    def __getitem__(self, rows: slice) -> "Draw":
        """Return the parameters of the images at ``rows``."""
        params = tuple({name: values[rows] for name, values in op.items()} for op in self.params)
        return Draw(params, self.table.rows(rows))

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.table.codes)


class Sampler:
    """Draws for a list of ops, each from a stream of its own."""

    def __init__(self, ops: Sequence[Op], mixing: MixingOp | None, *, seed: int, frame: Frame) -> None:
        self.ops = tuple(ops)
        self.mixing = mixing
        self.program = Program(tuple(slot for op in ops for slot in op.slots(frame)))
        self._seed = seed
        self._frame = frame

    def draw(self, ids: Int64[Tensor, " n"], epoch: int) -> Draw:
        """Draw every parameter of ``ids`` in ``epoch``: a pure function of (seed, epoch, id, op)."""
        parts = [self._draw_chunk(part, epoch) for part in torch.split(ids, _CHUNK)]
        return parts[0] if len(parts) == 1 else _join(parts)

    def _draw_chunk(self, ids: Int64[Tensor, " n"], epoch: int) -> Draw:
        seen: Counter[str] = Counter()
        params: list[Params] = []
        steps: list[Step] = []
        for op in self.ops:
            drawn = op.sample(Stream(self._seed, op.name, seen[op.name], epoch), ids, self._frame)
            params.append(drawn)
            steps.extend(op.encode(drawn, self._frame))
            seen[op.name] += 1
        if self.mixing is not None:
            stream = Stream(self._seed, self.mixing.name, 0, epoch)
            params.append(self.mixing.sample(stream, ids, self._frame))
        return Draw(tuple(params), self.program.pack(steps, ids))


def _join(parts: Sequence[Draw]) -> Draw:
    params = tuple(
        {name: torch.cat([part.params[index][name] for part in parts]) for name in first}
        for index, first in enumerate(parts[0].params)
    )
    codes = torch.cat([part.table.codes for part in parts])
    return Draw(params, Table(codes, torch.cat([part.table.arguments for part in parts])))
