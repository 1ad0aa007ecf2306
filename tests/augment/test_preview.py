"""What replays and pictures say."""

import torch

from augment.images import make_images
from windtunnel.augment import parse_policy
from windtunnel.augment.preview import Cell, draw_grid, replay_image


def test_a_replay_names_the_ops_that_were_chosen():
    policy = [{"name": "color_jitter", "brightness": 0.3, "hue": 0.1}, "rand_augment", "trivial_augment", "augmix"]
    image = make_images(1, (16, 16))[0]
    steps = replay_image(parse_policy(policy), image, index=3, epoch=1, mean=(0.5,) * 3, seed=0)
    jitter, several, single, chains = (step.params for step in steps)
    assert sorted(jitter["order"]) == ["brightness", "hue"]
    known = {"identity", "rotate", "shear_x", "shear_y", "translate_x", "translate_y", "brightness", "saturation",
             "contrast", "sharpness", "posterize", "solarize", "autocontrast", "equalize"}  # fmt: skip
    assert {single["chosen"], *several["chosen"], *(name for chain in chains["chosen"] for name in chain)} <= known
    assert (len(several["chosen"]), len(chains["chosen"]), len(chains["chosen"][0])) == (2, 3, 3)


def test_a_dollar_sign_in_a_caption_is_no_formula(tmp_path):
    image = torch.zeros(8, 8, 3, dtype=torch.uint8)
    draw_grid([[Cell(image, r"US$ \frac{ 0.50" + "\nCA$ 0.50")]], groups=[(r"$\x$", 1)], path=tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 0
