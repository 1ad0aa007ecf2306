import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from windtunnel.config.evaluate import EvaluateConfig
from windtunnel.config.problems import validate_tree
from windtunnel.errors import ConfigError, UsageError
from windtunnel.evaluation.tta import PlainView, Views


class Pixels(nn.Module):
    """Logits are the pixels themselves, so a view can be read off the result; counts its passes."""

    def __init__(self) -> None:
        super().__init__()
        self.passes = 0

    def forward(self, images: Tensor) -> Tensor:
        self.passes += 1
        return images.flatten(1)


IMAGES = torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))


def _build(tta: object) -> Views:
    return validate_tree(EvaluateConfig, {"tta": tta}, "test").tta.build()


def test_plain_view_is_the_image() -> None:
    assert torch.equal(PlainView()(Pixels(), IMAGES), IMAGES.flatten(1))


def test_flip_is_the_mean_with_the_mirror_image() -> None:
    assert torch.allclose(_build("flip")(Pixels(), IMAGES), ((IMAGES + IMAGES.flip(3)) / 2).flatten(1))


def test_flip_translate_weighs_six_views_as_airbench_does() -> None:
    padded = functional.pad(IMAGES, (1,) * 4, "reflect")
    views = [(0.5, IMAGES), (0.25, padded[:, :, 0:4, 0:5]), (0.25, padded[:, :, 2:6, 2:7])]
    expected = sum(weight * (view + view.flip(3)) / 2 for weight, view in views)
    assert torch.allclose(_build("flip_translate")(Pixels(), IMAGES), expected.flatten(1))


def test_five_views_count_the_image_twice_since_a_centre_crop_of_the_padded_image_is_the_image() -> None:
    padded = functional.pad(IMAGES, (4,) * 4)
    centre = padded[:, :, 4:8, 4:9]
    blurred = _build({"name": "views", "views": [{"name": "blur", "sigma": 0.8}]})(Pixels(), IMAGES).view_as(IMAGES)
    expected = (IMAGES + IMAGES.flip(3) + IMAGES.flip(2) + centre + blurred) / 5
    views = _build("five_views")
    assert torch.allclose(views(Pixels(), IMAGES), expected.flatten(1), atol=1e-6)
    assert views.passes_per_image == 4


def test_weights_are_relative_and_mirroring_doubles_the_views() -> None:
    views = [{"name": "original", "weight": 3}, {"name": "vertical_flip", "weight": 1}]
    plain = 0.75 * IMAGES + 0.25 * IMAGES.flip(2)
    once, both = (_build({"name": "views", "views": views, "mirrored": mirrored}) for mirrored in (False, True))
    assert torch.allclose(once(Pixels(), IMAGES), plain.flatten(1))
    assert torch.allclose(both(Pixels(), IMAGES), ((plain + plain.flip(3)) / 2).flatten(1))
    assert (once.passes_per_image, both.passes_per_image) == (2, 4)


def test_softmax_of_averaged_probabilities_is_their_weighted_mean() -> None:
    images = 5 * IMAGES
    views = [{"name": "horizontal_flip", "weight": 1}, {"name": "original", "weight": 3}]
    result = _build({"name": "views", "views": views, "average": "probabilities"})(Pixels(), images)
    expected = 0.25 * images.flip(3).flatten(1).softmax(1) + 0.75 * images.flatten(1).softmax(1)
    assert torch.allclose(result.softmax(1), expected)
    assert not torch.allclose(_build({"name": "views", "views": views})(Pixels(), images).softmax(1), expected)


def test_a_plain_pass_that_is_known_is_not_repeated() -> None:
    model = Pixels()
    once = _build("flip_translate")(model, IMAGES, IMAGES.flatten(1))
    assert model.passes == 5
    assert torch.equal(once, _build("flip_translate")(Pixels(), IMAGES))


def test_half_precision_answers_are_averaged_in_float32() -> None:
    images = IMAGES.half()
    expected = (images.float() + images.flip(3).float()) / 2
    result = _build("flip")(Pixels(), images)
    assert result.dtype == torch.float32
    assert torch.equal(result, expected.flatten(1))


@pytest.mark.parametrize(("fraction", "passes"), [(1.0, 6.0), (0.2, 2.0), (0.0, 1.0)])
def test_passes_of_an_image_count_the_plain_one_once(fraction: float, passes: float) -> None:
    assert _build({"name": "flip_translate", "only_least_confident": fraction}).passes_per_image == passes


@pytest.mark.parametrize(
    ("tta", "field"),
    [
        ({"name": "views", "views": []}, "tta.views"),
        ({"name": "views"}, "tta.views"),
        ({"name": "views", "views": [{"name": "blur", "weight": 0}]}, "tta.views.0.weight"),
        ({"name": "views", "views": ["original", {"name": "blur", "weight": -1.0}]}, "tta.views.1.weight"),
        ({"name": "views", "views": [{"name": "blur", "kernel_size": 4}]}, "tta.views.0"),
        ({"name": "views", "views": [{"name": "shift"}]}, "tta.views.0"),
        ({"name": "views", "views": ["flipped"]}, "tta.views.0"),
        ({"name": "flip", "only_least_confident": 1.5}, "tta.only_least_confident"),
        ({"name": "flip", "average": "votes"}, "tta.average"),
    ],
)
def test_settings_that_make_no_sense_are_refused(tta: object, field: str) -> None:
    with pytest.raises(ConfigError, match=field):
        _build(tta)


@pytest.mark.parametrize(
    ("view", "message"),
    [
        ({"name": "shift", "dx": 5}, "dx 5 .* width of 5"),
        ({"name": "shift", "dy": -4}, "dy -4 .* height of 4"),
        ({"name": "crop", "size": 4}, "crop has size 4.* at most 3"),
        ({"name": "blur", "kernel_size": 9}, "kernel_size 9.* at most 7"),
    ],
)
def test_views_larger_than_the_image_are_refused(view: dict[str, object], message: str) -> None:
    views = _build({"name": "views", "views": ["original", view], "mirrored": True})
    views.check(32, 32)
    with pytest.raises(UsageError, match=message):
        views.check(4, 5)


def test_the_largest_views_that_fit_do_work() -> None:
    views = [{"name": "shift", "dx": 4, "dy": -3}, {"name": "crop", "size": 3}, {"name": "blur", "kernel_size": 7}]
    built = _build({"name": "views", "views": views})
    built.check(4, 5)
    assert built(Pixels(), IMAGES).shape == (2, 60)
