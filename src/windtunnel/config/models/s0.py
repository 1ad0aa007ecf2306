"""S0's models as lists of blocks; edit a copy of the list to change one.

The trunk is BN4's, whose listing survives in the report (its Figure 7); the others are the same trunk with other
blocks. The listing's "padding=2" on 3x3 convolutions and its missing pools cannot give the 1024 features of its
head; same padding and a pool after each of the four transitions do, so that is what stands here. The branch
models' layout is a reconstruction from the text alone: three to six bottleneck branches, more of them deeper.
Concatenating branches (V1) multiply the channels, so each is followed by a 1x1 convolution that takes them back.
Averaging ones (V2) use reduction 2, which makes bnv2 about as large as res_v1, as the report says.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Fields = Mapping[str, Any]

# (channels, kernel of the transition, blocks) of each stage
_STAGES = ((32, 5, 3), (64, 5, 3), (128, 3, 6), (256, 3, 6))
_HEAD: Fields = {"name": "head", "pool": "flatten", "hidden": 64}
_BRANCHES = (3, 4, 5, 6)


def _trunk(stage: Callable[[int, int], Sequence[Fields]]) -> Fields:
    """Return a network whose stage of index i and n blocks is ``stage(i, n)``."""
    blocks: list[Fields] = []
    for index, (channels, kernel, count) in enumerate(_STAGES):
        blocks.append({"name": "conv", "out_channels": channels, "kernel_size": kernel, "pool": 2})
        blocks.extend(stage(index, count))
    return {"name": "sequential", "blocks": [*blocks, _HEAD]}


def _run_of(block: Fields) -> Fields:
    return _trunk(lambda _, count: [{"name": "chain", "blocks": [block], "repeat": count}])


def _highway_of(block: Fields) -> Fields:
    return _trunk(lambda _, count: [{"name": "highway", "blocks": [block], "repeat": count}])


def _branches_of(block: Fields, *, combine: str, normalize: bool) -> Fields:
    def stage(index: int, count: int) -> Sequence[Fields]:
        branch = {
            "name": "branch",
            "branches": [block] * _BRANCHES[index],
            "combine": combine,
            "normalize": normalize,
        }
        back = {"name": "conv", "out_channels": _STAGES[index][0], "kernel_size": 1}
        blocks = [branch, back] if combine == "concat" else [branch]
        return [{"name": "chain", "blocks": blocks, "repeat": count}]

    return _trunk(stage)


_BN4: Fields = {"name": "bottleneck", "reduction": 4}
_BN2: Fields = {"name": "bottleneck", "reduction": 2}

S0_PRESETS: Mapping[str, Fields] = {
    "res_v1": _run_of({"name": "residual"}),
    "bn4": _run_of(_BN4),
    "bn8": _run_of({"name": "bottleneck", "reduction": 8}),
    "dbn": _run_of({"name": "double_encode", "first": 4, "second": 2}),
    "hwy_v1": _highway_of(_BN4),
    "hwy_v2": _highway_of({"name": "residual"}),
    "bv1": _branches_of(_BN4, combine="concat", normalize=False),
    "bnv1": _branches_of(_BN4, combine="concat", normalize=True),
    "bv2": _branches_of(_BN2, combine="mean", normalize=False),
    "bnv2": _branches_of(_BN2, combine="mean", normalize=True),
}
