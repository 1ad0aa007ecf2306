"""Random numbers as a function of what they are for: no generator state, so no order to get wrong.

Every stream has a key made from the run's seed and a path of names; every number is a hash of its key, the
image it belongs to and its slot. The hash is splitmix64's finaliser (Steele et al. 2014, "Fast splittable
pseudorandom number generators") on int64 tensors, so CPU and GPU agree bit for bit.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float, Int64
from torch import Tensor

# splitmix64's constants as signed 64-bit numbers
_MULTIPLY_1 = 0xBF58476D1CE4E5B9 - (1 << 64)
_MULTIPLY_2 = 0x94D049BB133111EB - (1 << 64)
_GOLDEN = 0x9E3779B97F4A7C15 - (1 << 64)


def derive_seed(seed: int, *path: str | int) -> int:
    """Return the seed of the stream ``path`` under ``seed``, in 0 .. 2**63 - 1.

    >>> derive_seed(0, "order", 3) == derive_seed(0, "order", 3)
    True
    >>> derive_seed(0, "order", 3) == derive_seed(0, "order", 4)
    False
    """
    text = "\x1f".join([str(seed), *(f"{type(part).__name__}:{part}" for part in path)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") >> 1


def uniforms(key: int, ids: Int64[Tensor, " n"], slots: int) -> Float[Tensor, "slots n"]:
    """Return ``slots`` float32 numbers in [0, 1) for each id: a pure function of (key, id, slot).

    Args:
        key: stream key from :func:`derive_seed`.
        ids: data set index of each image.
        slots: numbers wanted for each image.

    """
    base = _mix(_mix(ids) + key)
    counters = torch.arange(1, slots + 1, device=ids.device, dtype=torch.int64)[:, None] * _GOLDEN
    return ((_mix(base + counters) >> 40) & 0xFFFFFF).float() * 2.0**-24


def permutation(key: int, size: int) -> Int64[Tensor, " n"]:
    """Return a random order of ``range(size)`` on the CPU, the same for the same key."""
    return torch.randperm(size, generator=torch.Generator().manual_seed(key))


@contextmanager
def seeded(key: int) -> Iterator[None]:
    """Seed torch's global generators inside the block and put the caller's state back afterwards."""
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(key)
        yield


def _mix(state: Tensor) -> Tensor:
    # the masks turn torch's arithmetic right shift into a logical one
    state = (state ^ ((state >> 30) & 0x3FFFFFFFF)) * _MULTIPLY_1
    state = (state ^ ((state >> 27) & 0x1FFFFFFFFF)) * _MULTIPLY_2
    return state ^ ((state >> 31) & 0x1FFFFFFFF)
