"""Blocks and networks written as lists of blocks: ``model: {name: sequential, blocks: [...]}``."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator
from pydantic_core import PydanticCustomError

from windtunnel.config.base import (
    Component,
    ComponentOf,
    Count,
    Flag,
    NonNegativeReal,
    OpenFraction,
    PositiveReal,
)
from windtunnel.config.models.activation import ActivationName
from windtunnel.registry import import_object

Kernel = Literal[1, 3, 5, 7, 9, 11]


class Block(Component):
    """Base of every block config; ``build`` gets ``in_shape``, ``in_channels`` and ``num_classes``."""

    wants: ClassVar[tuple[str, ...]] = ("in_channels",)


class Conv(Block):
    """Convolution (same size at stride 1, no bias), BatchNorm, activation, optional max pool."""

    target: ClassVar[str] = "windtunnel.models.blocks.conv:ConvNormAct"
    name: Literal["conv"] = "conv"
    out_channels: Count
    """Channels of the output."""
    kernel_size: Kernel = 3
    """Side of the filter."""
    stride: Count = 1
    """Step of the filter, pixels."""
    activation: ActivationName = "relu"
    """Activation."""
    pool: Count = 1
    """Side and stride of a max pool at the end; 1 pools nothing."""


class Residual(Block):
    """S0's residual block: two 3x3 convolutions with norm and activation, then the input is added."""

    target: ClassVar[str] = "windtunnel.models.blocks.residual:Residual"
    name: Literal["residual"] = "residual"
    activation: ActivationName = "relu"
    """Activation."""


class Bottleneck(Block):
    """S0's bottleneck: 1x1 to c/N channels, 3x3, 1x1 back; the input is added."""

    target: ClassVar[str] = "windtunnel.models.blocks.residual:Bottleneck"
    name: Literal["bottleneck"] = "bottleneck"
    reduction: Count = 4
    """N; divides the channels."""
    activation: ActivationName = "relu"
    """Activation."""


class DoubleEncode(Block):
    """S0's double-encode bottleneck: down by N, down by M, 3x3, up by M, up by N; the input is added."""

    target: ClassVar[str] = "windtunnel.models.blocks.residual:DoubleEncode"
    name: Literal["double_encode"] = "double_encode"
    first: Count = 4
    """N."""
    second: Count = 2
    """M; N M divides the channels."""
    activation: ActivationName = "relu"
    """Activation."""


class Basic(Block):
    """ResNet's basic block: the input, projected where the shape changes, is added before the activation."""

    target: ClassVar[str] = "windtunnel.models.blocks.residual:BasicBlock"
    name: Literal["basic"] = "basic"
    out_channels: Count
    """Channels of the output."""
    stride: Count = 1
    """Step of the first convolution, pixels."""
    activation: ActivationName = "relu"
    """Activation."""


class PreActResidual(Block):
    """Pre-activation residual block: norm and activation in front of each 3x3 convolution."""

    target: ClassVar[str] = "windtunnel.models.blocks.residual:PreActResidual"
    name: Literal["preact_residual"] = "preact_residual"
    out_channels: Count
    """Channels of the output."""
    stride: Count = 1
    """Step of the first convolution, pixels."""
    activation: ActivationName = "relu"
    """Activation."""
    dropout: OpenFraction = 0.0
    """Dropped share between the convolutions."""


class ConvGroup(Block):
    """airbench's conv group: halves the size, then one or two more convolutions."""

    target: ClassVar[str] = "windtunnel.models.blocks.conv_group:ConvGroup"
    name: Literal["conv_group"] = "conv_group"
    out_channels: Count
    """Channels of the output."""
    depth: Literal[2, 3] = 2
    """Convolutions."""
    activation: ActivationName = "gelu"
    """Activation."""
    norm_momentum: OpenFraction = 0.4
    """Share of the new batch in the running statistics (torch's convention)."""
    residual: Flag = False
    """S1's path around the group."""


class Whiten(Block):
    """airbench's whitening stem; set from training images, so only useful as the first block."""

    target: ClassVar[str] = "windtunnel.models.blocks.whiten:WhiteningStem"
    name: Literal["whiten"] = "whiten"
    kernel_size: Count = 2
    """Side of the patches, pixels."""
    epsilon: NonNegativeReal = 5e-4
    """Added to each eigenvalue."""


