import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from windtunnel.data.npz import NpzSource
from windtunnel.errors import DataError

LABELS = np.array([0, 1, 2, 1])


def load(path):
    return NpzSource(path=str(path)).load()


def save(path, **arrays):
    np.savez_compressed(path, **arrays)
    return path


def test_one_split(tmp_path, sets):
    images = sets.make_images(4, 5, 6)
    raw = load(save(tmp_path / "mine.npz", images=images, labels=LABELS))
    assert np.array_equal(raw.splits["train"].images.permute(0, 2, 3, 1).numpy(), images)
    assert raw.splits["train"].labels.tolist() == LABELS.tolist()
    assert (raw.spec.name, raw.spec.class_names, raw.spec.image_size) == ("mine", ("0", "1", "2"), (5, 6))


@pytest.mark.parametrize("names", [("train_images", "train_labels", "val_images", "val_labels"),
                                   ("x_train", "y_train", "x_validation", "y_validation")])  # fmt: skip
def test_several_splits_and_class_names(tmp_path, sets, names):
    arrays = dict(zip(names, (sets.make_images(4, 5, 5), LABELS, sets.make_images(2, 5, 5), LABELS[:2]), strict=True))
    raw = load(save(tmp_path / "mine.npz", **arrays, class_names=np.array(["ant", "bee", "cat"])))
    assert list(raw.splits) == ["train", "validation"]
    assert raw.spec.class_names == ("ant", "bee", "cat")


def test_plain_images_beside_a_test_part_are_the_training_ones(tmp_path, sets):
    train, test = sets.make_images(4, 5, 5), sets.make_images(2, 5, 5, seed=1)
    path = save(tmp_path / "x.npz", images=train, labels=LABELS, test_images=test, test_labels=LABELS[:2])
    assert {split: len(part.labels) for split, part in load(path).splits.items()} == {"train": 4, "test": 2}


@pytest.mark.parametrize(
    "other", [("x_train", "y_train"), ("training_images", "training_labels"), ("images", "labels")]
)
def test_two_pairs_that_mean_one_part_are_refused(tmp_path, sets, other):
    arrays = dict.fromkeys(("train_images", other[0]), sets.make_images(4, 5, 5))
    arrays |= dict.fromkeys(("train_labels", other[1]), LABELS)
    with pytest.raises(DataError, match=f"train_images and {other[0]} both mean train"):
        load(save(tmp_path / "x.npz", **arrays))


def test_two_classes_of_one_name_are_refused(tmp_path, sets):
    names = np.array(["ant", "bee", "ant"])
    with pytest.raises(DataError, match="x: 'ant' is the name of more than one class"):
        load(save(tmp_path / "x.npz", images=sets.make_images(4, 5, 5), labels=LABELS, class_names=names))


def test_grey_images_may_have_no_channel_axis(tmp_path, sets):
    images = sets.make_images(4, 5, 6, 1)[..., 0]
    raw = load(save(tmp_path / "x.npz", images=images, labels=LABELS))
    assert np.array_equal(raw.splits["train"].images[:, 0].numpy(), images)


@pytest.mark.parametrize("dtype", [np.int32, np.uint8, ">i8", np.uint64])
def test_labels_may_be_of_any_whole_type(tmp_path, sets, dtype):
    raw = load(save(tmp_path / "x.npz", images=sets.make_images(4, 5, 5), labels=LABELS.astype(dtype)))
    assert raw.splits["train"].labels.tolist() == LABELS.tolist()


@pytest.mark.parametrize(
    ("images", "labels", "said"),
    [
        (np.zeros((4, 5, 5, 3), np.float32), LABELS, "images must be uint8"),
        (np.zeros((4, 5, 5, 2), np.uint8), LABELS, "images must be uint8"),
        (np.zeros((4, 5), np.uint8), LABELS, "images must be uint8"),
        (np.asfortranarray(np.zeros((4, 5, 5, 3), np.uint8)), LABELS, "in C order"),
        (np.zeros((4, 5, 5), np.uint8), LABELS.astype(float), "labels must be whole numbers"),
        (np.zeros((4, 5, 5), np.uint8), LABELS[:, None], "labels must be whole numbers"),
        (np.zeros((4, 5, 5), np.uint8), LABELS[:3], "4 images, but 3 labels"),
        (np.zeros((4, 5, 5), np.uint8), LABELS - 1, "labels run from -1 to 1"),
        (np.zeros((4, 5, 5), np.uint8), LABELS.astype(np.uint64) + 2**63, "holds the label 9223372036854775810"),
        (np.zeros((4, 5, 5), np.uint8), LABELS + 70_000, "labels run from 70000 to 70002"),
    ],
)
def test_arrays_of_another_kind_are_refused(tmp_path, images, labels, said):
    with pytest.raises(DataError, match=said):
        load(save(tmp_path / "x.npz", images=images, labels=labels))


def test_splits_of_different_sizes_are_refused(tmp_path, sets):
    arrays = {"train_images": sets.make_images(4, 5, 5), "test_images": sets.make_images(4, 6, 5)}
    with pytest.raises(DataError, match="images of different sizes"):
        load(save(tmp_path / "x.npz", **arrays, train_labels=LABELS, test_labels=LABELS))


def test_other_arrays_are_listed(tmp_path):
    with pytest.raises(DataError, match="holds pictures, tags; it needs images and labels"):
        load(save(tmp_path / "x.npz", pictures=LABELS, tags=LABELS))


def test_a_pickled_object_is_never_loaded(tmp_path):
    class Payload:
        def __reduce__(self):
            return open, (str(tmp_path / "made"), "w")

    objects = np.array([Payload()] * 4, dtype=object)
    with pytest.raises(DataError):
        load(save(tmp_path / "x.npz", images=np.zeros((4, 5, 5), np.uint8), labels=objects))
    assert not (tmp_path / "made").exists()


def test_a_header_that_declares_more_than_is_stored_is_refused(tmp_path, sets):
    path = save(tmp_path / "x.npz", images=sets.make_images(4, 5, 5), labels=LABELS)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["images.npy"] = members["images.npy"].replace(b"(4, 5, 5, 3)", b"(4, 5, 9, 3)")
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    with pytest.raises(DataError, match="images declares 540 bytes and its member holds"):
        load(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        load(tmp_path / "x.npz")


@given(place=st.floats(0, 1), value=st.integers(0, 255), keep=st.floats(0.5, 1))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_damage_is_read_or_refused_in_words(tmp_path, sets, place, value, keep):
    path = save(tmp_path / "x.npz", images=sets.make_images(4, 3, 3), labels=LABELS)
    data = bytearray(path.read_bytes())
    data[int(place * (len(data) - 1))] = value
    path.write_bytes(data[: int(keep * len(data))])
    try:
        load(path)
    except DataError as error:
        assert "x.npz" in str(error)
