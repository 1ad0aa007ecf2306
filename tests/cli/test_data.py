import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """Photos as people have them: every one of another size."""
    monkeypatch.chdir(tmp_path)
    noise = np.random.default_rng(0)
    for name, count in (("cat", 4), ("dog ü", 2)):
        (tmp_path / "my photos" / name).mkdir(parents=True)
        for number in range(count):
            pixels = noise.integers(0, 256, (20 + number, 30 - number, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "my photos" / name / f"{number}.png")
    return "my photos"


def test_a_folder_of_photos_of_many_sizes_is_looked_at_resized(cli, photos):
    refused = cli("data", "check", photos)
    assert refused.code == 2
    assert "windtunnel data check 'my photos' --size 32" in refused.err
    shown = cli("data", "check", photos, "--size", "16")
    assert shown.code == 0, shown.err
    assert "2 classes, 16x16x3" in shown.out
    assert "train by class: cat: 4, dog ü: 2" in shown.out


def test_the_set_of_an_experiment_is_read_with_its_settings(cli, photos, tmp_path):
    source = "{name: image_folder, path: my photos, image_size: 12}"
    (tmp_path / "mine.yaml").write_text(f"base: cifar10/cnn\ndata: {{source: {source}}}\n")
    shown = cli("data", "check", "mine.yaml", "--json")
    assert shown.code == 0, shown.err
    found = json.loads(shown.out)
    assert found["image_size"] == [12, 12]
    assert found["class_names"] == ["cat", "dog ü"]
    assert [part["class_images"] for part in found["parts"]] == [[4, 2]]


def test_names_that_the_terminal_cannot_show_are_escaped(photos):
    program = f"from windtunnel.cli.main import main; main(['data', 'check', {photos!r}, '--size', '16'])"
    surroundings = {**os.environ, "PYTHONIOENCODING": "ascii", "XDG_CACHE_HOME": str(Path("cache").absolute())}
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=surroundings)
    assert shown.returncode == 0, shown.stderr
    assert r"dog \xfc: 2" in shown.stdout


def test_a_set_that_is_no_folder_cannot_be_resized(cli):
    refused = cli("data", "check", "digits", "--size", "16")
    assert refused.code == 2
    assert "--size: digits is no folder of images" in refused.err


def test_half_of_a_set_is_listed_as_that(cli, tmp_path, monkeypatch):
    whole, half = tmp_path / "sets" / "cifar100", tmp_path / "sets" / "cifar10"
    for file in (whole / "train.parquet", whole / "test.parquet", half / "train.parquet"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    monkeypatch.setenv("WINDTUNNEL_DATA_DIR", str(tmp_path / "sets"))
    found = {row["set"]: row["found"] for row in json.loads(cli("data", "list", "--json").out)}
    assert found["cifar100"] == str(whole)
    assert found["cifar10"] == f"{half}, without its test images: windtunnel data fetch cifar10"
    assert found["mnist"] == "no: windtunnel data fetch mnist"


@pytest.mark.parametrize("known", [False, True])
def test_where_a_set_was_fetched_to_is_told_when_it_is_not_looked_for_there(cli, tmp_path, monkeypatch, known):
    monkeypatch.setattr("windtunnel.data.fetch.fetch_set", lambda name, folder, forms, progress: [folder / "a.gz"])
    if known:
        monkeypatch.setenv("WINDTUNNEL_DATA_DIR", "my sets")
    shown = cli("data", "fetch", "mnist", "--into", "my sets")
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.startswith("mnist: 1 files in my sets/mnist\n")
    assert (f"WINDTUNNEL_DATA_DIR='{tmp_path}/my sets'" in shown.out) != known
