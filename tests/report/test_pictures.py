import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import windtunnel.report
from windtunnel.errors import CheckpointError
from windtunnel.report import load_run, plot_confusion, plot_curves, plot_parallel, plot_schedule
from windtunnel.report.settings import list_settings, plot_importance, plot_setting


@dataclass(frozen=True)
class Result:
    """What a library function returned about a run."""

    folder: Path


@dataclass(frozen=True)
class Point:
    """Settings and the metric of each seed."""

    choices: dict
    values: list = field(default_factory=list)

    @property
    def mean(self):
        return sum(self.values) / len(self.values) if self.values else None


POINTS = [
    Point({"optim.lr": 0.001, "optim": "sgd", "loss": {"name": "a"}}, [0.5, 0.6]),
    Point({"optim.lr": 0.1, "optim": "$adam_", "loss": {"name": "a"}}, [0.9]),
    Point({"optim.lr": 0.01, "optim": "sgd", "loss": {"name": "a"}}),
]


def test_every_public_picture_is_there():
    assert len(dir(windtunnel.report)) == 11
    for name in dir(windtunnel.report):
        assert callable(getattr(windtunnel.report, name))
    with pytest.raises(AttributeError, match="plot_pie"):
        _ = windtunnel.report.plot_pie


def test_curves_take_folders_loaded_runs_and_results_alike(run_folder):
    sources = (run_folder, str(run_folder), load_run(run_folder), Result(run_folder))
    drawn = [[list(line.get_ydata()) for axes in plot_curves(one).axes for line in axes.get_lines()] for one in sources]
    assert drawn[0]
    assert all(lines == drawn[0] for lines in drawn)
    assert len(plot_curves(list(sources)).axes[2].get_lines()) == 4


def test_a_schedule_is_the_learning_rate_over_epochs(run_folder):
    (axes,) = plot_schedule(run_folder).axes
    assert list(axes.get_lines()[0].get_ydata()) == [0.1, 0.05]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("epoch", "learning rate")


def test_runs_are_told_apart_by_the_names_given_them(run_folder):
    from windtunnel.report.curves import plot_panel

    figure = plot_panel([load_run(run_folder)] * 2, "accuracy", labels=["_first $", "second"])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [" _first \\$", "second"]


def test_an_evaluation_that_is_missing_or_damaged_is_named(run_folder):
    with pytest.raises(CheckpointError, match="windtunnel eval"):
        plot_confusion(run_folder)
    (run_folder / "evaluation-test").mkdir()
    (run_folder / "evaluation-test" / "metrics.json").write_text(json.dumps({"metrics": {}}))
    with pytest.raises(CheckpointError, match=r"metrics.json holds no evaluation"):
        plot_confusion(run_folder)
    with pytest.raises(TypeError, match="int is no evaluation"):
        plot_confusion(3)


def test_only_settings_that_vary_are_drawn():
    assert list_settings(POINTS) == ["optim.lr", "optim"]
    lines = plot_parallel(POINTS, metric="val_accuracy").axes[0].collections[0]
    assert [[tuple(corner) for corner in path.vertices] for path in lines.get_paths()] == [
        [(0.0, 0.0), (1.0, 1.0)],
        [(0.0, 1.0), (1.0, 0.0)],
    ]
    assert list(lines.get_array()) == pytest.approx([55.0, 90.0])


def test_a_setting_is_drawn_run_by_run_with_the_mean_of_each_value():
    axes = plot_setting(POINTS, "optim.lr", metric="val_accuracy").axes[0]
    assert axes.get_xscale() == "log"
    assert axes.get_ylabel() == "validation accuracy (%)"
    *runs, means = axes.get_lines()
    assert [list(line.get_ydata()) for line in runs] == [[50.0, 60.0], [90.0]]
    assert list(means.get_ydata()) == [55.0, 90.0]
    kinds = plot_setting(POINTS, "optim", metric="train_loss").axes[0]
    assert [label.get_text() for label in kinds.get_xticklabels()] == ["sgd", "\\$adam_"]


def test_importance_is_drawn_in_percent_the_largest_on_top():
    axes = plot_importance({"optim.lr": 0.8, "optim": 0.2}, explained=0.5).axes[0]
    assert [bar.get_width() for bar in axes.patches] == [80.0, 20.0]
    low, high = axes.get_ylim()
    assert low > high
    assert axes.get_title(loc="left") == "50% of the variance explained"
