import pickle

import numpy as np
import pytest

from windtunnel.data.named import NAMED_SETS, NamedSource
from windtunnel.errors import DataError

COLOUR = ("cifar10", "cifar100")
GREY = ("mnist", "fashion_mnist")


def make_parts(sets, name, train=25, test=10):
    height, width = NAMED_SETS[name].spec.image_size
    channels, classes = NAMED_SETS[name].spec.channels, len(NAMED_SETS[name].spec.class_names)
    return tuple(
        (sets.make_images(count, height, width, channels, seed), np.arange(count) % classes)
        for count, seed in ((train, 1), (test, 2))
    )


def write_form(sets, root, name, form):
    """Write ``name`` in ``form`` under ``root`` and return its parts."""
    parts = make_parts(sets, name)
    known = NAMED_SETS[name].spec
    if form in ("parquet", "shards", "bytes"):
        column = "img" if name in COLOUR else "image"
        label_column = "fine_label" if name == "cifar100" else "label"
        for split, (images, labels) in zip(("train", "test"), parts, strict=True):
            halves = np.array_split(np.arange(len(images)), 2 if form == "shards" else 1)
            for index, half in enumerate(halves):
                path = root / name / f"{split}-{index:05}-of-{len(halves):05}.parquet"
                sets.write_parquet(
                    path, images[half], labels[half], column=column, label_column=label_column,
                    names=known.class_names, as_struct=form != "bytes",
                )  # fmt: skip
    elif form == "folder":
        sets.write_cifar_folder(root, name, *parts)
    elif form == "archive":
        sets.write_cifar_archive(root / name / f"{name}.tar.gz", name, *parts)
    else:
        sets.write_idx_set(root / name, *parts, zipped=form == "idx.gz")
    return parts


FORMS = [(name, form) for name in COLOUR for form in ("parquet", "shards", "bytes", "folder", "archive")] + [
    (name, form) for name in GREY for form in ("parquet", "idx", "idx.gz")
]


@pytest.mark.parametrize(("name", "form"), FORMS)
def test_every_public_form_gives_the_same_images(tmp_path, monkeypatch, sets, name, form):
    monkeypatch.setenv("WINDTUNNEL_DATA_DIR", str(tmp_path / "data"))
    train, test = write_form(sets, tmp_path / "data", name, form)
    raw = NamedSource(name).load()
    assert list(raw.splits) == ["train", "test"]
    for split, (images, labels) in (("train", train), ("test", test)):
        assert np.array_equal(raw.splits[split].images.permute(0, 2, 3, 1).numpy(), images)
        assert raw.splits[split].labels.tolist() == list(labels)
    assert raw.spec == NAMED_SETS[name].spec


@pytest.mark.parametrize("name", COLOUR)
def test_the_digest_does_not_depend_on_the_form(tmp_path, sets, name):
    digests = set()
    for form in ("parquet", "folder", "archive"):
        write_form(sets, tmp_path / form, name, form)
        place = tmp_path / form / (name if form != "folder" else "")
        digests.add(NamedSource(name, path=str(place)).load().digest)
    assert len(digests) == 1


def test_the_download_folder_is_looked_in_too(tmp_path, sets):
    write_form(sets, tmp_path / "xdg" / "windtunnel" / "downloads", "mnist", "idx.gz")
    assert len(NamedSource("mnist").load().splits["train"].labels) == 25


def test_a_path_to_the_archive_itself_will_do(tmp_path, sets):
    parts = make_parts(sets, "cifar10")
    path = sets.write_cifar_archive(tmp_path / "cifar-10-python.tar.gz", "cifar10", *parts)
    assert len(NamedSource("cifar10", path=str(path)).load().splits["test"].labels) == 10


@pytest.mark.parametrize("name", sorted(NAMED_SETS))
def test_a_missing_set_says_where_was_looked_and_how_to_get_it(tmp_path, monkeypatch, name):
    monkeypatch.setenv("WINDTUNNEL_DATA_DIR", str(tmp_path / "data"))
    with pytest.raises(DataError) as caught:
        NamedSource(name).load()
    assert f"windtunnel data fetch {name}" in str(caught.value)
    assert str(tmp_path / "data" / name) in str(caught.value)
    assert str(tmp_path / "xdg" / "windtunnel" / "downloads" / name) in str(caught.value)


def test_images_of_another_size_are_another_set(tmp_path, sets):
    sets.write_parquet(tmp_path / "train-00000-of-00001.parquet", sets.make_images(3, 28, 28), [0, 1, 2])
    with pytest.raises(DataError, match=r"\(28, 28, 3\), but cifar10 has \(32, 32, 3\)"):
        NamedSource("cifar10", path=str(tmp_path)).load()


