import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from windtunnel.core.types import ImageBytes
from windtunnel.data.spec import DatasetSpec, RawDataset
from windtunnel.data.split import (
    IndexedPart,
    limit_balanced,
    split_fractions,
    split_official,
    stratified_parts,
)
from windtunnel.errors import DataError


def make_dataset(*splits: str, per_class: int = 20, classes: int = 3) -> RawDataset:
    labels = torch.arange(classes).repeat(per_class)
    images = torch.zeros(len(labels), 1, 2, 2, dtype=torch.uint8)
    spec = DatasetSpec("toy", tuple("abc"[:classes]), 1, (2, 2))
    return RawDataset(spec, {split: ImageBytes(images, labels) for split in splits}, "0" * 64)


@given(
    labels=st.lists(st.integers(0, 4), min_size=1, max_size=200),
    held_out=st.floats(0.0, 0.9),
    seed=st.integers(0, 100),
)
@settings(max_examples=50, deadline=None)
def test_parts_cover_the_whole_once_and_in_order(labels, held_out, seed):
    parts = stratified_parts(torch.tensor(labels), [1 - held_out, held_out], seed)
    assert sorted(torch.cat(parts).tolist()) == list(range(len(labels)))
    assert all((part.diff() > 0).all() for part in parts)
    assert len(parts[1]) == pytest.approx(held_out * len(labels), abs=0.5 + 1e-6)


@given(
    sizes=st.lists(st.integers(1, 60), min_size=2, max_size=5),
    held_out=st.floats(0.05, 0.95),
    seed=st.integers(0, 100),
)
@settings(max_examples=50, deadline=None)
def test_every_class_is_cut_in_proportion(sizes, held_out, seed):
    labels = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    part = stratified_parts(labels, [1 - held_out, held_out], seed)[1]
    found = torch.bincount(labels[part], minlength=len(sizes))
    for size, count in zip(sizes, found.tolist(), strict=True):
        assert abs(count - held_out * size) <= 1 + (len(sizes) + 1) / 2 * size / sum(sizes)


def test_equal_classes_are_cut_equally():
    labels = torch.arange(10).repeat(500)
    for part, share in zip(stratified_parts(labels, [0.8, 0.1, 0.1], 0), (400, 50, 50), strict=True):
        assert torch.bincount(labels[part]).tolist() == [share] * 10


def test_another_seed_is_another_cut_and_the_same_seed_the_same():
    labels = torch.arange(3).repeat(50)
    first, again, other = (stratified_parts(labels, [0.5, 0.5], seed)[0] for seed in (0, 0, 1))
    assert first.equal(again)
    assert not first.equal(other)


def test_official_takes_the_sets_own_parts():
    splits = split_official(dataset=make_dataset("train", "validation", "test"), validation=0.0, seed=0)
    assert (splits.train.split, splits.validation.split, splits.test.split) == ("train", "validation", "test")
    assert len(splits.train.indices) == 60


def test_official_without_a_test_part_has_none():
    splits = split_official(dataset=make_dataset("train"), validation=0.0, seed=0)
    assert splits.validation is None
    assert splits.test is None


def test_official_cuts_validation_out_of_train():
    splits = split_official(dataset=make_dataset("train", "test"), validation=0.1, seed=0)
    assert (len(splits.train.indices), len(splits.validation.indices)) == (54, 6)
    assert splits.validation.split == "train"
    assert not set(splits.train.indices.tolist()) & set(splits.validation.indices.tolist())


def test_fractions_leave_the_official_test_part_unread():
    splits = split_fractions(dataset=make_dataset("train", "test"), train=0.8, validation=0.1, test=0.1, seed=0)
    parts = (splits.train, splits.validation, splits.test)
    assert [part.split for part in parts] == ["train"] * 3
    assert [len(part.indices) for part in parts] == [48, 6, 6]


def test_a_missing_train_part_is_named():
    with pytest.raises(DataError, match="toy: the data set has no train part, only test"):
        split_official(dataset=make_dataset("test"), validation=0.0, seed=0)


def test_a_part_that_would_be_empty_is_refused():
    with pytest.raises(DataError, match=r"fraction of 0\.001 of 60 training images is no image"):
        split_official(dataset=make_dataset("train"), validation=0.001, seed=0)


def test_digests_tell_parts_apart():
    dataset = make_dataset("train", "test")
    digests = [split_official(dataset=dataset, validation=0.2, seed=seed).digest() for seed in (0, 0, 1)]
    assert digests[0] == digests[1]
    assert digests[0]["train"] != digests[2]["train"]
    assert digests[0]["test"] == digests[2]["test"]
    assert set(digests[0]) == {"train", "validation", "test"}


@given(count=st.integers(1, 60), seed=st.integers(0, 5))
@settings(max_examples=30, deadline=None)
def test_limit_is_balanced_and_nested(count, seed):
    labels = torch.arange(3).repeat(20)
    whole = IndexedPart("train", torch.arange(60))
    chosen = limit_balanced(whole, labels, count, seed).indices
    sizes = torch.bincount(labels[chosen], minlength=3)
    assert len(chosen) == count
    assert int(sizes.max() - sizes.min()) <= 1
    assert set(chosen.tolist()) <= set(limit_balanced(whole, labels, min(count + 7, 60), seed).indices.tolist())


def test_limit_above_the_set_is_refused():
    with pytest.raises(DataError, match=r"data\.train_limit: 61 images are wanted .* has 60"):
        limit_balanced(IndexedPart("train", torch.arange(60)), torch.zeros(60, dtype=torch.int64), 61, 0)