class MaxPool(Block):
    """Maximum over non-overlapping squares."""

    target: ClassVar[str] = "torch.nn:MaxPool2d"
    wants: ClassVar[tuple[str, ...]] = ()
    name: Literal["max_pool"] = "max_pool"
    kernel_size: Count = 2
    """Side of the squares, pixels."""


class AveragePool(Block):
    """Mean over non-overlapping squares."""

    target: ClassVar[str] = "torch.nn:AvgPool2d"
    wants: ClassVar[tuple[str, ...]] = ()
    name: Literal["average_pool"] = "average_pool"
    kernel_size: Count = 2
    """Side of the squares, pixels."""


class Activation(Block):
    """An activation by itself."""

    target: ClassVar[str] = "windtunnel.models.blocks.activation:build_activation"
    wants: ClassVar[tuple[str, ...]] = ()
    name: Literal["activation"] = "activation"
    activation: ActivationName = "relu"
    """Which."""


class Dropout(Block):
    """Drop single values."""

    target: ClassVar[str] = "torch.nn:Dropout"
    wants: ClassVar[tuple[str, ...]] = ()
    name: Literal["dropout"] = "dropout"
    p: OpenFraction = 0.5
    """Dropped share."""


def _not_empty(value: tuple[Any, ...]) -> tuple[Any, ...]:
    if not value:
        raise PydanticCustomError("empty_blocks", "needs at least one block")
    return value


# AfterValidator: pydantic's own min_length would complain a second time about a list with a faulty block.
NotEmpty = AfterValidator(_not_empty)


class Chain(Block):
    """Blocks one after the other, the whole of them ``repeat`` times with weights of their own."""

    name: Literal["chain"] = "chain"
    blocks: Annotated[tuple["BlockConfig", ...], NotEmpty]
    """The blocks."""
    repeat: Count = 1
    """Times the blocks follow one another."""


class Highway(Block):
    """S0's highway: blocks one after the other that keep the shape, and the input added at the end."""

    name: Literal["highway"] = "highway"
    blocks: Annotated[tuple["BlockConfig", ...], NotEmpty]
    """The blocks."""
    repeat: Count = 1
    """Times the blocks follow one another."""


def _as_chain(value: Any) -> Any:
    return {"name": "chain", "blocks": value} if isinstance(value, list | tuple) else value


class Branch(Block):
    """S0's branches: blocks side by side on the same input; a list in place of a block is a chain."""

    name: Literal["branch"] = "branch"
    branches: Annotated[tuple[Annotated["BlockConfig", BeforeValidator(_as_chain)], ...], NotEmpty]
    """The branches."""
    combine: Literal["concat", "mean"] = "concat"
    """Concatenate along channels (V1) or average (V2)."""
    normalize: Flag = False
    """BatchNorm on each branch's output (N)."""


class Head(Block):
    """Last block of a network: pool, optional hidden layer, linear to the classes."""

    target: ClassVar[str] = "windtunnel.models.blocks.heads:Head"
    wants: ClassVar[tuple[str, ...]] = ("in_shape", "num_classes")
    name: Literal["head"] = "head"
    pool: Literal["average", "max", "flatten"] = "average"
    """From maps to features."""
    hidden: Count | None = None
    """Units of a hidden linear layer with layer norm and ReLU."""
    dropout: OpenFraction = 0.0
    """Dropped share in front of the last layer."""
    bias: Flag = True
    """Whether the last layer has one."""
    logit_scale: PositiveReal = 1.0
    """Factor on the logits."""


BlockConfig = Annotated[
    Conv
    | Residual
    | Bottleneck
    | DoubleEncode
    | Basic
    | PreActResidual
    | ConvGroup
    | Whiten
    | MaxPool
    | AveragePool
    | Activation
    | Dropout
    | Chain
    | Highway
    | Branch
    | Head,
    ComponentOf("block"),
]


class Sequential(Component):
    """A network written as a list of blocks; the last one is a ``head``."""

    name: Literal["sequential"] = "sequential"
    blocks: Annotated[tuple[BlockConfig, ...], NotEmpty]
    """The blocks, first to last."""

    def build(self, **context: Any) -> Any:
        """Compose the blocks, inferring the shape in front of each."""
        return import_object("windtunnel.models.compose:compose")(self.blocks, **context)
