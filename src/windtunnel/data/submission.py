"""The CSV a competition wants: its header, its rows in its order, its labels, and nothing else.

What the file will look like is settled by :func:`plan_submission` before any image is classified.
"""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from windtunnel.core.files import replacing
from windtunnel.data.sample_submission import Sample, read_sample
from windtunnel.data.unlabelled import UnlabelledImages
from windtunnel.errors import DataError, UsageError, WindtunnelError
from windtunnel.registry import suggest

LabelForm = Literal["index", "name"]
# What a column after the ids holds; a whole number is the class whose probability stands there.
Cell = Literal["index", "name", "confidence"] | int

_SHOWN = 5
_PLAIN_HEADER = ("file", "label", "class", "probability")


@dataclass(frozen=True)
class Layout:
    """What the caller wants the CSV to look like; nothing given is ``file,label,class,probability``.

    Args:
        sample: a sample submission, whose header and rows are kept exactly.
        header: names of the columns, where there is no sample: the ids, the label, and one a class if wanted.
        labels: classes as numbers or as names; None does as the sample does, and numbers without a sample.
        probabilities: one more column a class with its probability.

    Raises:
        UsageError: two of them contradict each other.
    """

    sample: Path | None = None
    header: tuple[str, ...] | None = None
    labels: LabelForm | None = None
    probabilities: bool = False

    def __post_init__(self) -> None:
        if self.sample is not None and self.header is not None:
            raise UsageError("the sample submission has a header of its own; leave out --header")
        if self.labels is not None and self.sample is None and self.header is None:
            raise UsageError(
                "without --header or --sample-submission the CSV has numbers and names; leave out --labels"
            )


@dataclass(frozen=True)
class Submission:
    """A CSV as it will be written.

    Args:
        header: names of the columns.
        ids: first cell of each row.
        images: which of the images each row is about.
        cells: what each column after the first holds.
    """

    header: tuple[str, ...]
    ids: tuple[str, ...]
    images: tuple[int, ...]
    cells: tuple[Cell, ...]


def plan_submission(layout: Layout, images: UnlabelledImages, classes: Sequence[str]) -> Submission:
    """Settle columns and rows.

    Raises:
        DataError: the sample does not list exactly these images, once each, or its columns or labels are not those of
            these classes.
    """
    sample = read_sample(layout.sample) if layout.sample else None
    if sample is not None:
        cells = _read_header(sample.header, sample.path, layout, classes, sample)
        return Submission(sample.header, sample.ids, _match(sample, images), cells)
    everyone = tuple(range(len(images.names)))
    extra = tuple(range(len(classes))) if layout.probabilities else ()
    if layout.header is None:
        header = (*_PLAIN_HEADER, *(classes[index] for index in extra))
        return Submission(header, images.names, everyone, ("index", "name", "confidence", *extra))
    header = (*layout.header, *classes) if extra and len(layout.header) == 2 else layout.header
    return Submission(header, images.names, everyone, _read_header(header, "--header", layout, classes, None))


def write_submission(
    out: Path, submission: Submission, probabilities: Float[Tensor, "n k"], classes: Sequence[str]
) -> None:
    """Write the CSV to ``out``, whole or not at all, and read it back before it takes its place.

    Raises:
        WindtunnelError: what was read back is not what was to be written.
    """
    with replacing(out) as temporary:
        temporary.write_text(format_submission(submission, probabilities, classes), encoding="utf-8", newline="")
        check_written(temporary.read_bytes(), submission, out)


def format_submission(submission: Submission, probabilities: Float[Tensor, "n k"], classes: Sequence[str]) -> str:
    """Return the CSV as text."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(submission.header)
    rows = probabilities.tolist()
    best = probabilities.argmax(1).tolist()
    for name, image in zip(submission.ids, submission.images, strict=True):
        cells = (_format_cell(cell, rows[image], best[image], classes) for cell in submission.cells)
        writer.writerow((name, *cells))
    return buffer.getvalue()


def check_written(content: bytes, submission: Submission, out: Path) -> None:
    """Raise :class:`WindtunnelError` unless ``content`` is a CSV of the submission's header, ids and columns."""
    rows = list(csv.reader(io.StringIO(content.decode("utf-8"), newline="")))
    ids = tuple(row[0] for row in rows[1:] if len(row) == len(submission.header))
    if not rows or tuple(rows[0]) != submission.header or ids != submission.ids or len(ids) != len(rows) - 1:
        raise WindtunnelError(
            f"{out}: reading it back gave {len(rows) - 1} rows that are not the {len(submission.ids)} wanted ones; "
            "nothing was left there: check the disk and the ids"
        )


