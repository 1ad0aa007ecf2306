"""From a trained run to a competition's CSV, to what to expect there, and to a file for others."""

import csv
import io
import json
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pytest

from windtunnel.cli.main import main

TINY = ("train.epochs=1", "data.train_limit=128", "model.widths=[8,8]", "model.hidden=8", "runtime.device=cpu")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Folder of a run of one epoch with a validation part."""
    printed = io.StringIO()
    words = ["train", "quickstart", *TINY, "data.split.validation=0.1", "--json", "--quiet"]
    with redirect_stdout(printed), pytest.raises(SystemExit) as ended:
        main([*words, "--runs-dir", str(tmp_path_factory.mktemp("runs"))])
    assert ended.value.code == 0
    return json.loads(printed.getvalue())["folder"]


@pytest.fixture
def images(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (3, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "test.npz", images=pixels, ids=np.array([5, 9, 2]))
    return "test.npz"


def test_a_submission_has_the_samples_rows(cli, trained, images, tmp_path):
    (tmp_path / "sample.csv").write_text("ID,Labels\n2,0\n5,0\n9,0\n")
    words = ("--images", images, "--sample-submission", "sample.csv", "--out", "out.csv")
    shown = cli("predict", trained, trained, *words)
    assert (shown.code, shown.out) == (0, "3 predictions in out.csv\n")
    rows = list(csv.reader((tmp_path / "out.csv").read_text().splitlines()))
    assert [row[0] for row in rows] == ["ID", "2", "5", "9"]


def test_a_header_needs_no_sample(cli, trained, images, tmp_path):
    words = ("--images", images, "--header", "ID,Labels", "--labels", "name", "--probabilities", "--out", "out.csv")
    assert cli("predict", trained, *words).code == 0
    header = (tmp_path / "out.csv").read_text().splitlines()[0]
    assert header == "ID,Labels,0,1,2,3,4,5,6,7,8,9"


def test_a_sample_of_other_images_is_a_usage_error(cli, trained, images, tmp_path):
    (tmp_path / "sample.csv").write_text("ID,Labels\n2,0\n5,0\n7,0\n")
    shown = cli("predict", trained, "--images", images, "--sample-submission", "sample.csv", "--out", "out.csv")
    assert shown.code == 2
    assert "'7'" in shown.err and "'9'" in shown.err
    assert not (tmp_path / "out.csv").exists()


def test_shift_prints_every_corruption_and_the_estimate(cli, trained, images):
    shown = cli("eval", trained, "--shift", "--shift-images", "20", "--target", images, "--out", "shifted").out
    for said in ("gaussian noise", "rotation", "confidence and balance", "expected accuracy on test.npz (3 images)"):
        assert said in shown
    assert Path("shifted/shift.png").is_file()


@pytest.mark.parametrize("words", [("--target", "x.npz"), ("--shift", "--split", "test")], ids=" ".join)
def test_options_of_shift_that_contradict_each_other_are_usage_errors(cli, trained, words):
    assert cli("eval", trained, *words).code == 2


def test_export_makes_no_folder_that_looks_like_a_file(cli, trained, tmp_path):
    shown = cli("export", trained, "--format", "onnx", "--out", "mine.onnx")
    assert shown.code == 2
    assert "--out: mine.onnx" in shown.err
    assert "e.g. mine" in shown.err
    assert not (tmp_path / "mine.onnx").exists()


def test_export_writes_a_network_and_its_card(cli, trained):
    shown = cli("export", trained, "--format", "state_dict", "--out", "weights")
    assert (shown.code, shown.out.splitlines()[:2]) == (0, ["weights/model.safetensors", "weights/config.yaml"])
    assert "logits differ by at most" in shown.out
    assert Path("weights/model_card.md").is_file()
