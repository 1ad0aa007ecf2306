"""What every data source promises, checked on a tiny set of each kind."""

from typing import get_args

import numpy as np
import pytest
import torch

from windtunnel.config.base import component_name
from windtunnel.config.data import DataConfig, SourceConfig

KINDS = sorted(component_name(cls) for cls in get_args(get_args(SourceConfig)[0]))


@pytest.fixture(params=KINDS)
def source(request, tmp_path, sets):
    """Write a tiny set of the kind and return its built source."""
    name, path = request.param, tmp_path / "set"
    images, labels = sets.make_images(8), np.arange(8) % 4
    grey = sets.make_images(8, 28, 28, 1)
    if name == "digits":
        return DataConfig(source="digits").source.build()
    if name in ("mnist", "fashion_mnist"):
        sets.write_idx_set(path, (grey, labels), (grey[::-1], labels))
    elif name in ("cifar10", "cifar100"):
        sets.write_cifar_folder(path, name, (images, labels), (images[::-1], labels))
    elif name == "image_folder":
        sets.write_image_folder(path, {split: {"a": images[:4], "b": images[4:]} for split in ("train", "test")})
    elif name == "parquet":
        for split in ("train", "test"):
            sets.write_parquet(path / f"{split}.parquet", images, labels)
    else:
        path = tmp_path / "set.npz"
        np.savez(path, train_images=images, train_labels=labels, test_images=images, test_labels=labels)
    return DataConfig(source={"name": name, "path": str(path)}).source.build()


def test_images_and_labels_are_as_promised(source):
    raw = source.load()
    assert {"train", "test"} <= set(raw.splits)
    for part in raw.splits.values():
        assert part.images.dtype == torch.uint8
        assert part.images.shape == (len(part.labels), raw.spec.channels, *raw.spec.image_size)
        assert part.images.permute(0, 2, 3, 1).is_contiguous()
        assert part.labels.dtype == torch.int64
        assert 0 <= int(part.labels.min()) <= int(part.labels.max()) < len(raw.spec.class_names)


def test_a_second_load_is_the_same_set(source, tmp_path):
    first, again = source.load(tmp_path / "cache"), source.load(tmp_path / "cache")
    afresh = source.load(tmp_path / "other cache")
    assert first.spec == again.spec == afresh.spec
    assert first.digest == again.digest == afresh.digest
    for split, part in first.splits.items():
        assert all(left.equal(right) for left, right in zip(part, again.splits[split], strict=True))
