"""Where the planner joins passes, and where it must not."""

import pytest
import torch

from augment.images import make_images
from windtunnel.augment import Augment, parse_policy
from windtunnel.augment.op import Frame
from windtunnel.augment.torch_backend.plan import plan_segments
from windtunnel.config.augment import POLICIES

FRAME = Frame(3, 32, 32, (0.5, 0.5, 0.5))
PERSPECTIVE = {"name": "perspective", "p": 1.0}
GREY_FILL = {"name": "rotation", "fill": 0.5}


def passes(policy):
    """Return the passes of a policy as text, e.g. ``copy2 paint``."""
    slots = [slot for op in parse_policy(policy) for slot in op.build().slots(FRAME)]
    return " ".join(
        segment.kind + (str(len(segment.slots)) if len(segment.slots) > 1 else "") for segment in plan_segments(slots)
    )


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ([], ""),
        (["horizontal_flip", "vertical_flip", "random_crop", "rotation"], "copy4"),
        ([PERSPECTIVE, "rotation", "horizontal_flip", "random_crop"], "sample4"),
        (["horizontal_flip", "vertical_flip", PERSPECTIVE], "sample3"),
        # reading between pixels of what was read between pixels is not reading once
        ([PERSPECTIVE, "resized_crop"], "sample sample"),
        ([PERSPECTIVE, "horizontal_flip", "resized_crop"], "sample2 sample"),
        # the black beyond the edge is blended in by the second op, not the image's own pixels
        (["random_crop", PERSPECTIVE], "copy sample"),
        (["rotation", "resized_crop"], "copy sample"),
        # a colour that stays itself under the move may wait for it
        (["horizontal_flip", "grayscale", "vertical_flip"], "copy2 paint"),
        ([PERSPECTIVE, "grayscale", "rotation"], "sample2 paint"),
        (["horizontal_flip", "invert", "vertical_flip"], "copy2 paint"),
        (["horizontal_flip", "invert", "resized_crop"], "sample2 paint"),
        # inverted black is white
        (["horizontal_flip", "invert", "random_crop"], "copy paint copy"),
        ([PERSPECTIVE, "invert", "rotation"], "sample paint copy"),
        (["horizontal_flip", "solarize", "rotation"], "copy paint copy"),
        # a grey fill would be painted
        (["horizontal_flip", "grayscale", GREY_FILL], "copy paint copy"),
        # not the same between pixels
        (["horizontal_flip", "posterize", "resized_crop"], "copy paint sample"),
        # depends on the whole image or on neighbours
        (["horizontal_flip", "autocontrast", "rotation"], "copy paint copy"),
        (["horizontal_flip", "sharpness", "vertical_flip"], "copy paint copy"),
        (["horizontal_flip", "gaussian_blur", "vertical_flip"], "copy paint copy"),
        (["horizontal_flip", {"name": "color_jitter", "contrast": 0.5}, "vertical_flip"], "copy paint copy"),
        (["horizontal_flip", "cutout", "vertical_flip"], "copy paint copy"),
        (["horizontal_flip", "rand_augment", "vertical_flip"], "copy paint paint copy"),
    ],
)
def test_passes(policy, expected):
    assert passes(policy) == expected


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("crop_flip", "copy2"),
        ("airbench", "copy2"),
        ("easy", "sample3 paint paint paint paint"),
        ("hard2", "sample3 paint paint paint paint paint"),
        ("hard3", "sample3 paint paint sample paint paint paint"),
    ],
)
def test_named_policies_read_the_image_as_rarely_as_is_exact(policy, expected):
    assert passes(policy) == expected


@pytest.mark.parametrize("policy", [name for name in POLICIES if name != "none"])
def test_joined_passes_equal_one_op_at_a_time(policy):
    ops = [op for op in parse_policy(policy) if op.name not in ("cutmix", "mix_choice")]
    images, ids = make_images(16), torch.arange(16)
    joined = Augment(ops, image_shape=(3, 32, 32), backend="torch")
    alone = images.float() / 255
    for count, op in enumerate(ops):
        # the last op of a longer list, with the draws it has there
        draw = Augment(ops[: count + 1], image_shape=(3, 32, 32)).sample(ids, 0)
        single = Augment([op], image_shape=(3, 32, 32), backend="torch", check_values=False)
        own = single.sample(ids, 0)
        assert all(torch.equal(own.params[0][name], draw.params[-1][name]) for name in own.params[0])
        alone = single.apply(alone, own)
    torch.testing.assert_close(joined.apply(images, joined.sample(ids, 0)), alone, atol=1e-4, rtol=0)
