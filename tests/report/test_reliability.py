import pytest
from PIL import Image
from scipy.stats import binomtest

from windtunnel.report.reliability import (
    ReliabilityBin,
    ReliabilityCurve,
    compute_interval,
    plot_reliability,
    save_reliability,
)

CURVE = ReliabilityCurve("as it is", (ReliabilityBin(0.4, 0.6, 10, 0.5, 0.3), ReliabilityBin(0.8, 1.0, 40, 0.9, 1.0)))


@pytest.mark.parametrize(("right", "images"), [(0, 7), (3, 10), (40, 40), (950, 1000)])
def test_interval_is_wilsons(right, images):
    expected = binomtest(right, images).proportion_ci(method="wilson")
    assert compute_interval(right / images, images) == pytest.approx((expected.low, expected.high), abs=1e-4)


def test_points_are_accuracy_over_confidence_beside_the_diagonal():
    upper = plot_reliability([CURVE], title="").axes[0]
    lines = {str(line.get_marker()): (list(line.get_xdata()), list(line.get_ydata())) for line in upper.get_lines()}
    assert lines["o"] == ([0.5, 0.9], [0.3, 1.0])
    assert lines["None"] == ([0, 1], [0, 1])


def test_curves_are_told_apart_by_colour_mark_and_name():
    upper = plot_reliability([CURVE, ReliabilityCurve("scaled", CURVE.bins)], title="").axes[0]
    assert [text.get_text() for text in upper.get_legend().get_texts()][1:] == ["as it is", "scaled"]
    drawn = {(line.get_color(), line.get_marker()) for line in upper.get_lines() if line.get_marker() in ("o", "s")}
    assert len({colour for colour, _ in drawn}) == len({mark for _, mark in drawn}) == 2


def test_counts_are_drawn_over_their_bins():
    lower = plot_reliability([CURVE], title="").axes[1]
    levels = {tuple(line.get_xdata()): line.get_ydata()[0] for line in lower.get_lines()}
    assert levels == {(0.4, 0.6): 10, (0.8, 1.0): 40}


def test_a_network_without_a_filled_bin_gives_a_picture(tmp_path):
    save_reliability(tmp_path / "reliability.png", [ReliabilityCurve("diverged", ())], title="")
    with Image.open(tmp_path / "reliability.png") as picture:
        assert picture.size == (960, 960)
