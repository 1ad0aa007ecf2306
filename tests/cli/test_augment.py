"""``windtunnel augment``: pictures and replays."""

import json

import pytest
import torch
from PIL import Image

from windtunnel.augment import build_transform, parse_policy
from windtunnel.config.data import DataConfig, Digits
from windtunnel.core.rng import derive_seed
from windtunnel.data.open import open_data

CHANGES = {8: "brightness", 9: "contrast", 10: "saturation", 11: "hue"}


def test_preview_draws_a_row_for_each_image_and_a_column_for_each_draw(cli, tmp_path):
    fixed = ("--data", "digits", "--images", "3", "--draws")
    assert cli("augment", "preview", "easy", "s2_mix", *fixed, "2", "--out", "a.png").out == "a.png\n"
    assert cli("augment", "preview", "easy", "s2_mix", *fixed, "5", "--out", "b.png").code == 0
    with Image.open(tmp_path / "a.png") as narrow, Image.open(tmp_path / "b.png") as wide:
        assert wide.width > 1.8 * narrow.width
        assert wide.height == narrow.height
        assert len(narrow.convert("RGB").getcolors(2**24)) > 50


def test_preview_of_a_file_shows_its_own_ops_on_its_own_images(cli, tmp_path):
    (tmp_path / "mine.yaml").write_text("base: quickstart\naugment: [{name: cutout, size: 8}]\n")
    shown = cli("augment", "preview", "mine.yaml", "--images", "2", "--draws", "1", "--out", "a.png")
    assert shown.code == 0, shown.err
    elsewhere = ("--data", "digits", "--images", "2", "--draws", "1", "--out", "b.png")
    assert cli("augment", "preview", "none", *elsewhere).code == 0
    with Image.open(tmp_path / "a.png") as cut, Image.open(tmp_path / "b.png") as whole:
        assert cut.size == whole.size
        assert cut.tobytes() != whole.tobytes()


def test_replay_shows_what_training_draws(cli, tmp_path):
    where = ("--data", "digits", "--index", "17", "--epoch", "3", "--seed", "5")
    done = cli("augment", "replay", "s3_improved", *where, "--json", "--out", "b.png")
    assert done.code == 0, done.err
    shown = json.loads(done.out.rpartition("]")[0] + "]")
    opened = open_data(DataConfig(source=Digits(), batch_size=1))
    transform = build_transform(
        parse_policy("s3_improved"),
        opened.train.images,
        mean=opened.mean,
        std=opened.std,
        num_classes=10,
        seed=derive_seed(5, "augment"),
    )
    drawn = transform.draw(torch.tensor([17]), 3).params
    assert [op["op"] for op in shown] == ["random_crop", "horizontal_flip", "rotation", "color_jitter", "erasing"]
    for op, params in zip(shown, drawn, strict=True):
        for name, values in params.items():
            assert op[name] == (
                [CHANGES[code] for code in values[0].tolist()] if name == "order" else values[0].tolist()
            )
    assert (tmp_path / "b.png").stat().st_size > 1000


def test_replay_of_a_recipe_uses_its_data_and_seed(cli):
    recipe = cli("augment", "replay", "quickstart", "--index", "0", "--epoch", "1")
    assert recipe.code == 0
    assert recipe.out.startswith("random_crop: top ")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["preview", "eazy", "--data", "digits"], "did you mean 'easy'"),
        (["preview", "easy", "--data", "digits", "--out", "a.txt"], "a.txt does not end with .png or .svg or .pdf"),
        (["replay", "easy", "--data", "digits", "--index", "0", "--out", "no/a.png"], "--out: there is no folder no"),
        (["replay", "easy", "--data", "digits", "--index", "99999"], "no such image"),
    ],
)
def test_what_cannot_be_shown_is_said(words, message, cli):
    done = cli("augment", *words)
    assert done.code == 2
    assert message in done.err
