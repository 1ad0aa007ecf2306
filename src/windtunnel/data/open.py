"""A config's data, checked and ready: parts, class names, statistics, digests."""

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Int64
from torch import Tensor

from windtunnel.config.data import DataConfig
from windtunnel.data.part import Part
from windtunnel.data.source import Source
from windtunnel.data.spec import DatasetSpec, RawDataset
from windtunnel.data.split import Splits, limit_balanced
from windtunnel.errors import DataError

_SMALLEST_STD = 1e-3
_VALUES = 256  # of a byte
_UNLABELLED = "; keep images without labels elsewhere and give them to `windtunnel predict`"


@dataclass(frozen=True)
class OpenedData:
    """The data of an experiment.

    Args:
        spec: facts about the set.
        digest: sha256 of the set's decoded content.
        train: images trained on.
        validation: images for choosing, or None.
        test: images for the end, or None.
        split_digests: part -> sha256 of which images it holds.
        ids: part -> index of each image in its raw split.
        mean: per-channel mean to normalise with, pixels scaled to 0..1.
        std: per-channel standard deviation, likewise.
    """

    spec: DatasetSpec
    digest: str
    train: Part
    validation: Part | None
    test: Part | None
    split_digests: dict[str, str]
    ids: dict[str, Int64[Tensor, " n"]]
    mean: tuple[float, ...]
    std: tuple[float, ...]


def open_data(config: DataConfig, cache_dir: Path | None = None) -> OpenedData:
    """Load, check and split the data ``config`` describes.

    Args:
        config: the ``data`` field of an experiment.
        cache_dir: folder of decoded sets; None takes the user's cache.

    Raises:
        DataError: the set is missing, damaged, empty, has one class only, a label out of range, or does not
            fit the config.
    """
    source: Source = config.source.build()
    raw = source.load(cache_dir)
    check_dataset(raw)
    splits = _limited(config.split.build(dataset=raw), raw, config)
    _check_steps(config, len(splits.train.indices))
    parts = {"train": splits.train, "validation": splits.validation, "test": splits.test}
    held = {name: Part(raw.splits[part.split], part.indices) for name, part in parts.items() if part is not None}
    mean, std = _statistics(config, raw.spec, held["train"])
    return OpenedData(
        spec=raw.spec,
        digest=raw.digest,
        train=held["train"],
        validation=held.get("validation"),
        test=held.get("test"),
        split_digests=splits.digest(),
        ids={name: part.indices for name, part in parts.items() if part is not None},
        mean=mean,
        std=std,
    )


def check_dataset(raw: RawDataset) -> None:
    """Raise :class:`DataError` when ``raw`` is empty, has one class only or a label out of range."""
    name, classes = raw.spec.name, len(raw.spec.class_names)
    if not any(len(part.labels) for part in raw.splits.values()):
        raise DataError(f"{name}: the data set is empty; it has no images")
    if min(raw.spec.image_size) < 1:
        raise DataError(f"{name}: its images have no pixels; they are {raw.spec.image_size} (height, width)")
    if classes < 2:
        raise DataError(f"{name}: the data set has {classes} class; a classifier needs at least 2")
    for split, part in raw.splits.items():
        if len(part.labels) == 0:
            raise DataError(f"{name}: the {split} part is empty; it has no images")
        low, high = int(part.labels.min()), int(part.labels.max())
        if low < 0 or high >= classes:
            wrong, hint = (low, _UNLABELLED) if low < 0 else (high, "")
            raise DataError(
                f"{name}: {split} has the label {wrong}, outside 0..{classes - 1} for its {classes} classes{hint}"
            )
    if "train" in raw.splits and int(torch.bincount(raw.splits["train"].labels).count_nonzero()) < 2:
        raise DataError(f"{name}: every training image has the same label; a classifier needs at least 2 classes")


def measure_statistics(part: Part) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the per-channel mean and standard deviation of pixels scaled to 0..1, by how often each value comes."""
    channels, height, width = part.image_shape
    counts = torch.zeros(channels, _VALUES, dtype=torch.int64)
    for rows in part.chunks():
        images = part.gather(rows)
        counts += torch.stack([plane.flatten().bincount(minlength=_VALUES) for plane in images.unbind(1)])
    values = torch.arange(_VALUES, dtype=torch.float64) / (_VALUES - 1)
    shares = counts.double() / (len(part) * height * width)
    mean = (shares * values).sum(1)
    std = (shares * (values - mean[:, None]).square()).sum(1).sqrt().clamp_min(_SMALLEST_STD)
    return tuple(mean.tolist()), tuple(std.tolist())


def _limited(splits: Splits, raw: RawDataset, config: DataConfig) -> Splits:
    if config.train_limit is None:
        return splits
    labels = raw.splits[splits.train.split].labels
    train = limit_balanced(splits.train, labels, config.train_limit, seed=config.split.seed)
    return Splits(train, splits.validation, splits.test)


def _check_steps(config: DataConfig, images: int) -> None:
    if config.drop_last and config.batch_size > images:
        raise DataError(
            f"data.batch_size: {config.batch_size} is more than the {images} training images, so that with "
            f"data.drop_last an epoch has no step; use at most {images} or set data.drop_last=false"
        )


def _statistics(config: DataConfig, spec: DatasetSpec, train: Part) -> tuple[tuple[float, ...], tuple[float, ...]]:
    if config.normalize is not None:
        given = len(config.normalize.mean)
        if given != spec.channels:
            raise DataError(f"data.normalize: has {given} channels and the images of {spec.name} have {spec.channels}")
        return config.normalize.mean, config.normalize.std
    if spec.mean is not None and spec.std is not None:
        return spec.mean, spec.std
    return measure_statistics(train)
