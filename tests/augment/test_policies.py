"""The named policies are the lists of the source reports."""

from pydantic import TypeAdapter

from windtunnel.config.augment import POLICIES, AugmentConfig

GRAY = {"name": "grayscale", "p": 0.1}
FLIP = {"name": "horizontal_flip", "p": 0.5}


def ops(policy):
    return [op.model_dump() for op in TypeAdapter(AugmentConfig).validate_python(policy)]


def jitter(brightness, contrast, saturation, hue=0.0):
    return {
        "name": "color_jitter", "p": 1.0, "brightness": brightness, "contrast": contrast, "saturation": saturation,
        "hue": hue,
    }  # fmt: skip


def perspective(distortion):
    return {"name": "perspective", "distortion": distortion, "p": 0.5, "interpolation": "bilinear", "fill": 0.0}


def rotation(low, high):
    return {"name": "rotation", "degrees": (low, high), "p": 1.0, "interpolation": "nearest", "fill": 0.0}


def crop(padding, mode="zero"):
    return {"name": "random_crop", "padding": padding, "mode": mode}


def test_every_policy_is_covered_here():
    assert set(POLICIES) == {
        "none", "crop_flip", "airbench", "easy", "hard2", "hard3", "s2_basic", "s2_mix", "s3_improved", "s4_slim",
    }  # fmt: skip


def test_s0():
    flips = [FLIP, {"name": "vertical_flip", "p": 0.2}, {"name": "invert", "p": 0.2}]
    resized = {"name": "resized_crop", "scale": (0.3, 1.0), "ratio": (3 / 4, 4 / 3), "p": 1.0}
    assert ops("none") == []
    assert ops("easy") == [perspective(0.2), GRAY, rotation(0.0, 15.0), FLIP, jitter(0.3, 0.5, 0.3)]
    assert ops("hard2") == [perspective(0.4), GRAY, *flips, jitter(0.2, 0.5, 0.4)]
    assert ops("hard3") == [perspective(0.3), GRAY, *flips, resized, jitter(0.5, 0.5, 0.4)]


def test_s1():
    assert ops("airbench") == [{"name": "alternating_flip"}, crop(2, "reflect")]
    assert ops("crop_flip") == [crop(4), FLIP]


def test_s2():
    basic = [FLIP, crop(4), rotation(-15.0, 15.0), jitter(0.2, 0.2, 0.2)]
    assert ops("s2_basic") == basic
    *same, mixing = ops("s2_mix")
    assert same == basic
    assert [choice["name"] for choice in mixing["choices"]] == ["cutmix", "mixup"]


def test_s3():
    erasing = {"name": "erasing", "p": 0.5, "scale": (0.02, 0.33), "ratio": (0.3, 3.3), "value": 0.0}
    assert ops("s3_improved") == [crop(4), FLIP, rotation(-15.0, 15.0), jitter(0.2, 0.2, 0.2, 0.1), erasing]


def test_s4():
    blur = {"name": "gaussian_blur", "kernel_size": 3, "sigma": (0.1, 1.5), "p": 0.3}
    cutmix = {"name": "cutmix", "alpha": 1.0, "per": "batch", "p": 1.0}
    assert ops("s4_slim") == [crop(2), FLIP, {"name": "vertical_flip", "p": 0.05}, blur, cutmix]
