import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from windtunnel.data.folder import ImageFolderSource
from windtunnel.errors import DataError


def load(path, **options):
    return ImageFolderSource(path=str(path), **options).load()


@pytest.fixture
def root(tmp_path, sets):
    images = sets.make_images(9, 6, 6)
    return sets.write_image_folder(
        tmp_path / "pets",
        {"train": {"dog": images[:2], "cat": images[2:5]}, "val": {"cat": images[5:6]}, "test": {"dog": images[6:8]}},
    )


def test_splits_and_classes_come_from_the_folders(root, sets):
    raw = load(root)
    assert raw.spec.class_names == ("cat", "dog")
    assert raw.spec.name == "pets"
    assert {split: part.labels.tolist() for split, part in raw.splits.items()} == {
        "train": [0, 0, 0, 1, 1], "validation": [0], "test": [1, 1],
    }  # fmt: skip
    expected = sets.make_images(9, 6, 6)[[2, 3, 4, 0, 1]]
    assert np.array_equal(raw.splits["train"].images.permute(0, 2, 3, 1).numpy(), expected)


@pytest.mark.parametrize(("name", "split"), [("valid", "validation"), ("dev", "validation"), ("eval", "test")])
def test_splits_go_by_their_usual_names(root, name, split):
    (root / "val").rename(root / name) if split == "validation" else (root / "test").rename(root / name)
    assert split in load(root).splits


def test_one_split_needs_no_split_folder(tmp_path, sets):
    images = sets.make_images(4, 6, 6)
    sets.write_image_folder(tmp_path / "pets", {"": {"cat": images[:2], "dog": images[2:]}})
    raw = load(tmp_path / "pets")
    assert list(raw.splits) == ["train"]
    assert raw.splits["train"].labels.tolist() == [0, 0, 1, 1]


def test_grey_images_are_read_in_grey(tmp_path, sets):
    images = sets.make_images(4, 6, 6, 1)
    sets.write_image_folder(tmp_path / "pets", {"": {"cat": images[:2], "dog": images[2:]}})
    assert load(tmp_path / "pets", mode="L").spec.channels == 1
    with pytest.raises(DataError, match=r"0000\.png: the image's mode is L and the set is RGB"):
        load(tmp_path / "pets")


def test_an_image_of_another_size_is_named_unless_resized(root, sets):
    (root / "train" / "dog" / "0001.png").write_bytes(sets.encode_image(sets.make_images(1, 6, 7)[0]))
    with pytest.raises(DataError, match=r"train/dog/0001\.png: the image is 7x6 pixels and the first one was 6x6"):
        load(root)
    assert load(root, image_size=5).spec.image_size == (5, 5)


def test_renaming_a_class_is_noticed(root):
    before = load(root)
    for split in ("train", "test"):
        (root / split / "dog").rename(root / split / "ant")
    after = load(root)
    assert after.spec.class_names == ("ant", "cat")
    assert after.digest != before.digest


def test_hidden_files_and_other_files_are_left_alone(root):
    (root / "train" / "dog" / ".hidden.png").write_text("no image")
    (root / "train" / "dog" / "notes.txt").write_text("no image")
    assert len(load(root).splits["train"].labels) == 5


def test_a_damaged_image_is_named(root):
    path = root / "train" / "dog" / "0000.png"
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(DataError, match=r"train/dog/0000\.png cannot be read as an image"):
        load(root)


@pytest.mark.parametrize("name", ["train", "test"])
def test_a_folder_that_may_be_a_class_or_a_part_is_refused(tmp_path, sets, name):
    images = sets.make_images(2, 6, 6)
    root = sets.write_image_folder(tmp_path / "x", {"": {"bus": images, "car": images, name: images}})
    with pytest.raises(DataError, match=rf"x/{name}: is it a part of the set or a class\?"):
        load(root)
    named = sets.write_image_folder(tmp_path / "y", {"train": {"bus": images, "car": images, name: images}})
    assert load(named).spec.class_names == tuple(sorted(["bus", "car", name]))


def test_the_set_is_named_after_its_folder_from_within_it(root, monkeypatch):
    outside = load(root)
    for within, path in ((root, "."), (root / "train", "..")):
        monkeypatch.chdir(within)
        assert (load(path).spec.name, load(path).digest) == ("pets", outside.digest)


def test_photos_lie_as_they_are_shown(tmp_path, sets):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    for name, options in (("cat", {"exif": exif}), ("dog", {})):
        (tmp_path / "pets" / name).mkdir(parents=True)
        height, width = (4, 6) if options else (6, 4)
        photo = Image.fromarray(sets.make_images(1, height, width)[0])
        photo.save(tmp_path / "pets" / name / "1.png", **options)
    assert load(tmp_path / "pets").spec.image_size == (6, 4)


def test_a_folder_that_may_not_be_read_is_named(root, monkeypatch):
    def refuse(folder):
        raise PermissionError(13, "Permission denied", str(folder))

    listed = type(root).iterdir
    monkeypatch.setattr(type(root), "iterdir", lambda path: (refuse if path.name == "dog" else listed)(path))
    with pytest.raises(DataError, match=r"pets cannot be read as an image folder: .*denied: '.*pets/train/dog'"):
        load(root)


def test_images_of_a_kind_that_is_not_read_are_said(root):
    (root / "train" / "dog" / "0002.TIF").write_bytes(b"II*")
    with pytest.raises(DataError, match=r"train/dog/0002\.TIF: images of this kind are not read; convert it"):
        load(root)


def test_images_in_a_folder_within_a_class_are_said(root, sets):
    nested = root / "train" / "dog" / "more"
    nested.mkdir()
    assert len(load(root).splits["train"].labels) == 5
    (nested / "1.jfif").write_bytes(sets.encode_image(sets.make_images(1, 6, 6)[0], "JPEG"))
    with pytest.raises(DataError, match=r"train/dog/more: lies within the class folder dog"):
        load(root)


def test_a_class_only_in_test_is_refused(root):
    (root / "test" / "dog").rename(root / "test" / "cow")
    with pytest.raises(DataError, match="class 'cow' is not among the 2 of train"):
        load(root)


def test_an_empty_class_is_refused(root):
    (root / "train" / "cow").mkdir()
    with pytest.raises(DataError, match=r"train/cow: holds no image"):
        load(root)


def test_images_outside_class_folders_are_refused(root, sets):
    (root / "test" / "loose.png").write_bytes(sets.encode_image(sets.make_images(1)[0]))
    with pytest.raises(DataError, match=r"loose\.png: lies outside a class folder"):
        load(root)


def test_a_missing_and_an_empty_folder_are_refused(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        load(tmp_path / "missing")
    with pytest.raises(DataError, match="holds no class folders"):
        load(tmp_path)


def test_two_folders_that_mean_one_split_are_refused(root):
    (root / "valid").mkdir()
    with pytest.raises(DataError, match="val and valid both mean validation"):
        load(root)


def test_splits_without_train_are_refused(root):
    shutil.rmtree(root / "train")
    with pytest.raises(DataError, match="holds test, val, but no train folder"):
        load(root)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names are text")
def test_names_that_are_no_text_are_refused(tmp_path):
    for file in (b"cat/0.png", b"dog/0.png", b"cat/\xff.png"):
        path = Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), file)))
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
    with pytest.raises(DataError, match="its name is not UTF-8; rename it"):
        load(tmp_path)
