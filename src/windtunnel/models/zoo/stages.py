"""The plan residual networks share: stages of equal blocks, each stage wider and smaller than the last."""

from collections.abc import Callable, Sequence

from torch import nn

from windtunnel.errors import ModelError

# (channels in, channels out, stride) -> block
BlockFactory = Callable[[int, int, int], nn.Module]


def build_stages(block: BlockFactory, *, stem: int, widths: Sequence[int], depths: Sequence[int]) -> nn.Sequential:
    """Return the stages; the first block of all but the first stage has stride 2.

    Args:
        block: builds a block from its channels in, channels out and stride.
        stem: channels in front of the first stage.
        widths: channels of each stage's output.
        depths: blocks of each stage.

    Raises:
        ModelError: ``widths`` and ``depths`` differ in length or are empty.

    """
    if len(depths) != len(widths) or not depths:
        raise ModelError(f"{len(depths)} depths and {len(widths)} widths do not fit; give one of each a stage")
    sources = (stem, *widths[:-1])
    return nn.Sequential(
        *(
            nn.Sequential(
                block(source, width, 1 if index == 0 else 2), *(block(width, width, 1) for _ in range(depth - 1))
            )
            for index, (source, width, depth) in enumerate(zip(sources, widths, depths, strict=True))
        )
    )
