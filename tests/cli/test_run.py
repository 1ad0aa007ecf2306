"""The verbs that train and look at a trained run, on a run of seconds."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

TINY = ("train.epochs=2", "data.train_limit=128", "model.widths=[8,8]", "model.hidden=8", "runtime.device=cpu")


@pytest.fixture
def trained(cli):
    """The folder of a finished run under ./runs."""
    shown = cli("train", "quickstart", *TINY, "--json", "--name", "tiny", "--seed", "3")
    assert shown.code == 0, shown.err
    return Path(json.loads(shown.out)["folder"])


def test_train_prints_where_everything_is_and_one_line_an_epoch(cli):
    shown = cli("train", "quickstart", *TINY)
    assert shown.code == 0
    assert [line.split(":")[0] for line in shown.err.splitlines()][1:] == ["epoch 1/2", "epoch 2/2"]
    places = {label: text.strip() for label, _, text in (line.partition(":") for line in shown.out.splitlines())}
    assert {"finished", "test", "folder", "picture", "page"} <= set(places)
    assert Path(places["picture"]).is_file() and Path(places["page"]).is_file()


def test_train_json_is_the_summary_alone_and_records_the_options(trained):
    summary = json.loads((trained / "summary.json").read_text())
    assert summary["status"] == "finished"
    assert summary["seed"] == 3
    assert trained.name.split("-")[2] == "tiny"
    assert (trained / "overrides.txt").read_text().splitlines() == [*TINY, "seed=3", "name=tiny"]


def test_quiet_says_nothing_on_the_way(cli):
    assert cli("train", "quickstart", *TINY, "train.epochs=1", "--quiet").err == ""


def test_dry_run_checks_everything_and_writes_nothing(cli, tmp_path):
    shown = cli("train", "quickstart", *TINY, "--dry-run", "--json")
    plan = json.loads(shown.out)
    assert (shown.code, plan["train_images"], plan["total_steps"]) == (0, 128, 4)
    assert not (tmp_path / "runs").exists()
    assert "nothing was trained" in cli("train", "quickstart", *TINY, "--dry-run").out


def test_dry_run_finds_missing_data(cli):
    shown = cli("train", "cifar10/airbench94", "--dry-run")
    assert shown.code == 2
    assert "windtunnel data fetch cifar10" in shown.err


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_dry_run_finds_a_missing_device(cli):
    shown = cli("train", "quickstart", "runtime.device=cuda", "--dry-run")
    assert shown.code == 2
    assert "cuda" in shown.err


def test_runs_go_where_they_are_told(cli, tmp_path):
    shown = cli("train", "quickstart", *TINY, "train.epochs=1", "--runs-dir", "elsewhere", "--json")
    assert Path(json.loads(shown.out)["folder"]).parent.parent.resolve() == tmp_path / "elsewhere"


def test_eval_measures_each_class(cli, trained):
    measured = json.loads(cli("eval", str(trained), "--split", "test", "--json").out)
    summary = json.loads((trained / "summary.json").read_text())
    assert measured["metrics"]["accuracy"] == summary["metrics"]["test_accuracy"]
    assert len(measured["metrics"]["per_class"]) == 10
    assert "class" in cli("eval", "last", "--tta", "flip").out


def test_predict_writes_a_row_an_image(cli, trained, tmp_path):
    (tmp_path / "images").mkdir()
    for name in "ab":
        Image.fromarray(np.full((8, 8), 90, dtype=np.uint8)).save(tmp_path / "images" / f"{name}.png")
    shown = cli("predict", "last", "--images", "images", "--out", "predictions.csv")
    assert (shown.code, shown.out) == (0, "2 predictions in predictions.csv\n")
    rows = list(csv.DictReader((tmp_path / "predictions.csv").read_text().splitlines()))
    assert [Path(row["file"]).name for row in rows] == ["a.png", "b.png"]
    assert rows[0]["label"] == rows[1]["label"]


def test_resume_leaves_a_finished_run_as_it_is(cli, trained):
    before = (trained / "summary.json").stat().st_mtime_ns
    shown = cli("resume", str(trained))
    assert shown.code == 0
    assert "nothing to resume" in shown.err
    assert (trained / "summary.json").stat().st_mtime_ns == before


def test_a_run_that_is_not_there_is_a_usage_error(cli):
    assert [cli(*words).code for words in (("eval", "nope"), ("resume", "nope"))] == [2, 2]


def test_a_diverged_run_ends_with_1_and_keeps_its_state(cli):
    shown = cli("train", "quickstart", *TINY, "optim.lr=1e30", "--json")
    summary = json.loads(shown.out)
    assert (shown.code, summary["status"]) == (1, "diverged")
    assert (Path(summary["folder"]) / "checkpoints" / "state.pt").is_file()
