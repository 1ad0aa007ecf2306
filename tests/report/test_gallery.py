import numpy as np
import pytest
from PIL import Image

from windtunnel.report.gallery import Mistake, plot_gallery, save_gallery


def _mistake(channels=3, level=7):
    return Mistake(np.full((4, 5, channels), level, dtype=np.uint8), "cat", "dog", 0.987)


@pytest.mark.parametrize("channels", [1, 3])
def test_images_are_shown_in_their_own_pixels_under_both_names(channels):
    axes = plot_gallery([_mistake(channels)], title="").axes[0]
    (image,) = axes.get_images()
    assert image.get_array().shape[:2] == (4, 5)
    assert image.get_interpolation() == "nearest"
    assert axes.get_title() == "cat, not\ndog (98.7%)"


def test_grey_is_not_stretched():
    (image,) = plot_gallery([_mistake(1, 100)], title="").axes[0].get_images()
    assert image.get_clim() == (0, 255)


@pytest.mark.parametrize(("count", "rows"), [(0, 1), (6, 1), (7, 2)])
def test_rows_grow_with_the_mistakes(count, rows):
    figure = plot_gallery([_mistake()] * count, title="")
    assert len(figure.axes) == 6 * rows
    assert sum(len(axes.get_images()) for axes in figure.axes) == count


def test_no_mistakes_are_said(tmp_path):
    texts = [text.get_text() for text in plot_gallery([], title="all right").texts]
    assert "no mistakes" in texts
    save_gallery(tmp_path / "errors.png", [], title="all right")
    with Image.open(tmp_path / "errors.png") as picture:
        assert picture.format == "PNG"
