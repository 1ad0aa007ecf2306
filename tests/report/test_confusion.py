import numpy as np
import pytest
from PIL import Image

from windtunnel.report.confusion import plot_confusion, save_confusion

COUNTS = [[90, 9, 1], [0, 50, 0], [25, 0, 75]]
NAMES = ["cat", "dog", "a name that is much too long"]


def _many(classes):
    counts = np.eye(classes, dtype=int) * 9
    counts[0, 1] = 1
    return counts.tolist(), [f"class {index}" for index in range(classes)]


def _matrix(figure):
    return figure.axes[0]


def test_cells_hold_the_numbers_of_images():
    texts = {text.get_position(): text.get_text() for text in _matrix(plot_confusion(COUNTS, NAMES, title="")).texts}
    expected = {(column, row): str(COUNTS[row][column]) for row in range(3) for column in range(3)}
    assert texts == {place: number for place, number in expected.items() if number != "0"}


def test_colours_are_shares_of_the_true_class_with_mistakes_on_a_scale_of_their_own():
    right, wrong = _matrix(plot_confusion(COUNTS, NAMES, title="")).get_images()
    assert np.ma.compressed(right.get_array()).tolist() == [0.9, 1.0, 0.75]
    assert np.ma.compressed(wrong.get_array()).tolist() == [0.09, 0.01, 0.25]
    assert (wrong.norm.vmin, wrong.norm.vmax) == (0, 0.25)


def test_axes_say_which_class_is_the_true_one_and_long_names_are_cut():
    axes = _matrix(plot_confusion(COUNTS, NAMES, title="all"))
    assert (axes.get_ylabel(), axes.get_xlabel(), axes.get_title()) == (
        "true class",
        "predicted class",
        "all",
    )
    names = ["cat", "dog", "a name that is …"]
    assert [[label.get_text() for label in labels] for labels in (axes.get_xticklabels(), axes.get_yticklabels())] == [
        names,
        names,
    ]


@pytest.mark.parametrize(("classes", "named"), [(100, 100), (300, 100)])
def test_many_classes_have_no_numbers_and_as_many_names_as_there_is_room_for(classes, named):
    axes = _matrix(plot_confusion(*_many(classes), title=""))
    assert len(axes.texts) == 0
    assert len(axes.get_yticklabels()) == named
    assert {label.get_rotation() for label in axes.get_xticklabels()} == {90}


@pytest.mark.parametrize("counts", [[[3, 0], [0, 4]], [[0, 0], [2, 1]]])
def test_matrix_without_a_mistake_or_without_images_of_a_class_is_drawn(tmp_path, counts):
    save_confusion(tmp_path / "confusion.png", counts, ["a", "b"], title="")
    with Image.open(tmp_path / "confusion.png") as picture:
        assert len(picture.convert("RGB").getcolors(maxcolors=2**20)) > 20
