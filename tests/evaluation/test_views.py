"""Views of normalised images against scipy's filters, and against doing the same to the pixels before normalising."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from windtunnel.config.tta import BlurView, BrightnessView, CropView, ShiftView
from windtunnel.evaluation.views import Mirrored, View

IMAGES = torch.rand(2, 3, 6, 9, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
MEAN, STD = torch.tensor([0.2, 0.5, 0.9]).view(1, 3, 1, 1), torch.tensor([0.3, 0.2, 0.1]).view(1, 3, 1, 1)


@pytest.mark.parametrize(("kernel_size", "sigma"), [(3, 0.8), (5, 1.3), (3, 0.1)])
def test_blur_equals_scipys_gaussian_filter(kernel_size: int, sigma: float) -> None:
    blurred = BlurView(kernel_size=kernel_size, sigma=sigma).build().apply(IMAGES)
    expected = gaussian_filter(IMAGES.numpy(), sigma, radius=kernel_size // 2, axes=(2, 3), mode="mirror")
    assert np.allclose(blurred.numpy(), expected)


@pytest.mark.parametrize(("dx", "dy"), [(1, 0), (-2, 0), (0, 3), (0, -1), (8, -5)])
def test_shift_moves_what_stays_and_reflects_what_comes_in(dx: int, dy: int) -> None:
    columns, rows = np.arange(9) - dx, np.arange(6) - dy
    reflected = [
        np.where(at < 0, -at, np.where(at >= size, 2 * (size - 1) - at, at)) for at, size in ((rows, 6), (columns, 9))
    ]
    expected = IMAGES.numpy()[:, :, reflected[0]][:, :, :, reflected[1]]
    assert np.array_equal(ShiftView(dx=dx, dy=dy).build().apply(IMAGES).numpy(), expected)


def test_crop_enlarges_the_centre_and_keeps_the_size() -> None:
    ramp = torch.arange(8.0).view(1, 1, 1, 8).expand(1, 1, 8, 8)
    cropped = CropView(size=4).build().apply(ramp)
    assert cropped.shape == ramp.shape
    assert cropped[0, 0, 0].tolist() == pytest.approx([2, 2.25, 2.75, 3.25, 3.75, 4.25, 4.75, 5])


def test_brightness_adds_standard_deviations() -> None:
    pixels = IMAGES + 0.5 * STD
    assert torch.allclose(BrightnessView(delta=0.5).build().apply((IMAGES - MEAN) / STD), (pixels - MEAN) / STD)


@pytest.mark.parametrize("view", [BlurView(), ShiftView(dx=2, dy=-1), CropView(size=4)], ids=lambda view: view.name)
def test_views_of_normalised_images_are_normalised_views_of_the_pixels(view: BlurView | ShiftView | CropView) -> None:
    built: View = view.build()
    assert torch.allclose(built.apply((IMAGES - MEAN) / STD), (built.apply(IMAGES) - MEAN) / STD)


@pytest.mark.parametrize(
    "view", [BlurView(), ShiftView(dx=1), CropView(size=4), BrightnessView()], ids=lambda view: view.name
)
def test_views_keep_channels_last_in_memory(view: BlurView | ShiftView | CropView | BrightnessView) -> None:
    images = IMAGES.contiguous(memory_format=torch.channels_last)
    strides = view.build().apply(images).stride()
    assert strides[1] == 1 < strides[3] < strides[2] < strides[0]


def test_mirrored_view_is_the_mirror_image_of_the_view() -> None:
    shift = ShiftView(dx=2, dy=1, weight=0.5).build()
    assert torch.equal(Mirrored(shift).apply(IMAGES), shift.apply(IMAGES).flip(3))
    assert Mirrored(shift).weight == 0.5
