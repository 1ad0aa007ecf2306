"""Test-time augmentation: which views of an image are predicted and how the predictions are averaged."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from windtunnel.config.base import Component, ComponentOf, Count, Flag, Fraction, Int, PositiveReal, Real
from windtunnel.registry import import_object

Weight = Annotated[PositiveReal, Field(le=1e6)]


class _View(Component):
    weight: Weight = 1.0
    """Share of this view in the mean, relative to the others' weights."""


class OriginalView(_View):
    """The image itself."""

    target: ClassVar[str] = "windtunnel.evaluation.views:Original"
    name: Literal["original"] = "original"


class HorizontalFlipView(_View):
    """The mirror image."""

    target: ClassVar[str] = "windtunnel.evaluation.views:HorizontalFlip"
    name: Literal["horizontal_flip"] = "horizontal_flip"


class VerticalFlipView(_View):
    """The image upside down."""

    target: ClassVar[str] = "windtunnel.evaluation.views:VerticalFlip"
    name: Literal["vertical_flip"] = "vertical_flip"


class ShiftView(_View):
    """The image moved by whole pixels; what comes in is the image reflected at its edge."""

    target: ClassVar[str] = "windtunnel.evaluation.views:Shift"
    name: Literal["shift"] = "shift"
    dx: Int = 0
    """Pixels to the right; negative to the left. Less than the width."""
    dy: Int = 0
    """Pixels down; negative up. Less than the height."""

    @model_validator(mode="after")
    def _moves(self) -> "ShiftView":
        if self.dx == 0 and self.dy == 0:
            raise ValueError("a shift by dx 0 and dy 0 is the image itself: set dx or dy, or use the view 'original'")
        return self


class BlurView(_View):
    """The image under a Gaussian, reflected at its edges. Normalised images blur as the pixels would."""

    target: ClassVar[str] = "windtunnel.evaluation.views:Blur"
    name: Literal["blur"] = "blur"
    kernel_size: Count = 3
    """Pixels on a side of the kernel: odd, at least 3, less than twice the image's smaller side."""
    sigma: PositiveReal = 0.8
    """Standard deviation of the Gaussian, pixels."""

    @model_validator(mode="after")
    def _has_a_centre(self) -> "BlurView":
        if self.kernel_size % 2 == 0 or self.kernel_size < 3:
            raise ValueError(f"kernel_size must be odd and at least 3, not {self.kernel_size}")
        return self


class CropView(_View):
    """The centre of the image, enlarged to the whole (bilinear)."""

    target: ClassVar[str] = "windtunnel.evaluation.views:Crop"
    name: Literal["crop"] = "crop"
    size: Count
    """Height and width of the centre that is kept, pixels; less than the image's."""


class BrightnessView(_View):
    """A lighter or darker image."""

    target: ClassVar[str] = "windtunnel.evaluation.views:Brightness"
    name: Literal["brightness"] = "brightness"
    delta: Real = 0.2
    """Added to each channel of the normalised image: standard deviations of the training pixels; negative darkens."""


ViewConfig = Annotated[
    OriginalView | HorizontalFlipView | VerticalFlipView | ShiftView | BlurView | CropView | BrightnessView,
    ComponentOf("view"),
]


class NoTta(Component):
    """One view: the image itself."""

    target: ClassVar[str] = "windtunnel.evaluation.tta:PlainView"
    name: Literal["none"] = "none"


class _ManyViews(Component):
    average: Literal["logits", "probabilities"] = "logits"
    """What the mean over the views is taken of."""
    only_least_confident: Fraction = 1.0
    """Fraction of the images, those whose two largest probabilities lie closest, that get more than the plain view."""


class FlipTta(_ManyViews):
    """Mean of the image and its mirror image (airbench level 1)."""

    target: ClassVar[str] = "windtunnel.evaluation.tta:flip_views"
    name: Literal["flip"] = "flip"


class FlipTranslateTta(_ManyViews):
    """Half the flip mean, a quarter each of it for the two diagonal one-pixel shifts (airbench level 2)."""

    target: ClassVar[str] = "windtunnel.evaluation.tta:flip_translate_views"
    name: Literal["flip_translate"] = "flip_translate"


class FiveViewsTta(_ManyViews):
    """Image, mirror image, upside down, centre crop of the padded image, blurred image (S4); four forward passes.

    The centre crop of an image padded by 4 is the image again, so the image counts twice and costs one pass. For an
    enlarged centre in its place list the views yourself: ``{name: views, views: [original, {name: crop, size: 28}]}``.
    """

    target: ClassVar[str] = "windtunnel.evaluation.tta:five_views"
    name: Literal["five_views"] = "five_views"


class ViewsTta(_ManyViews):
    """Views of your own choice."""

    target: ClassVar[str] = "windtunnel.evaluation.tta:WeightedViews"
    name: Literal["views"] = "views"
    views: Annotated[tuple[ViewConfig, ...], Field(min_length=1)]
    """The views, each with its weight."""
    mirrored: Flag = False
    """Add the mirror image of every view, at the view's weight."""

    def build(self, **context: Any) -> Any:
        """Build the views and what averages them."""
        return import_object(self.target)(
            views=[view.build(**context) for view in self.views],
            mirrored=self.mirrored,
            average=self.average,
            only_least_confident=self.only_least_confident,
        )


TtaConfig = Annotated[
    NoTta | FlipTta | FlipTranslateTta | FiveViewsTta | ViewsTta, ComponentOf("test-time augmentation")
]
