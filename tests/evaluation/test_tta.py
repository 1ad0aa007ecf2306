import torch
from torch import Tensor, nn
from torch.nn import functional

from windtunnel.evaluation.tta import FlipTranslateViews, FlipViews, PlainView


class Pixels(nn.Module):
    """Logits are the pixels themselves, so a view can be read off the result."""

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1)


IMAGES = torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))


def test_plain_view_is_the_image() -> None:
    assert torch.equal(PlainView()(Pixels(), IMAGES), IMAGES.flatten(1))


def test_flip_is_the_mean_with_the_mirror_image() -> None:
    assert torch.allclose(FlipViews()(Pixels(), IMAGES), ((IMAGES + IMAGES.flip(3)) / 2).flatten(1))


def test_flip_translate_weighs_six_views_as_airbench_does() -> None:
    padded = functional.pad(IMAGES, (1,) * 4, "reflect")
    views = [(0.5, IMAGES), (0.25, padded[:, :, 0:4, 0:5]), (0.25, padded[:, :, 2:6, 2:7])]
    expected = sum(weight * (view + view.flip(3)) / 2 for weight, view in views)
    assert torch.allclose(FlipTranslateViews()(Pixels(), IMAGES), expected.flatten(1))
