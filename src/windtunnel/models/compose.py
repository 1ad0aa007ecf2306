"""Networks from lists of block configs: each block is built for the shape in front of it.

The one place of this package that sees configs; errors carry the path of the block, e.g.
``model.blocks.3.branches.1``.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, cast

from jaxtyping import Float
from torch import Tensor, nn

from windtunnel.config.models import blocks as config
from windtunnel.errors import ModelError
from windtunnel.models.blocks.combine import Branch, Chain, Highway
from windtunnel.models.blocks.whiten import WhiteningStem
from windtunnel.models.shapes import Shape, describe_shape, infer_shape

_FIRST = "model.blocks.0"


class Sequential(nn.Module):
    """Blocks one after the other, the last of them a head.

    Args:
        blocks: the blocks.
    """

    def __init__(self, blocks: Iterable[nn.Module]) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*blocks)

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        """Return the logits."""
        return cast(Tensor, self.blocks(images))

    def initialise_from(self, images: Float[Tensor, "n c h w"]) -> None:
        """Set a whitening stem's filters from normalised training images, if the first block is one."""
        first = self.blocks[0]
        if isinstance(first, WhiteningStem):
            first.initialise_from(images)


class _Built(NamedTuple):
    module: nn.Module
    shape: Shape


def compose(
    blocks: Sequence[config.Block], *, num_classes: int, in_channels: int, image_size: tuple[int, int]
) -> Sequential:
    """Return the network ``blocks`` describe.

    Args:
        blocks: configs, first to last; the last one is a head.
        num_classes: outputs.
        in_channels: channels of the images.
        image_size: height and width, pixels.

    Raises:
        ModelError: a block does not fit; names its path and the shapes.

    """
    last = blocks[-1]
    if not isinstance(last, config.Head):
        raise ModelError(f"model.blocks.{len(blocks) - 1}: the last block is {last.name!r}; end the list with a head")
    composer = _Composer(num_classes)
    parts, shape = composer.chain(blocks[:-1], (in_channels, *image_size), "model.blocks")
    head = composer.block(last, shape, f"model.blocks.{len(blocks) - 1}", last=True)
    return Sequential([*parts, head.module])


class _Composer:
    def __init__(self, num_classes: int) -> None:
        self.num_classes = num_classes
        self._shapes: dict[tuple[config.Block, Shape], Shape] = {}

    def chain(self, blocks: Sequence[config.Block], shape: Shape, path: str) -> tuple[list[nn.Module], Shape]:
        parts = []
        for index, block in enumerate(blocks):
            built = self.block(block, shape, f"{path}.{index}")
            parts.append(built.module)
            shape = built.shape
        return parts, shape

    def block(self, block: config.Block, shape: Shape, path: str, *, last: bool = False) -> _Built:
        if isinstance(block, config.Head) and not last:
            raise ModelError(f"{path}: a head is only allowed as the last block of the network")
        if isinstance(block, config.Whiten) and path != _FIRST:
            raise ModelError(
                f"{path} (whiten): its filters are set from training images, which only the network's first block "
                f"sees; make it {_FIRST}"
            )
        if isinstance(block, config.Chain | config.Highway):
            return self._wrapped(block, shape, path)
        if isinstance(block, config.Branch):
            return self._branch(block, shape, path)
        return self._leaf(block, shape, path)

    def _leaf(self, block: config.Block, shape: Shape, path: str) -> _Built:
        context = {"in_channels": shape[0], "in_shape": shape, "num_classes": self.num_classes}
        wants = getattr(block, "wants", config.Block.wants)
        try:
            module = block.build(**{key: context[key] for key in wants})
            if (block, shape) not in self._shapes:  # S0's networks repeat few blocks many times
                self._shapes[block, shape] = infer_shape(module, shape)
            return _Built(module, self._shapes[block, shape])
        except ModelError as error:
            raise ModelError(f"{path} ({block.name}): {error}") from error

    def _wrapped(self, block: config.Chain | config.Highway, shape: Shape, path: str) -> _Built:
        parts: list[nn.Module] = []
        before = shape
        for _ in range(block.repeat):
            more, shape = self.chain(block.blocks, shape, f"{path}.blocks")
            parts.extend(more)
        if isinstance(block, config.Chain):
            return _Built(Chain(*parts), shape)
        if shape != before:
            raise ModelError(
                f"{path} (highway): its blocks turn {describe_shape(before)} into {describe_shape(shape)}; "
                "a highway must keep the shape to add its input"
            )
        return _Built(Highway(parts), shape)

    def _branch(self, block: config.Branch, shape: Shape, path: str) -> _Built:
        built = [self.block(branch, shape, f"{path}.branches.{index}") for index, branch in enumerate(block.branches)]
        shapes = [branch.shape for branch in built]
        _check_branches(shapes, block.combine, path)
        module = Branch(
            [branch.module for branch in built],
            combine=block.combine,
            norm_channels=tuple(each[0] for each in shapes) if block.normalize else (),
        )
        total = sum(each[0] for each in shapes) if block.combine == "concat" else shapes[0][0]
        return _Built(module, (total, *shapes[0][1:]))


def _check_branches(shapes: Sequence[Shape], combine: str, path: str) -> None:
    compared = [shape[1:] if combine == "concat" else shape for shape in shapes]
    odd = next((index for index, shape in enumerate(compared) if shape != compared[0]), None)
    if odd is not None:
        need = "height and width" if combine == "concat" else "shape"
        raise ModelError(
            f"{path}.branches.{odd}: gives {describe_shape(shapes[odd])} where branch 0 gives "
            f"{describe_shape(shapes[0])}; {combine} needs the same {need}"
        )
