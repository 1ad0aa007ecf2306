"""Holding a data set against what a run noted of it when it started.

The files a run reads may have changed since. With an image more, what was trained on may lie in validation now; with a
class renamed, the classes may be numbered otherwise. Pixels are not compared: another version of a decoder may give
other ones.
"""

import json
from pathlib import Path
from typing import Any

from windtunnel.data.open import OpenedData
from windtunnel.errors import DataError

_LONGEST = 80


def describe_data(data: OpenedData) -> dict[str, Any]:
    """Return what ``env.json`` notes of the data."""
    return {
        "name": data.spec.name,
        "digest": data.digest,
        "splits": data.split_digests,
        "classes": list(data.spec.class_names),
    }


def check_same_data(run: Path, data: OpenedData) -> None:
    """Hold ``data`` against what the run in the folder ``run`` noted; runs of older versions noted no classes.

    A part may have been added or taken away, such as test images that came later.

    Raises:
        DataError: the parts hold other images, or the classes have other names or numbers.
    """
    now = describe_data(data)
    then = {**now, **_read_noted(run, now)}
    other = [part for part, digest in then["splits"].items() if now["splits"].get(part, digest) != digest]
    said = f"its {' and '.join(other)} images are not the same" if other else ""
    if then["classes"] != now["classes"]:
        said = f"its classes were {then['classes']!s:.{_LONGEST}} and are {now['classes']!s:.{_LONGEST}}"
    if said:
        raise DataError(
            f"{data.spec.name} has changed since {run.name} started: {said}. Bring back the files it was trained "
            "on, or train anew"
        )


def _read_noted(run: Path, now: dict[str, Any]) -> dict[str, Any]:
    noted = json.loads((run / "env.json").read_text(encoding="utf-8")).get("data")
    pairs = noted.items() if isinstance(noted, dict) else ()
    return {key: value for key, value in pairs if isinstance(value, type(now.get(key)))}
