"""What a run notes of its data set when it starts: enough to answer without it, and to tell whether it has changed.

The files a run reads may have changed since. With an image more, what was trained on may lie in validation now; with a
class renamed, the classes may be numbered otherwise. Pixels are not compared: another version of a decoder may give
other ones.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from windtunnel.data.open import OpenedData
from windtunnel.data.spec import DatasetSpec
from windtunnel.errors import CheckpointError, DataError

_LONGEST = 80


@dataclass(frozen=True)
class NotedData:
    """What a network has to know of the images it was trained on.

    Args:
        name: of the data set.
        classes: names, in the order of the labels.
        channels: 1 for grey, 3 for colour.
        image_size: height and width, pixels.
        mean: per-channel mean the images were normalised with, pixels scaled to 0..1.
        std: per-channel standard deviation, likewise.
        digest: sha256 of the set's decoded content.
        splits: part -> sha256 of which images it holds.
        images: part -> how many images it holds.
    """

    name: str
    classes: tuple[str, ...]
    channels: int
    image_size: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    digest: str
    splits: dict[str, str]
    images: dict[str, int]

    @property
    def spec(self) -> DatasetSpec:
        """Facts about the set."""
        return DatasetSpec(self.name, self.classes, self.channels, self.image_size)


def describe_data(data: OpenedData) -> dict[str, Any]:
    """Return what ``env.json`` notes of the data."""
    return {
        "name": data.spec.name,
        "digest": data.digest,
        "splits": data.split_digests,
        "classes": list(data.spec.class_names),
        "channels": data.spec.channels,
        "image_size": list(data.spec.image_size),
        "mean": list(data.mean),
        "std": list(data.std),
        "images": {part: len(ids) for part, ids in data.ids.items()},
    }


def read_noted(run: Path) -> NotedData:
    """Return what the run in the folder ``run`` was trained on, by its own note; the data set need not be there.

    Raises:
        CheckpointError: the note is missing or damaged.
    """
    path = run / "env.json"
    try:
        return TypeAdapter(NotedData).validate_python(json.loads(path.read_text(encoding="utf-8"))["data"])
    except (OSError, ValueError, LookupError, TypeError) as error:
        said = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        raise CheckpointError(f"{path} does not say what the run was trained on ({said}); train it anew") from error


def check_same_data(run: Path, data: OpenedData) -> None:
    """Hold ``data`` against what the run in the folder ``run`` noted; runs of older versions noted no classes.

    A part may have been added or taken away, such as test images that came later.

    Raises:
        DataError: the parts hold other images, or the classes have other names or numbers.
    """
    now = describe_data(data)
    then = {**now, **_read_comparable(run, now)}
    other = [part for part, digest in then["splits"].items() if now["splits"].get(part, digest) != digest]
    said = f"its {' and '.join(other)} images are not the same" if other else ""
    if then["classes"] != now["classes"]:
        said = f"its classes were {then['classes']!s:.{_LONGEST}} and are {now['classes']!s:.{_LONGEST}}"
    if said:
        raise DataError(
            f"{data.spec.name} has changed since {run.name} started: {said}. Bring back the files it was trained "
            "on, or train anew"
        )


def _read_comparable(run: Path, now: dict[str, Any]) -> dict[str, Any]:
    noted = json.loads((run / "env.json").read_text(encoding="utf-8")).get("data")
    pairs = noted.items() if isinstance(noted, dict) else ()
    return {key: value for key, value in pairs if isinstance(value, type(now.get(key)))}
