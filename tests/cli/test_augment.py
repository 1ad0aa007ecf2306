"""``windtunnel augment``: pictures and replays."""

import json
import subprocess
import sys

import pytest
import torch
from PIL import Image

from windtunnel.augment import build_transform, parse_policy
from windtunnel.config.data import DataConfig, Digits
from windtunnel.core.rng import derive_seed
from windtunnel.data.open import open_data


def augment(*words, cwd):
    return subprocess.run(
        [sys.executable, "-m", "windtunnel.cli.main", "augment", *words], capture_output=True, text=True, cwd=cwd
    )


def test_preview_draws_a_row_for_each_image_and_a_column_for_each_draw(tmp_path):
    done = augment(
        "preview", "easy", "s2_mix", "--data", "digits", "--images", "3", "--draws", "2", "--out", "a.png", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "a.png\n"
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.width > picture.height > 100
        assert len(picture.convert("RGB").getcolors(2**24)) > 50


def test_replay_shows_what_training_draws(tmp_path):
    done = augment(
        "replay", "s3_improved", "--data", "digits", "--index", "17", "--epoch", "3", "--seed", "5", "--json",
        "--out", "b.png", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout.rpartition("]")[0] + "]")
    opened = open_data(DataConfig(source=Digits(), batch_size=1))
    transform = build_transform(
        parse_policy("s3_improved"), opened.train.images, mean=opened.mean, std=opened.std, num_classes=10,
        seed=derive_seed(5, "augment"),
    )  # fmt: skip
    drawn = transform.draw(torch.tensor([17]), 3).params
    assert [op["op"] for op in shown] == ["random_crop", "horizontal_flip", "rotation", "color_jitter", "erasing"]
    for op, params in zip(shown, drawn, strict=True):
        for name, values in params.items():
            assert op[name] == values[0].tolist()
    assert (tmp_path / "b.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["preview", "eazy", "--data", "digits"], "did you mean 'easy'"),
        (["replay", "easy", "--data", "digits", "--index", "99999"], "no such image"),
    ],
)
def test_what_cannot_be_shown_is_said(words, message, tmp_path):
    done = augment(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
