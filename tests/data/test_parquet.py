import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from windtunnel.data.parquet import ParquetSource, find_shards
from windtunnel.errors import DataError

FILE = "train-00000-of-00001.parquet"


def load(path, **options):
    return ParquetSource(path=str(path), **options).load()


def test_class_names_come_from_the_schema(tmp_path, sets):
    sets.write_parquet(tmp_path / FILE, sets.make_images(4), [0, 1, 2, 1], names=("ant", "bee", "cat"))
    raw = load(tmp_path)
    assert raw.spec.class_names == ("ant", "bee", "cat")
    assert (raw.spec.channels, raw.spec.image_size) == (3, (32, 32))


def test_without_names_classes_are_numbered(tmp_path, sets):
    sets.write_parquet(tmp_path / FILE, sets.make_images(3), [0, 3, 1])
    assert load(tmp_path).spec.class_names == ("0", "1", "2", "3")


def test_grey_images_have_one_channel(tmp_path, sets):
    images = sets.make_images(3, 6, 5, 1)
    sets.write_parquet(tmp_path / FILE, images, [0, 1, 0])
    raw = load(tmp_path)
    assert np.array_equal(raw.splits["train"].images[:, 0].numpy(), images[..., 0])


@pytest.mark.parametrize("as_struct", [True, False])
@pytest.mark.parametrize("limit", [1000, 1 << 20], ids=["dictionaries that overflow", "dictionaries"])
def test_row_groups_with_dictionaries_are_read_in_order(tmp_path, sets, as_struct, limit):
    images = sets.make_images(30, 6, 5)
    sets.write_parquet(tmp_path / FILE, images, np.arange(30) % 3, as_struct=as_struct)
    table = pq.read_table(tmp_path / FILE)
    pq.write_table(table, tmp_path / FILE, row_group_size=13, dictionary_pagesize_limit=limit, data_page_size=500)
    assert pq.ParquetFile(tmp_path / FILE).metadata.row_group(0).column(0).has_dictionary_page
    raw = load(tmp_path)
    assert np.array_equal(raw.splits["train"].images.permute(0, 2, 3, 1).numpy(), images)


@pytest.mark.parametrize(
    "names",
    [
        ["train.parquet", "test.parquet"],
        ["data/train-00000-of-00001.parquet", "data/test-00000-of-00001.parquet"],
        ["plain_text/train-00000-of-00001.parquet", "plain_text/test-00000-of-00001.parquet"],
        ["train-00000-of-00001-0123456789abcdef.parquet", "test-00000-of-00001-0123456789abcdef.parquet"],
        ["train/0000.parquet", "test/0000.parquet"],
        ["default/train/0000.parquet", "default/test/0000.parquet"],
        ["training-00000-of-00001.parquet", "eval-00000-of-00001.parquet"],
    ],
)
def test_the_hubs_layouts_are_found(tmp_path, sets, names):
    for name, count in zip(names, (4, 2), strict=True):
        sets.write_parquet(tmp_path / name, sets.make_images(count, 4, 4), list(range(count)))
    assert {split: len(part.labels) for split, part in load(tmp_path).splits.items()} == {"train": 4, "test": 2}


def test_shards_are_read_in_order(tmp_path, sets):
    for index in range(3):
        path = tmp_path / f"train-{index:05}-of-00003.parquet"
        sets.write_parquet(path, sets.make_images(2, 4, 4, seed=index), [index, index])
    assert load(tmp_path).splits["train"].labels.tolist() == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize(
    "names",
    [
        ["train-00000-of-00002"],
        ["train-00001-of-00002"],
        ["train-00000-of-00001", "train-00000-of-00001-0123456789abcdef"],
        ["train", "train-00000-of-00001"],
    ],
)
def test_missing_and_doubled_shards_are_refused(tmp_path, sets, names):
    for name in names:
        sets.write_parquet(tmp_path / f"{name}.parquet", sets.make_images(2, 4, 4), [0, 1])
    with pytest.raises(DataError, match=r"train should be . shards numbered from 0"):
        load(tmp_path)


def test_two_spellings_of_one_split_are_refused(tmp_path, sets):
    for name in ("train", "val", "validation"):
        sets.write_parquet(tmp_path / f"{name}.parquet", sets.make_images(2, 4, 4), [0, 1])
    with pytest.raises(DataError, match="val and validation both mean validation"):
        load(tmp_path)


