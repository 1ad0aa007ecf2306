"""A sweep's folder: its definition, the points proposed so far, its runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from windtunnel.core.files import cut_torn_line, write_text
from windtunnel.data.locks import locked
from windtunnel.errors import UsageError
from windtunnel.registry import suggest
from windtunnel.sweeps.definition import (
    DEFINITION_FILE,
    Definition,
    describe_difference,
    dump_definition,
    load_definition,
)
from windtunnel.sweeps.lines import append_line, read_lines
from windtunnel.training.folder import default_runs_dir

POINTS_FILE = "points.jsonl"
TESTS_FILE = "tests.jsonl"


@dataclass(frozen=True)
class PointRecord:
    """A point that a strategy proposed.

    Args:
        number: proposals are counted from 0.
        choices: dotted path -> value.
        jobs: ids of its runs, one a seed; none when it is not run.
        refusal: why it is not run; empty when it is.
    """

    number: int
    choices: Mapping[str, Any]
    jobs: tuple[str, ...] = ()
    refusal: str = ""


@dataclass
class SweepFolder:
    """The files of one sweep."""

    path: Path
    _recorded: set[int] = field(default_factory=set)

    @property
    def dispatch(self) -> Path:
        """Folder of the dispatcher's journal."""
        return self.path / "dispatch"

    def run(self, job: str) -> Path:
        """Return the run folder of a job."""
        return self.path / "runs" / job

    def read_definition(self) -> Definition:
        """Return the sweep the folder holds."""
        return load_definition(str(self.path))

    def read_points(self) -> list[PointRecord]:
        """Return the points proposed so far, in order."""
        lines = read_lines(self.path / POINTS_FILE)
        return [
            PointRecord(line["number"], line["choices"], tuple(line["jobs"]), line["refusal"])
            for line in sorted(lines, key=lambda line: int(line["number"]))
        ]

    def record_point(self, point: PointRecord) -> None:
        """Append a point unless an earlier process has."""
        path = self.path / POINTS_FILE
        if not self._recorded:
            cut_torn_line(path)
            self._recorded |= {known.number for known in self.read_points()}
        if point.number not in self._recorded:
            self._recorded.add(point.number)
            append_line(path, {**vars(point), "jobs": list(point.jobs)})


def open_sweep(path: Path) -> SweepFolder:
    """Return the sweep in ``path``.

    Raises:
        UsageError: there is none.
    """
    if not (path / DEFINITION_FILE).is_file():
        raise UsageError(f"{path} is not a sweep's folder: it has no {DEFINITION_FILE}")
    return SweepFolder(path)


def find_sweep(reference: str, runs_dir: Path | None = None) -> SweepFolder:
    """Return the sweep in a folder, or the one of that name under the runs folder.

    Raises:
        UsageError: there is none, or several projects have one.
    """
    path = Path(reference)
    if path.is_dir() or "/" in reference:
        return open_sweep(path)
    place = runs_dir or default_runs_dir()
    known = {file.parent for file in place.glob(f"*/*/{DEFINITION_FILE}")}
    named = sorted(folder for folder in known if folder.name == reference)
    if len(named) > 1:
        raise UsageError(f"{reference!r} may be {' or '.join(map(str, named))}; give the path")
    if not named:
        near = suggest(reference, [folder.name for folder in known])
        hint = f"; did you mean {near!r}?" if near else f"; there are {len(known)} sweeps under {place}"
        raise UsageError(f"no sweep {reference!r}: it is neither a folder nor the name of one{hint}")
    return SweepFolder(named[0])


def create_sweep(definition: Definition, runs_dir: Path) -> SweepFolder:
    """Return the sweep's folder, made on first use.

    Raises:
        UsageError: the folder holds a sweep with another definition; says where they differ.
    """
    folder = SweepFolder(definition.folder(runs_dir))
    if not (folder.path / DEFINITION_FILE).is_file():
        _write_definition(folder, definition)
    _refuse_another(folder, definition)
    return folder


def _write_definition(folder: SweepFolder, definition: Definition) -> None:
    """Write the definition, unless another process that began at the same moment has written its own."""
    try:
        (folder.path / "runs").mkdir(parents=True, exist_ok=True)
        with locked(folder.path / ".lock"):
            if not (folder.path / DEFINITION_FILE).is_file():
                write_text(folder.path / DEFINITION_FILE, dump_definition(definition))
    except OSError as error:
        raise UsageError(f"cannot write {folder.path}: {error}; choose another place with --runs-dir") from error


def _refuse_another(folder: SweepFolder, definition: Definition) -> None:
    differences = describe_difference(folder.read_definition(), definition)
    if differences:
        shown = "\n".join(f"  {line}" for line in differences)
        raise UsageError(
            f"{folder.path} holds a sweep with other settings:\n{shown}\ngive this one a name of its own "
            f"(name={definition.config.name}_2), or go on with the old one by `windtunnel sweep {folder.path}`"
        )
