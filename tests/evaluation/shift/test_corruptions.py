import io

import numpy as np
import pytest
import scipy.ndimage
import torch
from PIL import Image
from scipy import stats

from windtunnel.evaluation.shift.corruptions import CORRUPTIONS, SEVERITIES, corrupt, corruptions_for

BY_NAME = {each.name: each for each in CORRUPTIONS}
IDS = torch.tensor([5, 0, 17, 3, 1000, 8, 2])


@pytest.fixture(scope="module")
def photos():
    """Seven colour images of 32x32, mostly smooth, with every tone in them."""
    fields = np.random.default_rng(0).normal(size=(7, 3, 32, 32))
    smooth = scipy.ndimage.gaussian_filter(fields, (0, 0, 3, 3)) + 0.01 * fields
    smooth = (smooth - smooth.min()) / (smooth.max() - smooth.min())
    return torch.from_numpy((smooth * 255).round().astype(np.uint8))


def _do(name, images, severity=3, ids=IDS, seed=0):
    return corrupt(images, BY_NAME[name], severity, ids=ids, seed=seed)


@pytest.mark.parametrize("name", BY_NAME)
def test_pixels_depend_on_seed_and_id_and_not_on_the_batch(photos, name):
    whole = _do(name, photos)
    alone = torch.cat([_do(name, photos[i : i + 1], ids=IDS[i : i + 1]) for i in range(7)])
    order = torch.tensor([3, 0, 6, 2, 5, 1, 4])
    assert torch.equal(whole, alone)
    assert torch.equal(_do(name, photos[order], ids=IDS[order]), whole[order])


# saturate's first two levels drain colour and the others add it, so they are not one scale
@pytest.mark.parametrize("name", sorted(BY_NAME.keys() - {"saturate"}))
def test_images_change_more_with_severity(photos, name):
    changes = [(_do(name, photos, severity).float() - photos.float()).abs().mean().item() for severity in SEVERITIES]
    assert changes[0] > 0.2
    assert changes == sorted(changes)


@pytest.mark.parametrize("name", ["gaussian_noise", "shot_noise", "impulse_noise", "haze", "motion_blur"])
def test_another_seed_or_id_draws_other_pixels(photos, name):
    same = photos[:1].expand(7, -1, -1, -1)
    first, again = _do(name, same), _do(name, same, seed=1)
    assert not torch.equal(first, again)
    assert not torch.equal(first[0], first[1])


@pytest.mark.parametrize("each", corruptions_for(1), ids=lambda each: each.name)
def test_small_grey_images_keep_shape_and_type(each):
    images = torch.arange(2 * 8 * 8, dtype=torch.uint8).reshape(2, 1, 8, 8)
    done = corrupt(images, each, 5, ids=torch.arange(2), seed=0)
    assert (done.shape, done.dtype) == (images.shape, torch.uint8)
    assert not torch.equal(done, images)


def test_gaussian_noise_has_the_standard_deviation_it_says():
    grey = torch.full((4, 3, 64, 64), 128, dtype=torch.uint8)
    noise = (_do("gaussian_noise", grey, 5, ids=torch.arange(4)).double() - 128) / 255
    assert noise.mean().item() == pytest.approx(0, abs=2e-3)
    assert noise.std().item() == pytest.approx(0.10, rel=0.02)
    assert stats.kstest(noise.flatten().numpy(), "norm", args=(0, 0.1)).statistic < 0.03  # bytes are steps of 0.04 sd


def test_shot_noise_is_poisson():
    value, rate = 51, 50 * 51 / 255
    grey = torch.full((4, 3, 64, 64), value, dtype=torch.uint8)
    drawn = (_do("shot_noise", grey, 5, ids=torch.arange(4)).double() / 255 * 50).round().flatten().numpy()
    counts = np.bincount(drawn.astype(int), minlength=30)[:30]
    expected = stats.poisson.pmf(np.arange(30), rate) * drawn.size
    common = expected > 20
    assert (
        stats.chisquare(
            np.append(counts[common], drawn.size - counts[common].sum()),
            np.append(expected[common], drawn.size - expected[common].sum()),
        ).pvalue
        > 1e-3
    )


