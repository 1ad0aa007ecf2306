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
