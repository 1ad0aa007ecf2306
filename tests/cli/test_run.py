"""The verbs that train and look at a trained run, on a run of seconds."""

import csv
import io
import json
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from windtunnel.cli.main import main

TINY = ("train.epochs=2", "data.train_limit=128", "model.widths=[8,8]", "model.hidden=8", "runtime.device=cpu")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """What a run of two epochs printed with --json, folder included."""
    printed = io.StringIO()
    words = ["train", "quickstart", *TINY, "--json", "--name", "tiny", "--seed", "3"]
    with redirect_stdout(printed), pytest.raises(SystemExit) as ended:
        main([*words, "--runs-dir", str(tmp_path_factory.mktemp("runs"))])
    assert ended.value.code == 0
    return json.loads(printed.getvalue())


def test_train_prints_where_everything_is_and_one_line_an_epoch(cli):
    shown = cli("train", "quickstart", *TINY)
    assert shown.code == 0
    assert [line.split(":")[0] for line in shown.err.splitlines()][1:] == ["epoch 1/2", "epoch 2/2"]
    places = {label: text.strip() for label, _, text in (line.partition(":") for line in shown.out.splitlines())}
    assert {"finished", "test", "folder", "picture", "page"} <= set(places)
    assert Path(places["picture"]).is_file() and Path(places["page"]).is_file()


def test_train_json_is_the_summary_alone_and_records_the_options(trained):
    folder = Path(trained["folder"])
    assert {key: value for key, value in trained.items() if key != "folder"} == json.loads(
        (folder / "summary.json").read_text()
    )
    assert (trained["status"], trained["seed"]) == ("finished", 3)
    assert folder.name.split("-")[2] == "tiny"
    assert (folder / "overrides.txt").read_text().splitlines() == [*TINY, "seed=3", "name=tiny"]


def test_quiet_says_nothing_on_the_way_and_runs_go_where_they_are_told(cli, tmp_path):
    shown = cli("train", "quickstart", *TINY, "train.epochs=1", "--quiet", "--runs-dir", "elsewhere")
    assert shown.err == ""
    assert len(list((tmp_path / "elsewhere" / "quickstart").iterdir())) == 1


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


def test_eval_measures_each_class(cli, trained):
    measured = json.loads(cli("eval", trained["folder"], "--split", "test", "--json").out)
    assert measured["metrics"]["accuracy"] == trained["metrics"]["test_accuracy"]
    assert len(measured["metrics"]["per_class"]) == 10


def test_eval_finds_the_last_run_and_prints_a_table(cli, trained):
    runs = str(Path(trained["folder"]).parents[1])
    shown = cli("eval", "last", "--runs-dir", runs, "--tta", "flip").out
    assert "views: flip" in shown and "2.0 forward passes an image" in shown
    assert "most confused" in shown and "mean F1" in shown


def test_eval_writes_pictures_and_tables_into_the_run_or_where_it_is_told(cli, trained, tmp_path):
    cli("eval", trained["folder"], "--json")
    assert (Path(trained["folder"]) / "evaluation-validation" / "confusion.png").is_file()
    told = json.loads(cli("eval", trained["folder"], "--split", "test", "--out", "figures", "--json").out)
    assert told["out"] == "figures"
    assert json.loads((tmp_path / "figures" / "metrics.json").read_text()) == told


def test_eval_names_views_it_does_not_know(cli, trained):
    shown = cli("eval", trained["folder"], "--tta", "flipp")
    assert (shown.code, "did you mean 'flip'?" in shown.err) == (2, True)


def test_predict_writes_a_row_an_image(cli, trained, tmp_path):
    (tmp_path / "images").mkdir()
    for name in "ab":
        Image.fromarray(np.full((8, 8), 90, dtype=np.uint8)).save(tmp_path / "images" / f"{name}.png")
    shown = cli("predict", trained["folder"], "--images", "images", "--out", "predictions.csv")
    assert (shown.code, shown.out) == (0, "2 predictions in predictions.csv\n")
    rows = list(csv.DictReader((tmp_path / "predictions.csv").read_text().splitlines()))
    assert [Path(row["file"]).name for row in rows] == ["a.png", "b.png"]
    assert rows[0]["label"] == rows[1]["label"]


def test_resume_leaves_a_finished_run_as_it_is(cli, trained):
    summary = Path(trained["folder"], "summary.json")
    before = summary.stat().st_mtime_ns
    shown = cli("resume", trained["folder"])
    assert shown.code == 0
    assert "nothing to resume" in shown.err
    assert summary.stat().st_mtime_ns == before


def test_a_run_that_is_not_there_is_a_usage_error(cli):
    assert [cli(*words).code for words in (("eval", "nope"), ("resume", "nope"))] == [2, 2]


def test_a_diverged_run_ends_with_1_and_keeps_its_state(cli):
    shown = cli("train", "quickstart", *TINY, "optim.lr=1e30", "--json")
    summary = json.loads(shown.out)
    assert (shown.code, summary["status"]) == (1, "diverged")
    assert (Path(summary["folder"]) / "checkpoints" / "state.pt").is_file()