def test_a_missing_part_is_named(tmp_path, sets):
    sets.write_parquet(tmp_path / "train.parquet", sets.make_images(3), [0, 1, 2])
    with pytest.raises(DataError, match="holds no test part of cifar10"):
        NamedSource("cifar10", path=str(tmp_path)).load()


@pytest.mark.parametrize("name", ["cifar10", "mnist"])
def test_a_whole_form_is_taken_before_half_of_another(tmp_path, sets, name):
    (images, labels), test = make_parts(sets, name)
    write_form(sets, tmp_path, name, "archive" if name == "cifar10" else "idx.gz")
    sets.write_parquet(tmp_path / name / "train-00000-of-00001.parquet", images[:3], labels[:3])
    raw = NamedSource(name, path=str(tmp_path / name)).load()
    assert (len(raw.splits["train"].labels), len(raw.splits["test"].labels)) == (len(labels), len(test[1]))


def test_a_whole_set_in_a_later_place_is_taken_before_half_of_one(tmp_path, monkeypatch, sets):
    monkeypatch.setenv("WINDTUNNEL_DATA_DIR", str(tmp_path / "data"))
    sets.write_parquet(tmp_path / "data" / "cifar10" / "train.parquet", sets.make_images(3), [0, 1, 2])
    write_form(sets, tmp_path / "xdg" / "windtunnel" / "downloads", "cifar10", "archive")
    assert len(NamedSource("cifar10").load().splits["test"].labels) == 10


@pytest.mark.parametrize("name", COLOUR)
def test_the_archives_of_both_sets_may_lie_side_by_side(tmp_path, sets, name):
    for one, file in (("cifar10", "cifar-10-python.tar.gz"), ("cifar100", "cifar-100-python.tar.gz")):
        sets.write_cifar_archive(tmp_path / file, one, *make_parts(sets, one))
    assert NamedSource(name, path=str(tmp_path)).load().spec.name == name


def test_class_names_of_another_set_are_refused(tmp_path, sets):
    for split in ("train", "test"):
        names = NAMED_SETS["cifar10"].spec.class_names
        sets.write_parquet(tmp_path / f"{split}.parquet", sets.make_images(3), [0, 1, 2], names=names)
    with pytest.raises(DataError, match="10 classes, but cifar100 has 100"):
        NamedSource("cifar100", path=str(tmp_path)).load()


def test_a_batch_with_a_payload_does_not_run(tmp_path, sets):
    class Payload:
        def __reduce__(self):
            return open, (str(tmp_path / "made"), "w")

    folder = sets.write_cifar_folder(tmp_path, "cifar10", *make_parts(sets, "cifar10"))
    (folder / "data_batch_3").write_bytes(pickle.dumps({"data": Payload()}, protocol=2))
    with pytest.raises(DataError, match=r"data_batch_3 cannot be read .*not run"):
        NamedSource("cifar10", path=str(tmp_path)).load()
    assert not (tmp_path / "made").exists()


def test_an_archive_without_a_batch_is_refused(tmp_path, sets):
    path = sets.write_tar(tmp_path / "cifar-10-python.tar.gz", [("cifar-10-batches-py/data_batch_1", b"x")])
    with pytest.raises(DataError, match=r"no member data_batch_2, .*cut short or another archive"):
        NamedSource("cifar10", path=str(path)).load()


@pytest.mark.parametrize("keep", [0.3, 0.9])
def test_a_truncated_archive_leaves_nothing_behind(tmp_path, sets, keep):
    parts = make_parts(sets, "cifar10")
    path = sets.write_cifar_archive(tmp_path / "a" / "cifar-10-python.tar.gz", "cifar10", *parts)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep)])
    with pytest.raises(DataError, match=r"cifar-10-python\.tar\.gz"):
        NamedSource("cifar10", path=str(path)).load(tmp_path / "cache")
    assert [name for name in sets.list_files(tmp_path / "cache" / "sets") if not name.endswith(".lock")] == []
    assert sets.list_files(tmp_path / "a") == ["cifar-10-python.tar.gz"]


def test_a_batch_whose_labels_do_not_fit_is_refused(tmp_path, sets):
    folder = sets.write_cifar_folder(tmp_path, "cifar10", *make_parts(sets, "cifar10"))
    batch = sets.python2_pickle({"data": np.zeros((3, 3072), np.uint8), "labels": [1, 2]})
    (folder / "test_batch").write_bytes(batch)
    with pytest.raises(DataError, match="3 images but 2 labels"):
        NamedSource("cifar10", path=str(tmp_path)).load()
