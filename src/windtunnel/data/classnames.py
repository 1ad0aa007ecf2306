"""Class names of the named public sets in the order of their labels, and numbers for sets without names."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from windtunnel.errors import DataError

_MOST_CLASSES = 1 << 16

DIGITS = tuple("0123456789")

FASHION = (
    "t-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip

CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

# fmt: off
CIFAR100 = (
    "apple", "aquarium_fish", "baby", "bear", "beaver", "bed", "bee", "beetle", "bicycle", "bottle", "bowl", "boy",
    "bridge", "bus", "butterfly", "camel", "can", "castle", "caterpillar", "cattle", "chair", "chimpanzee", "clock",
    "cloud", "cockroach", "couch", "crab", "crocodile", "cup", "dinosaur", "dolphin", "elephant", "flatfish",
    "forest", "fox", "girl", "hamster", "house", "kangaroo", "keyboard", "lamp", "lawn_mower", "leopard", "lion",
    "lizard", "lobster", "man", "maple_tree", "motorcycle", "mountain", "mouse", "mushroom", "oak_tree", "orange",
    "orchid", "otter", "palm_tree", "pear", "pickup_truck", "pine_tree", "plain", "plate", "poppy", "porcupine",
    "possum", "rabbit", "raccoon", "ray", "road", "rocket", "rose", "sea", "seal", "shark", "shrew", "skunk",
    "skyscraper", "snail", "snake", "spider", "squirrel", "streetcar", "sunflower", "sweet_pepper", "table", "tank",
    "telephone", "television", "tiger", "tractor", "train", "trout", "tulip", "turtle", "wardrobe", "whale",
    "willow_tree", "wolf", "woman", "worm",
)
# fmt: on


def number_classes(labels: Mapping[str, npt.NDArray[np.int64]], path: Path) -> tuple[str, ...]:
    """Return ``"0"``, ``"1"``, ... up to the largest label of any split.

    Raises:
        DataError: a label is negative, or too large to be the number of a class.
    """
    filled = [part for part in labels.values() if len(part)]
    low = min((int(part.min()) for part in filled), default=0)
    high = max((int(part.max()) for part in filled), default=-1)
    if low < 0 or high >= _MOST_CLASSES:
        raise DataError(f"{path}: labels run from {low} to {high}; they must be 0 .. number of classes - 1")
    return tuple(str(index) for index in range(high + 1))
