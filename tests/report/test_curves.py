import matplotlib
import pytest
from PIL import Image

from windtunnel.report.curves import compute_series, plot_curves, save_curves
from windtunnel.report.load import load_run
from windtunnel.report.theme import COLOURS


def _lines(axes):
    return {line.get_label(): line for line in axes.get_lines()}


def test_series_hold_what_was_measured_and_where(run_folder):
    series = {(line.panel, line.part): line for line in compute_series(load_run(run_folder), "")}
    assert series["loss", "training"].values == (2.25, 1.5)
    assert series["loss", "validation"].epochs == (2,)
    assert series["accuracy", "training"].values == (12.5, 50.0)
    assert series["accuracy", "validation"].values == (37.5,)
    assert series["learning rate", "training"].values == (0.1, 0.05)


def test_the_panels_are_labelled_with_units(run_folder):
    panels = plot_curves([load_run(run_folder)]).axes
    assert [axes.get_ylabel() for axes in panels] == ["loss (nats)", "accuracy (%)", "learning rate"]
    assert {axes.get_xlabel() for axes in panels} == {"epoch"}


def test_learning_rates_are_drawn_from_zero(run_folder):
    low, high = plot_curves([load_run(run_folder)]).axes[2].get_ylim()
    assert low == 0.0 and high > 0.1


def test_one_run_tells_training_from_validation_by_colour(run_folder):
    loss = plot_curves([load_run(run_folder)]).axes[0]
    lines = _lines(loss)
    assert lines["training"].get_color() != lines["validation"].get_color()
    assert list(lines["training"].get_ydata()) == [2.25, 1.5]


def test_several_runs_keep_one_colour_each(run_folder):
    run = load_run(run_folder)
    lines = plot_curves([run, run]).axes[1].get_lines()
    assert [line.get_color() for line in lines] == [COLOURS[0], COLOURS[0], COLOURS[1], COLOURS[1]]
    assert [line.get_linestyle() for line in lines] == ["--", "-", "--", "-"]


def test_a_run_without_an_epoch_says_so(run_folder):
    (run_folder / "metrics.csv").unlink()
    texts = [text.get_text() for axes in plot_curves([load_run(run_folder)]).axes for text in axes.texts]
    assert texts == ["no epoch finished"] * 3


def test_the_picture_is_written_and_no_setting_is_left_behind(run_folder):
    before = dict(matplotlib.rcParams)
    path = save_curves(run_folder)
    assert dict(matplotlib.rcParams) == before
    assert path == run_folder / "curves.png"
    with Image.open(path) as picture:
        assert picture.size == (1800, 540)
        assert len(picture.convert("RGB").getcolors(maxcolors=2**20)) > 50


def test_the_same_run_gives_the_same_picture(run_folder):
    assert save_curves(run_folder).read_bytes() == save_curves(run_folder).read_bytes()


def test_the_colours_are_told_apart_by_their_lightness():
    weights = (0.2126, 0.7152, 0.0722)
    rgb = [[int(text[place : place + 2], 16) for place in (1, 3, 5)] for text in COLOURS]
    grey = [sum(weight * part for weight, part in zip(weights, parts, strict=True)) for parts in rgb]
    assert len(set(COLOURS)) == len(COLOURS)
    assert abs(grey[0] - grey[1]) > 10, "training and validation must differ in print as well"


@pytest.mark.parametrize("epochs", [1, 40])
def test_few_points_are_marked_and_many_are_not(run_folder, epochs):
    row = "{},10,2.25,0.125,,,0.1,1.5,100.0\n"
    header = (run_folder / "metrics.csv").read_text().splitlines()[0]
    (run_folder / "metrics.csv").write_text(header + "\n" + "".join(row.format(n + 1) for n in range(epochs)))
    (line,) = plot_curves([load_run(run_folder)]).axes[0].get_lines()
    assert (line.get_marker() == "o") == (epochs == 1)


def test_averaged_weights_have_lines_of_their_own(run_folder):
    header, *rows = (run_folder / "metrics.csv").read_text().splitlines()
    (run_folder / "metrics.csv").write_text(
        "\n".join([f"{header},val_loss_ema,val_accuracy_ema", f"{rows[0]},,", f"{rows[1]},1.25,0.5", ""])
    )
    series = {(line.panel, line.part): line for line in compute_series(load_run(run_folder), "")}
    assert series["loss", "averaged weights"].values == (1.25,)
    assert series["accuracy", "averaged weights"].values == (50.0,)
    lines = _lines(plot_curves([load_run(run_folder)]).axes[1])
    assert len({line.get_color() for line in lines.values()}) == 3
