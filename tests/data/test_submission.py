import csv
import io

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from windtunnel.data.submission import Layout, Submission, check_written, plan_submission, write_submission
from windtunnel.data.unlabelled import UnlabelledImages
from windtunnel.errors import DataError, UsageError, WindtunnelError

CLASSES = ("cat", "dog", "frog")
PROBABILITIES = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6]])


def _images(names, are_files=False):
    return UnlabelledImages(torch.zeros(len(names), 1, 1, 1, dtype=torch.uint8), tuple(names), are_files)


def _write(tmp_path, layout, names=("7", "3", "5"), classes=CLASSES, are_files=False):
    planned = plan_submission(layout, _images(names, are_files), classes)
    write_submission(tmp_path / "out.csv", planned, PROBABILITIES, classes)
    return (tmp_path / "out.csv").read_text()


def _sample(tmp_path, text):
    (tmp_path / "sample.csv").write_text(text)
    return Layout(sample=tmp_path / "sample.csv")


def test_header_and_row_order_are_the_samples(tmp_path):
    layout = _sample(tmp_path, "ID,Labels\n3,0\n5,0\n7,0\n")
    assert _write(tmp_path, layout) == "ID,Labels\n3,1\n5,2\n7,0\n"


def test_labels_are_names_where_the_samples_are(tmp_path):
    layout = _sample(tmp_path, "id,label\r\n5,frog\r\n7,dog\r\n3,dog\r\n")
    assert _write(tmp_path, layout) == "id,label\n5,frog\n7,cat\n3,dog\n"


@pytest.mark.parametrize(("form", "first"), [("index", "7,0"), ("name", "7,cat")])
def test_the_caller_may_say_how_labels_are_written(tmp_path, form, first):
    (tmp_path / "sample.csv").write_text("ID,Labels\n7,\n3,\n5,\n")
    layout = Layout(sample=tmp_path / "sample.csv", labels=form)
    assert _write(tmp_path, layout).splitlines()[1] == first


def test_a_header_without_a_sample_keeps_the_images_order(tmp_path):
    assert _write(tmp_path, Layout(header=("ID", "Labels"))) == "ID,Labels\n7,0\n3,1\n5,2\n"


def test_without_both_every_row_says_number_name_and_probability(tmp_path):
    assert _write(tmp_path, Layout()).splitlines()[:2] == ["file,label,class,probability", "7,0,cat,0.700000"]


def test_probabilities_add_a_column_a_class(tmp_path):
    text = _write(tmp_path, Layout(header=("ID", "Labels"), probabilities=True))
    rows = list(csv.DictReader(io.StringIO(text)))
    assert list(rows[0]) == ["ID", "Labels", *CLASSES]
    assert [float(rows[1][name]) for name in CLASSES] == pytest.approx([0.1, 0.8, 0.1])


@pytest.mark.parametrize("columns", ["frog,cat,dog", "class_2,class_0,class_1", "2,0,1"])
def test_class_columns_of_the_sample_are_found_by_name_or_number(tmp_path, columns):
    layout = _sample(tmp_path, f"id,{columns}\n7,0,0,0\n5,0,0,0\n3,0,0,0\n")
    first = _write(tmp_path, layout).splitlines()[1].split(",")
    assert [float(cell) for cell in first] == pytest.approx([7, 0.1, 0.7, 0.2])


