import json

import pytest
from PIL import Image

from windtunnel.errors import CheckpointError
from windtunnel.report.shift import load_shift, plot_shift, save_shift


def _row(corruption, severity, half, accuracy, estimated):
    return {
        "corruption": corruption,
        "severity": severity,
        "half": half,
        "accuracy": accuracy,
        "estimated": estimated,
    }


@pytest.fixture
def folder(tmp_path):
    rows = [_row("motion_blur", s, "choosing", 0.8 - 0.1 * s, 0.5) for s in (1, 2, 3, 4, 5)]
    rows += [_row("jpeg", s, "judging", 0.9 - 0.1 * s, 0.85 - 0.1 * s) for s in (5, 4, 3, 2, 1)]
    shift = {"accuracy": 0.95, "estimator": "scaled_difference", "estimator_error": 0.05, "corruptions": rows}
    (tmp_path / "shift.json").write_text(json.dumps(shift))
    return tmp_path


def test_rows_are_corruptions_from_mild_to_harmful_and_columns_severities(folder):
    table = load_shift(folder / "shift.json")
    assert (table.corruptions, table.severities) == (("jpeg", "motion_blur"), (1, 2, 3, 4, 5))
    assert table.accuracies[0] == pytest.approx((80, 70, 60, 50, 40))
    assert table.accuracies[1] == pytest.approx((70, 60, 50, 40, 30))


def test_only_the_judging_half_is_held_against_the_estimator(folder):
    estimates = load_shift(folder / "shift.json").estimates
    assert len(estimates) == 5
    assert all(measured - estimated == pytest.approx(5) for estimated, measured in estimates)


def test_every_cell_says_its_figure_and_the_axes_their_units(folder):
    grid, scatter = plot_shift(load_shift(folder / "shift.json")).axes
    assert {text.get_text() for text in grid.texts} == {f"{value}.0" for value in range(30, 90, 10)}
    assert [text.get_text() for text in grid.get_yticklabels()] == ["jpeg", "motion blur"]
    assert "95.0" in grid.get_title() and "5.0 points" in scatter.get_title()
    assert (scatter.get_xlabel(), scatter.get_ylabel()) == ("estimated accuracy (%)", "measured accuracy (%)")


def test_the_picture_is_written_beside_the_figures_and_always_the_same(folder):
    first = save_shift(folder).read_bytes()
    with Image.open(folder / "shift.png") as picture:
        assert picture.width > 1000
    assert save_shift(folder).read_bytes() == first


@pytest.mark.parametrize("text", ["{", "{}", '{"corruptions": []}'])
def test_figures_that_cannot_be_read_are_named(tmp_path, text):
    (tmp_path / "shift.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"shift\.json"):
        save_shift(tmp_path)
