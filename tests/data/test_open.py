import numpy as np
import pytest
import torch

from windtunnel.config.data import DataConfig
from windtunnel.core.types import ImageBytes
from windtunnel.data.open import check_dataset, measure_statistics, open_data
from windtunnel.data.part import Part
from windtunnel.data.spec import DatasetSpec, RawDataset
from windtunnel.errors import DataError


@pytest.fixture
def npz(tmp_path, sets):
    """Write an .npz set of the given labels and return what makes a config of it."""

    def write(train, test=(0, 1), **fields):
        arrays = {"train_images": sets.make_images(len(train), 4, 4), "train_labels": np.asarray(train, np.int64)}
        if test is not None:
            arrays |= {"test_images": sets.make_images(len(test), 4, 4), "test_labels": np.asarray(test, np.int64)}
        np.savez(tmp_path / "toy.npz", **arrays)
        return DataConfig(source={"name": "npz", "path": str(tmp_path / "toy.npz")}, **{"batch_size": 2, **fields})

    return write


def test_digits_open_with_all_there_is_to_know():
    opened = open_data(DataConfig(source="digits"))
    assert opened.spec.class_names == tuple("0123456789")
    assert (len(opened.train.labels), len(opened.test.labels), opened.validation) == (1438, 359, None)
    assert set(opened.split_digests) == {"train", "test"}
    assert int(opened.train.images.max()) == 255
    assert 0 < opened.mean[0] < 1


def test_digits_hold_what_scikit_learn_has():
    from sklearn.datasets import load_digits

    bunch, opened = load_digits(), open_data(DataConfig(source="digits"))
    ours = torch.cat([opened.train.images, opened.test.images]).flatten(1).numpy()
    theirs = np.rint(bunch.data * 255 / 16).astype(np.uint8)
    assert sorted(map(bytes, ours)) == sorted(map(bytes, theirs))


def is_mapped(tensor, file_name):
    """Say whether the tensor's memory is a mapping of a file of that name."""
    with open("/proc/self/maps") as lines:
        ranges = [line.split()[0].split("-") for line in lines if line.rstrip().endswith(file_name)]
    return any(int(start, 16) <= tensor.data_ptr() < int(end, 16) for start, end in ranges)


def test_whole_parts_stay_memory_mapped_and_cut_ones_are_channels_last(npz):
    config = npz([0, 1, 0, 1], split={"name": "official", "validation": 0.5})
    whole, cut = open_data(npz([0, 1, 0, 1])), open_data(config)
    assert is_mapped(whole.train.images, "train.images.npy")
    assert not is_mapped(cut.train.images, "train.images.npy")
    assert cut.train.images.is_contiguous(memory_format=torch.channels_last)


def test_parts_hold_the_images_their_ids_name(npz):
    config = npz([0, 1] * 10, split={"name": "official", "validation": 0.2})
    raw, opened = config.source.build().load(), open_data(config)
    for name in ("train", "validation"):
        part, ids = getattr(opened, name), opened.ids[name]
        assert part.images.equal(raw.splits["train"].images[ids])
        assert part.labels.equal(raw.splits["train"].labels[ids])
    assert not set(opened.ids["train"].tolist()) & set(opened.ids["validation"].tolist())


def test_train_limit_is_balanced(npz):
    opened = open_data(npz([0, 1, 2] * 10, train_limit=6))
    assert torch.bincount(opened.train.labels).tolist() == [2, 2, 2]
    assert len(opened.ids["train"]) == 6


def test_statistics_are_those_given_else_public_else_measured(npz, tmp_path, sets):
    given = {"mean": (0.1, 0.2, 0.3), "std": (1.0, 2.0, 3.0)}
    assert open_data(npz([0, 1, 0], normalize=given)).std == (1.0, 2.0, 3.0)
    for split in ("train", "test"):
        sets.write_parquet(tmp_path / "c" / f"{split}.parquet", sets.make_images(4), [0, 1, 2, 3])
    public = open_data(DataConfig(source={"name": "cifar10", "path": str(tmp_path / "c")}, batch_size=2))
    assert public.mean == (0.4914, 0.4822, 0.4465)
    measured = open_data(npz([0, 1, 0]))
    assert measured.mean == pytest.approx((measured.train.images.double() / 255).mean((0, 2, 3)).tolist())