def test_other_columns_are_picked_by_name(tmp_path, sets):
    sets.write_parquet(tmp_path / FILE, sets.make_images(2), [1, 0], column="picture", label_column="kind")
    with pytest.raises(DataError, match=r"no image column image or img; it has picture, kind.*image_column"):
        load(tmp_path)
    raw = load(tmp_path, image_column="picture", label_column="kind")
    assert raw.splits["train"].labels.tolist() == [1, 0]


def test_a_folder_without_parquet_says_what_was_looked_for(tmp_path):
    with pytest.raises(DataError, match=r"no parquet files named like train-00000-of-00001\.parquet"):
        load(tmp_path)


def test_no_files_are_no_shards(tmp_path):
    assert find_shards(tmp_path / "missing") == {}


def test_an_empty_set_is_refused(tmp_path, sets):
    sets.write_parquet(tmp_path / FILE, sets.make_images(0), [])
    with pytest.raises(DataError, match="the data set is empty"):
        load(tmp_path)


def test_an_image_of_another_size_is_named(tmp_path, sets):
    images = [*sets.make_images(2, 8, 8), *sets.make_images(1, 8, 9)]
    sets.write_parquet(tmp_path / FILE, images, [0, 1, 0])
    with pytest.raises(DataError, match=r"row 2: the image is 9x8 pixels and the first one was 8x8"):
        load(tmp_path)


def test_an_image_of_another_mode_is_named(tmp_path, sets):
    images = [*sets.make_images(2, 8, 8), *sets.make_images(1, 8, 8, 1)]
    sets.write_parquet(tmp_path / FILE, images, [0, 1, 0])
    with pytest.raises(DataError, match=r"row 2: the image's mode is L and the set is RGB"):
        load(tmp_path)


@pytest.mark.parametrize(("labels", "said"), [([0, None], "label is None"), ([0, -1], "labels run from -1 to 0")])
def test_labels_that_are_no_class_are_refused(tmp_path, sets, labels, said):
    sets.write_parquet(tmp_path / FILE, sets.make_images(2, 4, 4), labels)
    with pytest.raises(DataError, match=said):
        load(tmp_path)


def test_an_image_that_is_null_is_named(tmp_path):
    table = pa.table({"image": pa.array([None], pa.binary()), "label": pa.array([0])})
    pq.write_table(table, tmp_path / FILE)
    with pytest.raises(DataError, match="row 0: holds no image bytes but NoneType"):
        load(tmp_path)


def test_malformed_hub_metadata_is_named(tmp_path, sets):
    sets.write_parquet(tmp_path / FILE, sets.make_images(2, 4, 4), [0, 1])
    table = pq.read_table(tmp_path / FILE).replace_schema_metadata({"huggingface": json.dumps({"info": 3})})
    pq.write_table(table, tmp_path / FILE)
    with pytest.raises(DataError, match="cannot be read as Hugging Face schema metadata"):
        load(tmp_path)


@pytest.mark.parametrize("keep", [0.0, 0.1, 0.5, 0.95])
def test_a_truncated_file_leaves_nothing_behind(tmp_path, sets, keep):
    path = tmp_path / "set" / FILE
    sets.write_parquet(path, sets.make_images(20), list(range(20)))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])
    with pytest.raises(DataError, match=r"train-00000-of-00001\.parquet cannot be read as a parquet file"):
        ParquetSource(path=str(path.parent)).load(tmp_path / "cache")
    assert [name for name in sets.list_files(tmp_path / "cache" / "sets") if not name.endswith(".lock")] == []


@given(place=st.floats(0, 1), value=st.integers(0, 255))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_damage_is_read_or_refused_in_words(tmp_path, sets, place, value):
    path = tmp_path / FILE
    sets.write_parquet(path, sets.make_images(3, 4, 4), [0, 1, 2], names="abc")
    data = bytearray(path.read_bytes())
    data[int(place * (len(data) - 1))] = value
    path.write_bytes(data)
    try:
        load(tmp_path)
    except DataError as error:
        assert FILE in str(error)


def test_files_that_number_their_classes_differently_are_refused(tmp_path, sets):
    images = sets.make_images(2)
    sets.write_parquet(tmp_path / "train.parquet", images, [0, 1], names=["ant", "bee"])
    sets.write_parquet(tmp_path / "test.parquet", images, [0, 1])
    assert ParquetSource(path=str(tmp_path)).load().spec.class_names == ("ant", "bee")
    sets.write_parquet(tmp_path / "test.parquet", images, [0, 1], names=["bee", "ant"])
    with pytest.raises(
        DataError, match=r"test\.parquet: its labels are numbers of other classes than .*train\.parquet"
    ):
        ParquetSource(path=str(tmp_path)).load()