def _format_cell(cell: Cell, row: Sequence[float], best: int, classes: Sequence[str]) -> str:
    if isinstance(cell, int):
        return f"{row[cell]:.9g}"
    return {"index": str(best), "name": classes[best], "confidence": f"{row[best]:.6f}"}[cell]


def _read_header(
    header: Sequence[str], source: Path | str, layout: Layout, classes: Sequence[str], sample: Sample | None
) -> tuple[Cell, ...]:
    """Return what each column after the first holds."""
    if repeated := [name for name, count in Counter(header).items() if count > 1]:
        raise DataError(f"{source}: the header has {', '.join(repeated)} more than once")
    without_label = len(header) == 1 + len(classes)
    if len(header) not in (2, 1 + len(classes), 2 + len(classes)):
        raise DataError(
            f"{source}: the header has {len(header)} columns; it needs 2 (id and label), {1 + len(classes)} (id and "
            f"one for each of the {len(classes)} classes) or {2 + len(classes)} (id, label and classes)"
        )
    if len(header) == 2 and layout.probabilities:
        raise DataError(
            f"{source}: --probabilities needs a column for each of the {len(classes)} classes in the header"
        )
    columns = _match_classes(header[1 if without_label else 2 :], source, classes)
    if without_label:
        return columns
    return (layout.labels or (_detect_labels(sample, classes) if sample else "index"), *columns)


def _match_classes(names: Sequence[str], source: Path | str, classes: Sequence[str]) -> tuple[int, ...]:
    """Return the class each of ``names`` stands for: its name, its number, or any text that ends with its number."""
    if not names or set(names) == set(classes):
        return tuple(list(classes).index(name) for name in names)
    numbers = [int(digits) if (digits := _last_digits(name)) else -1 for name in names]
    if sorted(numbers) == list(range(len(classes))):
        return tuple(numbers)
    unknown = [name for name in names if name not in classes] or list(names)
    raise DataError(
        f"{source}: the columns {_some(unknown)} are no classes of the model; it knows {_some(classes, 20)}"
    )


def _last_digits(name: str) -> str:
    return name[len(name.rstrip("0123456789")) :][:9]


def _detect_labels(sample: Sample, classes: Sequence[str]) -> LabelForm:
    """Return how the sample writes labels.

    Raises:
        DataError: it holds a label that is no class, or both readings are possible and differ.
    """
    seen = set(sample.labels)
    if seen == {""}:
        raise DataError(f"{sample.path}: its labels are empty, so say --labels index or --labels name")
    are_names = seen <= set(classes)
    are_numbers = seen <= {str(index) for index in range(len(classes))}
    if are_names and are_numbers and any(classes[int(label)] != label for label in seen):
        raise DataError(f"{sample.path}: its labels are numbers and names of classes: say --labels index or name")
    if not (are_names or are_numbers):
        unknown = sorted(label for label in seen if label not in classes)
        near = suggest(unknown[0], classes)
        hint = f"; did you mean {near!r}?" if near else "."
        raise DataError(
            f"{sample.path}: the labels {_some(unknown)} are no classes of the model{hint} It knows "
            f"{_some(classes, 20)}, or 0 to {len(classes) - 1}; --labels index or name overrules the sample"
        )
    return "index" if are_numbers else "name"


def _match(sample: Sample, images: UnlabelledImages) -> tuple[int, ...]:
    """Return the image of each of the sample's rows; files go by their path, their name or their name's stem."""
    wanted = set(sample.ids)
    spellings = [names for names in _spellings(images) if len(set(names)) == len(names)]
    closest = max(spellings, key=lambda names: len(wanted.intersection(names)))
    places = {name: place for place, name in enumerate(closest)}
    missing = [name for name in sample.ids if name not in places]
    unknown = [name for name in closest if name not in wanted]
    if missing or unknown:
        said = [f"{sample.path} lists {len(sample.ids)} ids and there are {len(closest)} images"]
        said += [f"{len(missing)} ids have no image: {_some(missing)}"] if missing else []
        said += [f"{len(unknown)} images are not listed: {_some(unknown)}"] if unknown else []
        raise DataError(f"{'; '.join(said)}. Ids come from `ids` in an array file, or else from the files' names")
    return tuple(places[name] for name in sample.ids)


def _spellings(images: UnlabelledImages) -> list[tuple[str, ...]]:
    if not images.are_files:
        return [images.names]
    paths = [Path(name) for name in images.names]
    return [
        images.names,
        tuple(path.name for path in paths),
        tuple(path.with_suffix("").as_posix() for path in paths),
        tuple(path.stem for path in paths),
    ]


def _some(names: Iterable[str], most: int = _SHOWN) -> str:
    listed = [repr(name) for name in names]
    return ", ".join(listed[:most]) + (f" and {len(listed) - most} more" if len(listed) > most else "")