def as_part(images):
    return Part.of(ImageBytes(images, torch.zeros(len(images), dtype=torch.int64)))


def test_measured_statistics_agree_with_torch():
    images = torch.randint(0, 256, (50, 3, 4, 4), dtype=torch.uint8)
    mean, std = measure_statistics(as_part(images))
    scaled = images.double() / 255
    assert mean == pytest.approx(scaled.mean((0, 2, 3)).tolist())
    assert std == pytest.approx(scaled.std((0, 2, 3), correction=0).tolist())


def test_images_of_one_colour_do_not_divide_by_zero():
    images = torch.full((5, 1, 4, 4), 9, dtype=torch.uint8)
    assert measure_statistics(as_part(images))[1][0] > 0


def test_normalize_of_other_channels_is_refused(npz):
    with pytest.raises(DataError, match=r"data\.normalize: has 1 channels and the images of toy have 3"):
        open_data(npz([0, 1], normalize={"mean": (0.5,), "std": (0.5,)}))


def test_an_epoch_without_a_step_is_refused(npz):
    with pytest.raises(DataError, match=r"data\.batch_size: 5 is more than the 4 training images"):
        open_data(npz([0, 1, 0, 1], batch_size=5))
    assert open_data(npz([0, 1, 0, 1], batch_size=5, drop_last=False)).train is not None


def test_a_limit_above_the_set_is_refused(npz):
    with pytest.raises(DataError, match=r"data\.train_limit: 9 images are wanted"):
        open_data(npz([0, 1, 0, 1], train_limit=9))


def test_one_class_is_refused(npz):
    with pytest.raises(DataError, match="needs at least 2"):
        open_data(npz([0, 0, 0], test=(0, 0)))


def test_one_class_in_train_is_refused(npz):
    with pytest.raises(DataError, match="every training image has the same label"):
        open_data(npz([0, 0, 0], test=(0, 1)))


def test_an_empty_part_is_refused(npz):
    with pytest.raises(DataError, match="the train part is empty"):
        open_data(npz([], test=(0, 1)))


def make_raw(labels, classes):
    images = torch.zeros(len(labels), 1, 2, 2, dtype=torch.uint8)
    spec = DatasetSpec("toy", tuple("abcdef"[:classes]), 1, (2, 2))
    return RawDataset(spec, {"train": ImageBytes(images, torch.tensor(labels, dtype=torch.int64))}, "0")


@pytest.mark.parametrize(("labels", "wrong"), [([0, 1, 7], 7), ([0, -3, 1], -3)])
def test_a_label_out_of_range_is_named(labels, wrong):
    with pytest.raises(DataError, match=f"train has the label {wrong}, outside 0..2 for its 3 classes"):
        check_dataset(make_raw(labels, 3))


def test_an_empty_set_is_refused():
    with pytest.raises(DataError, match="the data set is empty"):
        check_dataset(make_raw([], 3))


def test_a_set_without_a_train_part_is_refused(tmp_path, sets):
    sets.write_parquet(tmp_path / "test.parquet", sets.make_images(4), [0, 1, 2, 3])
    with pytest.raises(DataError, match="has no train part, only test"):
        open_data(DataConfig(source={"name": "parquet", "path": str(tmp_path)}))


@pytest.mark.parametrize("name", ["image_folder", "npz", "parquet"])
def test_a_relative_path_that_is_not_there_says_where_it_starts(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=rf"pets \(from {tmp_path}\): no "):
        open_data(DataConfig(source={"name": name, "path": "pets"}))


def test_fractions_are_cut_from_train_alone(npz):
    opened = open_data(npz([0, 1] * 10, split="fractions"))
    assert [len(part.labels) for part in (opened.train, opened.validation, opened.test)] == [16, 2, 2]
    together = torch.cat([opened.ids[name] for name in ("train", "validation", "test")])
    assert sorted(together.tolist()) == list(range(20))
