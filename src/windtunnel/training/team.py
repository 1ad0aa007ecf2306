"""Several processes that train one run together, and the few things they say to each other.

Every process runs the same code on its share of each batch. Gradients and sums are added up on the device; what only
one process can know (a signal, the clock, validation) is told by the leader, which alone writes to disk.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, distributed, nn

from windtunnel.core.device import resolve_device
from windtunnel.data.planning import Share

T = TypeVar("T")

# Exit code of a process that lost another one, so that whoever started them looks for the one that ended first.
LOST_ANOTHER = 70

# The others may have to wait for a long evaluation; a process that has died is noticed at once all the same.
_PATIENCE = timedelta(days=7)


@dataclass(frozen=True)
class Team:
    """One process's view of all; a team of one does nothing.

    Args:
        rank: this process, from 0, the leader.
        size: processes.
        local_rank: this process among those of its machine, the GPU it takes.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @property
    def is_leader(self) -> bool:
        """Whether this process writes the run folder."""
        return self.rank == 0

    @property
    def share(self) -> Share:
        """This process's part of every batch."""
        return Share(self.rank, self.size)

    @property
    def stream(self) -> tuple[int, ...]:
        """What sets this process's random stream (dropout) apart; nothing for the leader, as for a single process."""
        return () if self.is_leader else (self.rank,)

    def resolve_device(self, name: str) -> torch.device:
        """Return this process's device: of several GPUs its own."""
        device = resolve_device(name)
        return torch.device("cuda", self.local_rank) if self.size > 1 and device.type == "cuda" else device

    def describe(self, batch_norm: str) -> str:
        """Return who trains and what batch norm is taken over, in words; nothing for a team of one."""
        over = {"local": "each one's share of a batch", "synced": "the whole batch"}
        return f"{self.size} processes, batch norm over {over[batch_norm]}" if self.size > 1 else ""

    def sync_batch_norm(self, model: nn.Module) -> nn.Module:
        """Return ``model`` with batch norm over the whole batch."""
        if self.size == 1:
            return model
        synced: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(model)
        return synced

    def sum_gradients(self, model: nn.Module, *, mean: bool) -> None:
        """Replace every gradient by its sum, or mean, over the processes."""
        if self.size == 1:
            return
        gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
        flat = self.sum(torch.cat([gradient.reshape(-1).float() for gradient in gradients]))
        pieces = (flat / self.size if mean else flat).split([gradient.numel() for gradient in gradients])
        for gradient, piece in zip(gradients, pieces, strict=True):
            gradient.copy_(piece.view(gradient.shape))

    def sum(self, values: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Replace ``values`` by their sum over the processes and return them."""
        if self.size > 1:
            with _losing_others():
                distributed.all_reduce(values)
        return values

    def align(self, model: nn.Module) -> None:
        """Give every process the leader's weights and buffers."""
        if self.size > 1:
            with _losing_others(), torch.no_grad():
                for tensor in (*model.parameters(), *model.buffers()):
                    whole = tensor.detach().contiguous()
                    distributed.broadcast(whole, 0)
                    tensor.copy_(whole)

    def agree(self, value: T) -> T:
        """Return the leader's ``value``."""
        if self.size == 1:
            return value
        told = [value]
        with _losing_others():
            distributed.broadcast_object_list(told, 0, device=torch.device("cpu"))
        return told[0]

    def agree_number(self, value: int) -> int:
        """Return the leader's ``value``: quicker than :meth:`agree`, for every step, and no GPU is waited for."""
        if self.size == 1:
            return value
        told = torch.tensor([value])
        with _losing_others():
            distributed.broadcast(told, 0)
        return int(told)

    def gather(self, value: T) -> list[T]:
        """Return the ``value`` of every process, by rank."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        with _losing_others():
            distributed.all_gather_object(values, value)
        return values

    def wait(self) -> None:
        """Wait until every process is here."""
        self.sum(torch.zeros(1))

    @contextmanager
    def leader_first(self) -> Iterator[None]:
        """Let the leader through the block before the others: what it writes they find, and it alone complains."""
        if not self.is_leader:
            self.wait()
        yield
        if self.is_leader:
            self.wait()


ALONE = Team()


@contextmanager
def join_team() -> Iterator[Team]:
    """Yield the team this process was started in by torchrun, or a team of one; the last thing it does is wait."""
    size = int(os.environ["WORLD_SIZE"]) if "TORCHELASTIC_RUN_ID" in os.environ else 1
    if size == 1:
        yield ALONE
        return
    team = Team(int(os.environ["RANK"]), size, int(os.environ["LOCAL_RANK"]))
    if torch.cuda.is_available():
        torch.cuda.set_device(team.local_rank % torch.cuda.device_count())
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    distributed.init_process_group(backend, timeout=_PATIENCE)
    try:
        yield team
        team.wait()
    finally:
        distributed.destroy_process_group()


@contextmanager
def _losing_others() -> Iterator[None]:
    """End this process quietly when another one is gone; the one that started them says which."""
    try:
        yield
    except RuntimeError as error:
        raise SystemExit(LOST_ANOTHER) from error
