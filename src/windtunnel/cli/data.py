"""``windtunnel data``: list, fetch and check data sets."""

import json
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from windtunnel.cli.main import help_text
from windtunnel.cli.options import AsJson
from windtunnel.cli.tables import print_table
from windtunnel.errors import DataError, UsageError

if TYPE_CHECKING:
    from windtunnel.config.base import Component
    from windtunnel.data.spec import RawDataset

_CLASSES_SHOWN = 20


def list_sets(as_json: AsJson = False) -> None:
    """List the named data sets and where each was found.

    Examples:
      windtunnel data list
      WINDTUNNEL_DATA_DIR=~/datasets windtunnel data list --json
    """
    from windtunnel.data.named import NAMED_SETS

    digits = {"set": "digits", "images": 1797, "classes": 10, "size": "8x8x1", "found": "with scikit-learn"}
    print_table([digits, *(_row(name) for name in NAMED_SETS)], as_json=as_json)


def fetch(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A named set (`windtunnel data list`).")],
    into: Annotated[
        Path | None,
        typer.Option(help="Folder to hold the set's own folder; default $WINDTUNNEL_DATA_DIR or the cache folder."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Download a named data set from the first of its mirrors that delivers it.

    Every file is checked by its sha256; a download that was interrupted goes on where it stopped.
    WINDTUNNEL_OFFLINE=1 or HF_HUB_OFFLINE=1 forbids the network.

    Examples:
      windtunnel data fetch cifar10
      windtunnel data fetch mnist --into ~/datasets
    """
    from windtunnel.data.fetch import fetch_set
    from windtunnel.data.mirrors import MIRRORS
    from windtunnel.data.named import NamedSource
    from windtunnel.data.paths import download_dir
    from windtunnel.registry import suggest

    if name not in MIRRORS:
        near = suggest(name, MIRRORS)
        hint = f"; did you mean {near!r}?" if near else ""
        raise UsageError(f"no data set {name!r} to fetch{hint} known: {', '.join(MIRRORS)}")
    with _progress(shown=not as_json) as progress:
        paths = fetch_set(name, (into or download_dir()) / name, MIRRORS[name], progress)
    if as_json:
        print(json.dumps({"set": name, "files": [str(path) for path in paths]}, indent=2))
    else:
        print(f"{name}: {len(paths)} files in {paths[0].parent}")
        if paths[0].parent.resolve() not in [place.resolve() for place in NamedSource(name).places()]:
            print(f"found by name with WINDTUNNEL_DATA_DIR={shlex.quote(str(paths[0].parent.parent.resolve()))}")


def check(
    reference: Annotated[
        str,
        typer.Argument(
            metavar="NAME_OR_PATH",
            help="A named set, a folder or file that holds a set, or the YAML file of an experiment.",
        ),
    ],
    size: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Resize a folder's images to N x N, as data.source.image_size."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Read a data set whole and say what it holds and what is odd about it.

    Reads parquet folders, image folders, .npz files, CIFAR batches and archives, and IDX files; of a YAML file the set
    that it trains on. Exit code 2 when it is damaged.

    Examples:
      windtunnel data check cifar10
      windtunnel data check ~/pictures --size 32
      windtunnel data check mine.yaml --json
    """
    from dataclasses import asdict

    from windtunnel.data.check import inspect_dataset

    raw = _read_set(_find_source(reference, size), reference)
    findings = inspect_dataset(raw)
    rows = [asdict(part) for part in findings.parts]
    if as_json:
        spec, parts = raw.spec, [{**row, "class_images": _count_classes(raw, row["part"])} for row in rows]
        facts = {"set": spec.name, "digest": raw.digest, "class_names": spec.class_names, "image_size": spec.image_size}
        print(json.dumps({**facts, "parts": parts, "remarks": findings.remarks}, indent=2))
        return
    height, width = raw.spec.image_size
    print(f"{raw.spec.name}: {len(raw.spec.class_names)} classes, {height}x{width}x{raw.spec.channels}, {raw.digest}")
    print_table([{**row, "mean": _rounded(row["mean"]), "std": _rounded(row["std"])} for row in rows], as_json=False)
    for part in raw.splits:
        print(f"{part} by class: {list_smallest(raw.spec.class_names, _count_classes(raw, part))}")
    for remark in findings.remarks:
        print(f"note: {remark}")


def list_smallest(names: Sequence[str], counts: Sequence[int]) -> str:
    """Return the classes with their numbers of images: in their order, or of many the smallest.

    >>> list_smallest(["cat", "dog"], [3, 1])
    'cat: 3, dog: 1'
    >>> list_smallest([f"c{number:02d}" for number in range(100)], range(99, -1, -1))[:23]
    'c99: 0, c98: 1, c97: 2,'
    """
    pairs = list(zip(names, counts, strict=True))
    if len(pairs) <= _CLASSES_SHOWN:
        return ", ".join(f"{name}: {count}" for name, count in pairs)
    smallest = sorted(pairs, key=lambda pair: pair[1])[:_CLASSES_SHOWN]
    listed = ", ".join(f"{name}: {count}" for name, count in smallest)
    return f"{listed}, and {len(pairs) - _CLASSES_SHOWN} classes of {smallest[-1][1]} or more (all with --json)"


def _find_source(reference: str, size: int | None) -> "Component":
    from windtunnel.config.data import ImageFolder
    from windtunnel.config.files import is_yaml
    from windtunnel.data.detect import detect_source
    from windtunnel.recipes import load_experiment

    is_file = is_yaml(reference)
    source = load_experiment(reference).data.source if is_file else detect_source(reference)
    if size is None:
        return source
    if not isinstance(source, ImageFolder):
        raise UsageError(f"--size: {reference} is no folder of images, so nothing is resized; leave it out")
    return source.model_copy(update={"image_size": size})


def _read_set(source: "Component", reference: str) -> "RawDataset":
    try:
        raw: RawDataset = source.build().load()
    except DataError as error:
        if "data.source.image_size" not in str(error):
            raise
        raise DataError(f"{error}; here: windtunnel data check {shlex.quote(reference)} --size 32") from error
    return raw


def _count_classes(raw: "RawDataset", part: str) -> list[int]:
    import torch

    return [int(count) for count in torch.bincount(raw.splits[part].labels, minlength=len(raw.spec.class_names))]


def _row(name: str) -> dict[str, Any]:
    from windtunnel.data.named import NAMED_SETS, NamedSource

    known = NAMED_SETS[name]
    height, width = known.spec.image_size
    try:
        source = NamedSource(name)
        found = str(source.find_reader().files()[0].parent)
        if missing := source.missing_parts():
            found += f", without its {' and '.join(missing)} images: windtunnel data fetch {name}"
    except DataError:
        found = f"no: windtunnel data fetch {name}"
    return {
        "set": name,
        "images": sum(known.counts.values()),
        "classes": len(known.spec.class_names),
        "size": f"{height}x{width}x{known.spec.channels}",
        "found": found,
    }


def _rounded(values: tuple[float, ...]) -> str:
    return " ".join(f"{value:.4f}" for value in values)


@contextmanager
def _progress(*, shown: bool) -> Iterator[Callable[[str, int, int], None] | None]:
    """Yield what shows bytes as they come in: bars on a terminal, nothing otherwise."""
    if not (shown and sys.stderr.isatty()):
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    shape = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*shape, TimeRemainingColumn(), console=Console(stderr=True)) as bars:
        tasks: dict[str, Any] = {}

        def show(file: str, done: int, total: int) -> None:
            if file not in tasks:
                tasks[file] = bars.add_task(file, total=total)
            bars.update(tasks[file], completed=done)

        yield show


app = typer.Typer(help="List, fetch and check data sets.", rich_markup_mode=None)
for _name, _verb in (("list", list_sets), ("fetch", fetch), ("check", check)):
    app.command(_name, help=help_text(_verb), no_args_is_help=_verb is not list_sets)(_verb)
