import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from windtunnel.data.spec import DatasetSpec
from windtunnel.data.unlabelled import read_images
from windtunnel.errors import DataError

COLOUR = DatasetSpec("cifar10", ("cat", "dog"), 3, (4, 6))
GREY = DatasetSpec("digits", ("0", "1"), 1, (4, 6))
PIXELS = np.random.default_rng(0).integers(0, 256, (5, 4, 6, 3), dtype=np.uint8)
IDS = [7, 3, 11, 20, 1]


def _pixels(found):
    return found.images.permute(0, 2, 3, 1).numpy()


@pytest.mark.parametrize(
    "laid_out",
    [PIXELS, PIXELS.transpose(0, 3, 1, 2), PIXELS.transpose(0, 3, 1, 2).reshape(5, -1), np.asfortranarray(PIXELS)],
    ids=["n h w c", "n c h w", "rows of planes", "fortran order"],
)
@pytest.mark.parametrize("suffix", [".npz", ".npy", ".pkl"])
def test_every_layout_of_every_array_file_gives_the_same_images(tmp_path, laid_out, suffix):
    path = tmp_path / f"test{suffix}"
    if suffix == ".npz":
        np.savez(path, images=laid_out)
    elif suffix == ".npy":
        np.save(path, laid_out)
    else:
        path.write_bytes(pickle.dumps({"data": laid_out}))
    found = read_images(path, like=COLOUR)
    assert np.array_equal(_pixels(found), PIXELS)
    assert found.names == ("0", "1", "2", "3", "4")


def test_grey_images_may_lack_the_channel_axis(tmp_path):
    np.save(tmp_path / "grey.npy", PIXELS[..., 0])
    assert np.array_equal(_pixels(read_images(tmp_path / "grey.npy", like=GREY)), PIXELS[..., :1])


@pytest.mark.parametrize("protocol", [2, 3, 4])
@pytest.mark.parametrize(
    ("key", "ids"),
    [
        ("ids", np.array(IDS)),
        ("id", np.array(IDS, dtype=">i4")),
        ("ids", IDS),
        ("filenames", [str(name).encode() for name in IDS]),
        ("filenames", np.array([str(name) for name in IDS])),
    ],
)
def test_pickled_ids_of_every_kind_are_kept(tmp_path, protocol, key, ids):
    (tmp_path / "test.pkl").write_bytes(pickle.dumps({b"data": PIXELS, key: ids}, protocol=protocol))
    assert read_images(tmp_path / "test.pkl", like=COLOUR).names == ("7", "3", "11", "20", "1")


def test_a_batch_that_python_2_wrote_is_read(tmp_path, sets):
    rows = PIXELS.transpose(0, 3, 1, 2).reshape(5, -1)
    (tmp_path / "test_batch").write_bytes(sets.python2_pickle({"data": rows, "filenames": [f"{i}.png" for i in IDS]}))
    found = read_images(tmp_path / "test_batch", like=COLOUR)
    assert found.names[0] == "7.png"
    assert np.array_equal(_pixels(found), PIXELS)


def test_a_pickle_that_would_run_something_is_refused(tmp_path):
    (tmp_path / "test.pkl").write_bytes(b"cposix\nsystem\n(S'true'\ntR.")
    with pytest.raises(DataError, match="not run"):
        read_images(tmp_path / "test.pkl", like=COLOUR)


@pytest.mark.parametrize("folder", [False, True])
def test_parquet_needs_no_labels_and_keeps_its_ids(tmp_path, sets, folder):
    cells = [{"bytes": sets.encode_image(image), "path": None} for image in PIXELS]
    table = pa.table({"img": pa.array(cells), "id": pa.array(IDS)})
    pq.write_table(table, tmp_path / "test.parquet")
    found = read_images(tmp_path if folder else tmp_path / "test.parquet", like=COLOUR)
    assert np.array_equal(_pixels(found), PIXELS)
    assert found.names == ("7", "3", "11", "20", "1")


def test_a_folder_of_several_parquet_splits_asks_which(tmp_path, sets):
    for split in ("train", "test"):
        sets.write_parquet(tmp_path / f"{split}-00000-of-00001.parquet", PIXELS, [0] * 5)
    with pytest.raises(DataError, match="train, test"):
        read_images(tmp_path, like=COLOUR)


def test_hidden_files_and_folders_are_left_alone(tmp_path, sets):
    for name in ("1.png", "._1.png", ".checkpoints/1.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(sets.encode_image(PIXELS[0]) if name == "1.png" else b"no image")
    (tmp_path / "folder.png").mkdir()
    assert read_images(tmp_path, like=COLOUR).names == ("1.png",)
    (tmp_path / "2.heic").write_bytes(b"")
    with pytest.raises(DataError, match=r"2\.heic: images of this kind are not read"):
        read_images(tmp_path, like=COLOUR)


def test_files_are_called_by_their_path_in_the_folder(tmp_path, sets):
    for name in ("b/2.png", "a/1.png"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(sets.encode_image(PIXELS[0]))
    found = read_images(tmp_path, like=COLOUR)
    assert (found.names, found.are_files) == (("a/1.png", "b/2.png"), True)


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ({"images": PIXELS[:, :3]}, r"trained on \(4, 6, 3\)"),
        ({"images": PIXELS.astype(np.float32)}, "not uint8|uint8 array"),
        ({"images": PIXELS[:0]}, "no image"),
        ({"images": PIXELS, "data": PIXELS}, "exactly one of"),
        ({"pictures": PIXELS}, "exactly one of"),
        ({"images": PIXELS, "ids": [1, 2, 3, 2, 1]}, "more than one image: (1|2), (1|2)"),
        ({"images": PIXELS, "ids": [1, 2]}, "5 images and 2 ids"),
        ({"images": PIXELS, "ids": IDS, "id": IDS}, "ids and id"),
        ({"images": PIXELS, "ids": [[1], [2], [3], [4], [5]]}, "not a list"),
        ({"images": "pixels"}, "they must be"),
    ],
)
def test_arrays_that_cannot_be_right_are_refused_by_name(tmp_path, held, said):
    path = tmp_path / "test.pkl"
    path.write_bytes(pickle.dumps(held, protocol=4))
    with pytest.raises(DataError, match=said) as refused:
        read_images(path, like=COLOUR)
    assert "test.pkl" in str(refused.value)


@pytest.mark.parametrize("name", ["missing.npz", "notes.txt", "cut.npz", "cut.npy", "empty"])
def test_files_that_hold_no_images_are_refused_by_name(tmp_path, name):
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "empty").mkdir()
    for cut in ("cut.npz", "cut.npy"):
        (tmp_path / cut).write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(DataError, match=Path(name).name):
        read_images(tmp_path / name, like=COLOUR)


def test_an_image_of_another_size_is_refused_unless_training_resized(tmp_path, sets):
    (tmp_path / "photo.png").write_bytes(sets.encode_image(PIXELS[0, :3]))
    with pytest.raises(DataError, match=r"photo\.png is \(3, 6, 3\)"):
        read_images(tmp_path / "photo.png", like=COLOUR)
    assert read_images(tmp_path / "photo.png", like=COLOUR, resize=True).images.shape == (1, 3, 4, 6)
