import json
import re
import shutil
from pathlib import Path

from PIL import Image

from report.pages import read_page
from windtunnel.report.html import render_report, write_report
from windtunnel.report.load import load_run
from windtunnel.report.numbers import format_percent_interval
from windtunnel.report.reliability import compute_interval
from windtunnel.training.folder import RunFolder


def test_the_page_is_written_beside_the_run_and_holds_its_figures(run_folder):
    path = write_report(run_folder)
    assert path == run_folder / "report.html"
    page = read_page(path.read_text())
    for text in ("tiny", "finished", "43.75%", "6,298", "2.8 s", "37.50%", "seed: 3", "seed=3", "packages.torch"):
        assert text in page.text


def test_the_page_needs_nothing_but_itself(run_folder):
    page = read_page(render_report(load_run(run_folder)))
    assert page.tags.count("svg") == 4
    assert "img" not in page.tags


def test_what_the_user_wrote_is_escaped(run_folder):
    (run_folder / "config.yaml").write_text("name: tiny\nnote: <script>alert(1)</script>\n")
    (run_folder / "overrides.txt").write_text("name=<img src=x>\n")
    page = read_page(render_report(load_run(run_folder)))
    assert "script" not in page.tags and "img" not in page.tags
    assert "<script>alert(1)</script>" in page.text


def test_test_accuracy_comes_first(run_folder):
    text = render_report(load_run(run_folder))
    assert re.findall(r"<dt>(.*?)</dt>", text)[0] == "test accuracy"


def test_a_run_that_crashed_before_its_first_epoch_has_a_page(tmp_path):
    (tmp_path / "config.yaml").write_text("name: new\n")
    page = read_page(render_report(load_run(tmp_path)))
    assert "unfinished" in page.text
    assert "No epoch has finished." in page.text


def test_the_same_run_gives_the_same_page(run_folder):
    run = load_run(run_folder)
    assert render_report(run) == render_report(run)


def _evaluate(folder, name="cat", images=40):
    """Leave an evaluation of two classes in ``folder``, with a picture of its mistakes."""
    out = folder / "evaluation-test"
    out.mkdir()
    bins = [{"low": 0.5, "high": 1.0, "images": images, "confidence": 0.9, "accuracy": 0.75}]
    scores = [
        {"name": each, "images": images // 2, "precision": 0.75, "recall": 0.75, "f1": None} for each in (name, "dog")
    ]
    tree = {
        "split": "test",
        "tta": "flip",
        "weights": "last",
        "metrics": {
            "images": images,
            "loss": 0.5,
            "accuracy": 0.75,
            "top5_accuracy": None,
            "calibration_error": 0.15,
            "macro": {"precision": 0.75, "recall": 0.75, "f1": 0.75},
            "per_class": scores,
        },
        "tta_effect": {"passes_per_image": 2.0, "seconds": 0.4, "plain_seconds": 0.2, "plain_accuracy": 0.725},
        "bins": bins,
        "calibration": {"temperature": 1.5, "fitted_on": "validation", "error": 0.02, "loss": 0.45, "bins": bins},
        "confused_pairs": [{"first": name, "second": "dog", "first_as_second": 5, "second_as_first": 5}],
        "confusion": [[15, 5], [5, 15]],
    }
    (out / "metrics.json").write_text(json.dumps(tree))
    Image.new("RGB", (4, 4)).save(out / "errors.png")


def test_an_evaluation_is_on_the_page(run_folder):
    _evaluate(run_folder)
    page = read_page(write_report(run_folder).read_text())
    assert page.tags.count("svg") == 6
    assert page.tags.count("img") == 1
    for text in ("75.00%", "59.81 to 85.81%", "+2.50", "from 15.00% to 2.00%", "Evaluation: evaluation-test"):
        assert text in page.text


def test_the_test_accuracy_has_an_interval_without_an_evaluation(run_folder):
    (run_folder / "env.json").write_text(json.dumps({"data": {"images": {"train": 900, "test": 160}}}))
    page = read_page(write_report(run_folder).read_text())
    assert format_percent_interval(compute_interval(0.4375, 160)) in page.text


def test_names_of_runs_and_classes_are_only_names(run_folder):
    folder = run_folder.with_name("<img src=x onerror=alert(1)>&amp;\"'$_{x}")
    shutil.move(run_folder, folder)
    (folder / "env.json").write_text(json.dumps({"argv": ["windtunnel", "<script>"], "git": {"commit": "<b>"}}))
    _evaluate(folder, name="<b onclick=alert(2)>$x_")
    page = read_page(write_report(folder).read_text())
    assert folder.name in page.text
    assert page.tags.count("b") == 1, "only the status is bold"
    assert page.tags.count("img") == 1


def test_a_run_under_way_says_so(run_folder):
    (run_folder / "summary.json").unlink()
    metrics = run_folder / "metrics.csv"
    metrics.write_text(metrics.read_text() + "3,30,1.2345,0.")
    with RunFolder(run_folder).hold():
        page = read_page(render_report(load_run(run_folder)))
    assert "running" in page.text
    assert "1.2345" not in page.text
    assert "unfinished" in read_page(render_report(load_run(run_folder))).text


def test_a_diverged_run_without_validation_has_a_page(run_folder):
    header = (run_folder / "metrics.csv").read_text().splitlines()[0]
    (run_folder / "metrics.csv").write_text(f"{header}\n1,10,nan,0.1,,,0.1,1.5,100.0\n2,20,inf,0.1,,,0.1,1.5,100.0\n")
    (run_folder / "summary.json").write_text(
        '{"status": "diverged", "reason": "not finite", "metrics": {"train_loss": null}}'
    )
    page = read_page(write_report(run_folder).read_text())
    assert "diverged: not finite" in page.text
    assert page.text.count("not finite") == 3
    assert "validation loss" not in page.text


def test_the_command_and_the_commit_are_told(run_folder):
    environment = {
        "windtunnel": "0.1.0",
        "argv": ["/usr/bin/windtunnel", "train", "a b"],
        "git": {"commit": "abc", "dirty": True},
    }
    (run_folder / "env.json").write_text(json.dumps(environment))
    text = read_page(render_report(load_run(run_folder))).text
    assert "windtunnel train 'a b'" in text
    assert "commit abc, with changes that were not committed" in text


def test_the_page_keeps_to_its_size(run_folder):
    header = (run_folder / "metrics.csv").read_text().splitlines()[0]
    rows = [f"{epoch},{epoch},1.5,0.5,1.5,0.5,0.1,1.5,100.0" for epoch in range(1, 201)]
    (run_folder / "metrics.csv").write_text("\n".join([header, *rows, ""]))
    assert Path(write_report(run_folder)).stat().st_size < 150_000


def test_a_damaged_evaluation_is_named_and_the_rest_stays(run_folder):
    _evaluate(run_folder)
    (run_folder / "evaluation-test" / "metrics.json").write_text("{")
    (run_folder / "shift").mkdir()
    (run_folder / "shift" / "shift.json").write_text("[]")
    page = read_page(write_report(run_folder).read_text())
    assert "metrics.json holds no evaluation" in page.text
    assert "shift.json holds no accuracies under corruption" in page.text
    assert page.tags.count("svg") == 4
