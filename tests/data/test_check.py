import json
import os
import subprocess
import sys

import numpy as np
import pytest

from windtunnel.cli.main import main
from windtunnel.data.check import inspect_dataset
from windtunnel.data.detect import detect_source
from windtunnel.data.npz import NpzSource
from windtunnel.errors import DataError


def run(capsys, *words):
    try:
        main(["data", *words])
    except SystemExit as end:
        code = end.code or 0
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_odd_things_are_remarked(tmp_path, sets):
    images = sets.make_images(5, 4, 4)
    images[4] = images[0]
    np.savez(tmp_path / "x.npz", train_images=images, train_labels=[0, 1, 3, 1, 0],
             test_images=images[:2], test_labels=[0, 1])  # fmt: skip
    findings = inspect_dataset(NpzSource(path=str(tmp_path / "x.npz")).load())
    assert [part.duplicates for part in findings.parts] == [1, 0]
    assert "2 images of test are in train too, pixel for pixel" in findings.remarks
    assert "train has no image of some class" in findings.remarks


@pytest.mark.parametrize(
    ("form", "name"),
    [("npz", "npz"), ("parquet", "parquet"), ("images", "image_folder"), ("idx", "mnist"), ("cifar10", "cifar10"),
     ("cifar100", "cifar100"), ("archive10", "cifar10"), ("archive100", "cifar100")],
)  # fmt: skip
def test_the_form_at_a_path_is_told(tmp_path, sets, form, name):
    images, labels = sets.make_images(10), np.arange(10)
    path = tmp_path / "set"
    if form == "npz":
        path = tmp_path / "x.npz"
        np.savez(path, images=images, labels=labels)
    elif form == "parquet":
        sets.write_parquet(path / "train.parquet", images, labels)
    elif form == "images":
        sets.write_image_folder(path, {"": {"a": images[:5], "b": images[5:]}})
    elif form == "idx":
        grey = sets.make_images(10, 28, 28, 1)
        sets.write_idx_set(path, (grey, labels), (grey, labels))
    elif form.startswith("archive"):
        path = tmp_path / f"cifar-{form.removeprefix('archive')}-python.tar.gz"
        sets.write_cifar_archive(path, name, (images, labels), (images, labels))
    else:
        sets.write_cifar_folder(path, name, (images, labels), (images, labels))
    config = detect_source(str(path))
    assert config.name == name
    assert len(config.build().load().splits["train"].labels) == 10


def test_neither_name_nor_path_is_refused_with_a_near_name():
    with pytest.raises(DataError, match="did you mean 'cifar10'"):
        detect_source("cifar1")


def test_list_says_what_is_missing_and_how_to_get_it(capsys):
    code, out, _ = run(capsys, "list", "--json")
    rows = {row["set"]: row for row in json.loads(out)}
    assert code == 0
    assert rows["cifar10"]["found"] == "no: windtunnel data fetch cifar10"
    assert rows["digits"]["images"] == 1797


def test_check_describes_a_set(capsys):
    code, out, _ = run(capsys, "check", "digits", "--json")
    facts = json.loads(out)
    assert code == 0
    assert [part["images"] for part in facts["parts"]] == [1438, 359]
    assert facts["remarks"] == []


def test_check_prints_a_table_and_what_is_odd(tmp_path, sets, capsys):
    np.savez(tmp_path / "pets.npz", images=sets.make_images(4, 5, 6), labels=[0, 1, 3, 1])
    code, out, _ = run(capsys, "check", str(tmp_path / "pets.npz"))
    assert code == 0
    assert out.startswith("pets: 4 classes, 5x6x3, ")
    assert out.splitlines()[1].split() == "part images smallest_class largest_class duplicates mean std".split()
    assert out.splitlines()[-1] == "note: train has no image of some class"


def test_a_public_set_of_another_size_is_remarked(tmp_path, sets):
    images = sets.make_images(4, 28, 28, 1)
    sets.write_idx_set(tmp_path, (images, [0, 1, 2, 3]), (images[:1], [0]))
    remarks = inspect_dataset(detect_source(str(tmp_path)).build().load()).remarks
    assert "train has 4 images; the public set has 60000" in remarks


def test_a_folder_of_grey_images_is_checked_as_one(tmp_path, sets, capsys):
    grey = sets.make_images(4, 5, 6, 1)
    sets.write_image_folder(tmp_path / "grey", {"": {"a": grey[:2], "b": grey[2:]}})
    code, out, _ = run(capsys, "check", str(tmp_path / "grey"))
    assert (code, out.partition(", ")[0]) == (0, "grey: 2 classes")
    assert ", 5x6x1, " in out


def test_check_of_a_damaged_file_exits_2(tmp_path, capsys):
    (tmp_path / "x.npz").write_bytes(b"PK\x03\x04 cut short")
    code, _, err = run(capsys, "check", str(tmp_path / "x.npz"))
    assert code == 2
    assert "x.npz cannot be read as an .npz file" in err


def test_fetch_of_an_unknown_set_exits_2(capsys):
    code, _, err = run(capsys, "fetch", "cifar11")
    assert code == 2
    assert "did you mean 'cifar10'" in err


def test_fetch_offline_exits_2(capsys, monkeypatch):
    monkeypatch.setenv("WINDTUNNEL_OFFLINE", "1")
    code, _, err = run(capsys, "fetch", "mnist")
    assert code == 2
    assert "the network is switched off" in err


def test_help_imports_no_torch():
    script = (
        "import sys\nfrom windtunnel.cli.main import main\n"
        "try:\n    main(['data', 'fetch', '--help'])\nexcept SystemExit:\n    print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=os.environ, check=True)
    assert done.stdout.splitlines()[-1] == "False"
    assert "windtunnel data fetch cifar10" in done.stdout


@pytest.mark.parametrize(("folder", "name"), [("FashionMNIST/raw", "fashion_mnist"), ("MNIST/raw", "mnist")])
def test_idx_files_are_of_the_set_their_folder_is_named_after(tmp_path, sets, folder, name):
    part = (sets.make_images(3, 28, 28, 1), np.arange(3))
    sets.write_idx_set(tmp_path / folder, part, part)
    for path in (tmp_path / folder, (tmp_path / folder).parent):
        assert detect_source(str(path)).name == name


def test_images_without_pixels_are_refused(tmp_path):
    np.savez(tmp_path / "x.npz", images=np.zeros((2, 0, 4, 3), np.uint8), labels=[0, 1])
    with pytest.raises(DataError, match=r"x: its images have no pixels; they are \(0, 4\)"):
        inspect_dataset(NpzSource(path=str(tmp_path / "x.npz")).load())


def test_a_part_without_labels_is_to_be_predicted(tmp_path, sets):
    for split, labels in (("train", [0, 1]), ("test", [-1, -1])):
        sets.write_parquet(tmp_path / f"{split}.parquet", sets.make_images(2), labels, names=["ant", "bee"])
    with pytest.raises(
        DataError, match=r"test has the label -1, .*without labels elsewhere and give them to `windtunnel"
    ):
        inspect_dataset(detect_source(str(tmp_path)).build().load())
