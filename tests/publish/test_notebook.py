import json
from dataclasses import replace

import pytest

import windtunnel
from report.pages import Page
from windtunnel.comparison.run import ComparisonResult
from windtunnel.core.reports import EpochReport, RunInfo, StepDone
from windtunnel.errors import UsageError
from windtunnel.evaluation.calibration import Bin
from windtunnel.evaluation.confusion import ClassScores, MacroScores
from windtunnel.evaluation.metrics import Metrics
from windtunnel.publish.notebook import NotebookProgress
from windtunnel.sweeps.folder import SweepFolder
from windtunnel.sweeps.run import SweepResult
from windtunnel.training.evaluated import EvalResult
from windtunnel.training.run import RunResult


@pytest.fixture(scope="module")
def evaluated(made):
    scores = (ClassScores("<b>cat", 20, 0.75, 0.75, 0.75), ClassScores("dog", 20, 0.75, 0.75, 0.75))
    metrics = Metrics(40, 0.5, 0.75, None, 0.15, MacroScores(0.75, 0.75, 0.75), scores)
    return EvalResult(
        folder=made["run"],
        split="test",
        tta="none",
        weights="last",
        metrics=metrics,
        tta_effect=None,
        bins=(Bin(0.5, 1.0, 40, 0.9, 0.75),),
        calibration=None,
        confused_pairs=(),
        confusion=((15, 5), (5, 15)),
        out=None,
    )


def _show(result):
    text = result._repr_html_()
    page = Page(text)
    assert {"script", "link", "style"}.isdisjoint(page.tags)
    assert "svg" in page.tags
    return page


def test_a_run_shows_its_figures_and_curves(made):
    summary = json.loads((made["run"] / "summary.json").read_text())
    page = _show(RunResult(made["run"], summary))
    assert page.tags.count("svg") == 2
    assert "validation accuracy98.00%" in page.text


def test_a_sweep_shows_its_best_points(made):
    page = _show(SweepResult(SweepFolder(made["sweep"]), ()))
    assert page.text.index("0.1") < page.text.index("0.3")


def test_a_comparison_shows_its_verdict(made):
    sentence = json.loads((made["comparison"] / "comparison.json").read_text())["answers"][0]["sentence"]
    result = ComparisonResult(made["comparison"], _Answers(sentence), ())
    assert sentence in _show(result).text


def test_an_evaluation_shows_its_interval_and_confusion_matrix(evaluated):
    page = _show(evaluated)
    assert "59.81 to 85.81%" in page.text
    assert "<b>cat" in page.text


def test_two_cells_share_no_id(evaluated):
    other = replace(evaluated, split="validation")
    assert not set(_show(evaluated).ids) & set(_show(other).ids)


class _Answers:
    """A comparison that holds one verdict."""

    def __init__(self, sentence):
        self.answers = [type("Answer", (), {"sentence": sentence})]


def test_progress_is_one_display_that_ends_with_the_last_figures():
    shown = []
    tracker = NotebookProgress(shown.append)
    tracker.start(RunInfo("<b>run", "", "cpu", "float32", 10, 100, 0, 40, 4.0))
    for epoch in range(1, 5):
        for step in range(10 * epoch - 9, 10 * epoch + 1):
            tracker.step(StepDone(step, 40, epoch))
        tracker.epoch(
            EpochReport(epoch, 10 * epoch, float("nan") if epoch == 2 else 1 / epoch, 0.9, None, None, 0.1, 1.0, 100.0)
        )
    tracker.message("<script>")
    tracker.finish({"status": "finished", "reason": "all epochs trained"})
    assert len(shown) < 10, "not drawn at every step"
    page = Page(shown[-1])
    assert "<b>run" in page.text
    assert "epoch 4/4: loss 0.2500" in page.text
    assert page.text.rstrip().count("finished: all epochs trained") == 1
    assert 'value="40"' in shown[-1]
    assert page.tags.count("polyline") == 4
    assert "script" not in page.tags


def test_progress_needs_a_notebook():
    with pytest.raises(UsageError, match="draws into a notebook"):
        windtunnel.NotebookProgress()
