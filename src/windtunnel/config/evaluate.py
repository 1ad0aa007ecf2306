"""How an experiment is evaluated: batch size, test-time augmentation, whether the test split is read."""

from typing import Annotated, ClassVar, Literal

from windtunnel.config.base import Component, ComponentOf, Count, Flag, FrozenConfig


class NoTta(Component):
    """One view: the image itself."""

    target: ClassVar[str] = "windtunnel.evaluation.tta:PlainView"
    name: Literal["none"] = "none"


class FlipTta(Component):
    """Mean of the logits of the image and its mirror image (airbench level 1)."""

    target: ClassVar[str] = "windtunnel.evaluation.tta:FlipViews"
    name: Literal["flip"] = "flip"


class FlipTranslateTta(Component):
    """Half the flip mean, a quarter each of it for the two diagonal one-pixel shifts (airbench level 2)."""

    target: ClassVar[str] = "windtunnel.evaluation.tta:FlipTranslateViews"
    name: Literal["flip_translate"] = "flip_translate"


TtaConfig = Annotated[NoTta | FlipTta | FlipTranslateTta, ComponentOf("test-time augmentation")]


class EvaluateConfig(FrozenConfig):
    """How accuracy is measured."""

    batch_size: Count = 1000
    """Images a forward pass."""
    tta: TtaConfig = NoTta()
    """Test-time augmentation."""
    test: Flag = True
    """Read the test split once at the end; ``false`` leaves it unread (sweeps)."""