def test_shot_noise_leaves_black_black():
    assert not _do("shot_noise", torch.zeros(7, 3, 8, 8, dtype=torch.uint8)).any()


def test_impulse_noise_sets_the_share_it_says_to_the_ends():
    grey = torch.full((4, 3, 64, 64), 128, dtype=torch.uint8)
    done = _do("impulse_noise", grey, 5, ids=torch.arange(4))
    assert (done == 0).double().mean().item() == pytest.approx(0.035, abs=0.003)
    assert (done == 255).double().mean().item() == pytest.approx(0.035, abs=0.003)
    assert set(done.unique().tolist()) == {0, 128, 255}


def test_gaussian_blur_agrees_with_scipy(photos):
    expected = scipy.ndimage.gaussian_filter(photos.double().numpy(), (0, 0, 1, 1), mode="nearest", truncate=4)
    assert np.abs(_do("gaussian_blur", photos, 5).double().numpy() - expected).max() <= 0.51


def test_jpeg_is_pillows(photos):
    stream = io.BytesIO()
    Image.fromarray(photos[2].permute(1, 2, 0).numpy()).save(stream, "JPEG", quality=58)
    expected = np.asarray(Image.open(stream))
    assert np.array_equal(_do("jpeg", photos, 3)[2].permute(1, 2, 0).numpy(), expected)


def test_pixelate_agrees_with_box_resizing(photos):
    image = Image.fromarray(photos[0].permute(1, 2, 0).numpy())
    expected = image.resize((20, 20), Image.Resampling.BOX).resize((32, 32), Image.Resampling.BOX)
    assert np.array_equal(_do("pixelate", photos, 5)[0].permute(1, 2, 0).numpy(), np.asarray(expected))


def test_shift_moves_whole_pixels_and_mirrors_what_comes_in(photos):
    done = _do("shift", photos, 2)[0]
    padded = torch.nn.functional.pad(photos[0].float(), (2, 2, 2, 2), mode="replicate")
    moved = [padded[:, y : y + 32, x : x + 32] for y in (0, 4) for x in (0, 4)]
    assert min((each - done)[:, 2:-2, 2:-2].abs().max().item() for each in moved) == 0


def test_rotation_turns_about_the_centre(photos):
    done = _do("rotation", photos, 5)[0].double().numpy()
    turned = [
        scipy.ndimage.rotate(photos[0].double().numpy(), angle, axes=(1, 2), reshape=False, order=1, mode="mirror")
        for angle in (-30, 30)
    ]
    inside = (slice(None), slice(8, 24), slice(8, 24))
    assert min(np.abs(each - done)[inside].max() for each in turned) < 1


def test_brightness_and_saturation_follow_hue_saturation_value(photos):
    import colorsys

    for name, index, change in (
        ("brightness", 2, lambda v: min(v + 0.15, 1)),
        ("saturate", 1, lambda s: min(s * 1.5, 1)),
    ):
        done = _do(name, photos, 3)
        for pixel, changed in zip(photos[0].flatten(1).T[::97], done[0].flatten(1).T[::97], strict=True):
            hsv = list(colorsys.rgb_to_hsv(*(pixel / 255).tolist()))
            hsv[index] = change(hsv[index])
            assert np.allclose(np.array(colorsys.hsv_to_rgb(*hsv)) * 255, changed.numpy(), atol=0.51)


def test_contrast_keeps_the_mean(photos):
    means = photos.double().mean((2, 3)) - _do("contrast", photos, 5).double().mean((2, 3))
    assert means.abs().max() < 0.1


def test_both_halves_hold_every_kind():
    halves = {
        half: {each.apply.__module__ for each in CORRUPTIONS if each.half == half} for half in ("choosing", "judging")
    }
    assert halves["choosing"] == halves["judging"]