@pytest.mark.parametrize("ids", ["a/7.png,a/3.png,b/5.png", "7.png,3.png,5.png", "a/7,a/3,b/5", "7,3,5"])
def test_files_go_by_path_by_name_or_by_stem(tmp_path, ids):
    names = ids.split(",")
    layout = _sample(tmp_path, "ID,Labels\n" + "".join(f"{name},0\n" for name in reversed(names)))
    written = _write(tmp_path, layout, ("a/7.png", "a/3.png", "b/5.png"), are_files=True)
    assert written == f"ID,Labels\n{names[2]},2\n{names[1]},1\n{names[0]},0\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ID,Labels\n7,0\n3,0\n", r"2 ids and there are 3 images.*1 images are not listed: '5'"),
        ("ID,Labels\n7,0\n3,0\n5,0\n9,0\n", r"1 ids have no image: '9'"),
        ("ID,Labels\n7,0\n3,0\n6,0\n", r"no image: '6'.*not listed: '5'"),
        ("ID,Labels\n7,0\n3,0\n7,0\n", "more than once: 7"),
        ("ID,Labels\n", "lists no id"),
        ("", "lists no id"),
        ("ID\n7\n3\n5\n", "a column of ids and one of labels"),
        ("ID,Labels\n7,0\n3\n5,0\n", "row 3: 1 cells"),
        ('ID,Labels\n7,0\n"3,0\n5,0\n', "CSV"),
        ("ID,Labels\n7,kat\n3,dog\n5,dog\n", "'kat' are no classes.*did you mean 'cat'"),
        ("ID,Labels\n7,3\n3,0\n5,0\n", "'0', '3' are no classes.*0 to 2"),
        ("ID,Labels\n7,\n3,\n5,\n", "--labels index or --labels name"),
        ("ID,Labels,more\n7,0,0\n3,0,0\n5,0,0\n", "3 columns"),
        ("ID,ID\n7,0\n3,0\n5,0\n", "ID more than once"),
        ("id,cat,dog,fish\n7,0,0,0\n3,0,0,0\n5,0,0,0\n", "'fish' are no classes"),
    ],
)
def test_a_sample_that_does_not_fit_is_refused_before_anything_is_written(tmp_path, text, said):
    with pytest.raises(DataError, match=f"(?s){said}") as refused:
        _write(tmp_path, _sample(tmp_path, text))
    assert "sample.csv" in str(refused.value)
    assert not (tmp_path / "out.csv").exists()


def test_a_missing_sample_is_named(tmp_path):
    with pytest.raises(DataError, match=r"no file .*sample\.csv"):
        plan_submission(Layout(sample=tmp_path / "sample.csv"), _images(["1"]), CLASSES)


def test_a_sample_without_class_columns_takes_no_probabilities(tmp_path):
    (tmp_path / "sample.csv").write_text("ID,Labels\n7,0\n3,0\n5,0\n")
    with pytest.raises(DataError, match="a column for each of the 3 classes"):
        _write(tmp_path, Layout(sample=tmp_path / "sample.csv", probabilities=True))


def test_numbers_that_also_name_other_classes_are_not_guessed(tmp_path):
    layout = _sample(tmp_path, "ID,Labels\n7,1\n3,2\n5,0\n")
    with pytest.raises(DataError, match="--labels index or name"):
        plan_submission(layout, _images(["7", "3", "5"]), ("2", "1", "0"))
    assert plan_submission(layout, _images(["7", "3", "5"]), ("0", "1", "2")).cells == ("index",)


@pytest.mark.parametrize(
    "contradiction", [{"sample": "sample.csv", "header": ("ID", "Labels")}, {"labels": "name"}], ids=str
)
def test_options_that_contradict_each_other_are_refused(contradiction):
    with pytest.raises(UsageError, match="leave out"):
        Layout(**contradiction)


@pytest.mark.parametrize(
    "content", [b"", b"ID,Labels\n1,0\n", b"ID,Labels\n2,0\n1,0\n", b"ID,Labels\n1,0\n2\n", b"id,Labels\n1,0\n2,0\n"]
)
def test_a_file_that_reads_back_differently_is_not_accepted(tmp_path, content):
    planned = Submission(("ID", "Labels"), ("1", "2"), (0, 1), ("index",))
    check_written(b"ID,Labels\n1,0\n2,0\n", planned, tmp_path / "out.csv")
    with pytest.raises(WindtunnelError, match="reading it back"):
        check_written(content, planned, tmp_path / "out.csv")


_NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"), min_size=1, max_size=12)


@settings(max_examples=40)
@given(st.data())
def test_any_ids_in_any_order_come_back_each_with_its_own_label(tmp_path_factory, data):
    names = data.draw(st.lists(_NAMES, min_size=1, max_size=8, unique=True))
    order = data.draw(st.permutations(range(len(names))))
    folder = tmp_path_factory.mktemp("round")
    with (folder / "sample.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("ID", "Labels"), *((names[place], "dog") for place in order)])
    labels = torch.tensor(data.draw(st.lists(st.integers(0, 2), min_size=len(names), max_size=len(names))))
    planned = plan_submission(Layout(sample=folder / "sample.csv"), _images(names), CLASSES)
    write_submission(folder / "out.csv", planned, torch.eye(3)[labels], CLASSES)
    with (folder / "out.csv").open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file))[1:] == [[names[place], CLASSES[labels[place]]] for place in order]
