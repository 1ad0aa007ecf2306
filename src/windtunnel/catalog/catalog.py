"""Everything in a runs folder, kept up to date by reading only what changed.

>>> catalog = Catalog(Path("runs"))  # doctest: +SKIP
>>> change = catalog.refresh()  # doctest: +SKIP
>>> [row.status for row in catalog.run_rows()]  # doctest: +SKIP
['finished', 'running']
"""

import os
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from windtunnel.catalog.comparisons import ComparisonReader, ComparisonRow, ComparisonView
from windtunnel.catalog.configs import ConfigReader, Scalar, count_values, list_differences
from windtunnel.catalog.curves import CurveFile, CurveSlice
from windtunnel.catalog.details import RunDetails, list_pictures, read_details, read_log
from windtunnel.catalog.reading import Meter
from windtunnel.catalog.runs import RunReader, RunRow
from windtunnel.catalog.scan import DEEPEST, MOST_FOLDERS, Place, Tree
from windtunnel.catalog.sweeps import SweepReader, SweepRow
from windtunnel.catalog.timeline import Timeline, TimelineReader
from windtunnel.errors import UsageError

_Reader = TypeVar("_Reader")
_MOST_CURVES = 400
"""Runs whose curves are kept; of others they are read again when asked for."""


class UnknownIdError(UsageError):
    """There is no run, sweep or comparison of that id, or none any more."""


@dataclass(frozen=True)
class Change:
    """What is different since the last look.

    Args:
        runs: new and changed ones.
        removed: ids of what is gone: runs, sweeps, comparisons.
        sweeps: new and changed ones.
        comparisons: new and changed ones.
    """

    runs: tuple[RunRow, ...] = ()
    removed: tuple[str, ...] = ()
    sweeps: tuple[SweepRow, ...] = ()
    comparisons: tuple[ComparisonRow, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything is."""
        return bool(self.runs or self.removed or self.sweeps or self.comparisons)


class Catalog:
    """The runs, sweeps and comparisons under a folder. Used by one thread at a time.

    Args:
        root: the runs folder.

    Raises:
        UsageError: there is no such folder, or it cannot be read.
    """

    def __init__(self, root: Path) -> None:
        self.root = _check_root(root)
        self.meter = Meter()
        self._tree = Tree(self.root, self.meter)
        self._configs = ConfigReader()
        self._runs: dict[str, RunReader] = {}
        self._open: dict[str, RunReader] = {}
        self._sweeps: dict[str, SweepReader] = {}
        self._comparisons: dict[str, ComparisonReader] = {}
        self._timelines: dict[str, TimelineReader] = {}
        self._curves: OrderedDict[str, CurveFile] = OrderedDict()
        self._inodes: dict[str, int] = {}

    def refresh(self) -> Change:
        """Read what is new and return what that changed."""
        now = time.time()
        removed = self._meet_places() if self._tree.refresh() else []
        sweeps = [sweep.row for sweep in self._sweeps.values() if sweep.refresh(now) and sweep.row]
        self._tell_verdicts()
        runs = [run.row for run in list(self._open.values()) if run.refresh(now) and run.row]
        self._open = {id: run for id, run in self._open.items() if not run.is_settled}
        return Change(tuple(runs), tuple(removed), tuple(sweeps), self._refresh_comparisons(bool(runs or removed)))

    # Tables

    def run_rows(self) -> list[RunRow]:
        """Return all runs."""
        return [run.row for run in self._runs.values() if run.row]

    def sweep_rows(self) -> list[SweepRow]:
        """Return all sweeps."""
        return [sweep.row for sweep in self._sweeps.values() if sweep.row]

    def comparison_rows(self) -> list[ComparisonRow]:
        """Return all comparisons and ablations."""
        return [each.row for each in self._comparisons.values() if each.row]

    def problems(self) -> list[str]:
        """Return in words what could not be looked at."""
        found = [place.unreadable for place in self._tree.places() if place.unreadable]
        found += [row.problem for row in self.sweep_rows() if row.problem]
        if self._tree.is_cut:
            found.append(f"only {MOST_FOLDERS:,} folders, {DEEPEST} levels deep, were looked at")
        return found

    def fields(self) -> list[tuple[str, int]]:
        """Return every config field with its number of distinct values, most first."""
        return count_values([run.fields for run in self._runs.values()])

    def values(self, field: str) -> dict[str, Scalar]:
        """Return each run's value of a config field; runs without it are left out."""
        return {run.id: run.fields[field] for run in self._runs.values() if field in run.fields}

    # One thing

    def run(self, id: str) -> RunReader:
        """Return the run of an id.

        Raises:
            UnknownIdError: there is none.
        """
        return _find(self._runs, id, "run")

    def sweep(self, id: str) -> SweepReader:
        """Return the sweep of an id.

        Raises:
            UnknownIdError: there is none.
        """
        return _find(self._sweeps, id, "sweep")

    def curves(self, id: str, *, first: int = 0, generation: str = "") -> CurveSlice:
        """Return a run's curves from row ``first`` on; see :meth:`CurveFile.slice`.

        Raises:
            UnknownIdError: there is no such run.
        """
        path = self.run(id).path
        if id not in self._curves:
            self._curves[id] = CurveFile(path / "metrics.csv", self.meter)
        self._curves.move_to_end(id)
        if len(self._curves) > _MOST_CURVES:
            self._curves.popitem(last=False)
        return self._curves[id].slice(first, generation)

    def details(self, id: str) -> RunDetails:
        """Return a run in full.

        Raises:
            UnknownIdError: there is no such run.
        """
        return read_details(self.run(id).path, self.meter)

    def difference(self, id: str, other: str) -> list[tuple[str, Scalar, Scalar]]:
        """Return the config fields in which two runs differ, with both values.

        Raises:
            UnknownIdError: there is no such run.
        """
        return list_differences(self.run(id).fields, self.run(other).fields)

    def log(self, id: str, *, most: int) -> str:
        """Return the last ``most`` bytes of what a run said.

        Raises:
            UnknownIdError: there is no such run.
        """
        run = self.run(id)
        sweep = self._sweeps.get(run.parent)
        return read_log(run.path, self.meter, most=most, job_log=sweep.log(run.path.name) if sweep else None)

    def picture(self, id: str, name: str) -> bytes:
        """Return a PNG file of a run.

        Args:
            id: the run's.
            name: one of those that :meth:`details` lists.

        Raises:
            UnknownIdError: there is no such run or picture.
        """
        path = self.run(id).path
        found = self.meter.read(path / name) if name in list_pictures(path) else None
        if found is None:
            raise UnknownIdError(f"run {id!r} has no picture {name!r}")
        return found[0]

    def timeline(self, id: str) -> Timeline | None:
        """Return a sweep's timeline, or None when no dispatcher ever worked on it.

        Raises:
            UnknownIdError: there is no such sweep.
        """
        sweep = self.sweep(id)
        reader = self._timelines.setdefault(id, TimelineReader(sweep.path, sweep.journal, self.meter))
        return reader.read(threads=sweep.threads)

    def comparison(self, id: str) -> tuple[ComparisonReader, ComparisonView]:
        """Return a comparison and everything about it.

        Raises:
            UnknownIdError: there is no such comparison.
        """
        reader = _find(self._comparisons, id, "comparison")
        return reader, reader.view(self._trials(id))

    # Keeping up

    def _meet_places(self) -> list[str]:
        """Take on new folders and drop those that are gone, or are others of the same name; return the latter's ids."""
        places = {place.id: place for place in self._tree.places() if place.kind != "folder"}
        known = {**self._runs, **self._sweeps, **self._comparisons}
        removed = [id for id in known if id not in places or places[id].inode != self._inodes[id]]
        for id in removed:
            for readers in (self._runs, self._open, self._sweeps, self._comparisons, self._timelines, self._curves):
                readers.pop(id, None)
        for id, place in places.items():
            if id not in self._runs and id not in self._sweeps and id not in self._comparisons:
                self._inodes[id] = place.inode
                self._meet(place)
        return removed

    def _meet(self, place: Place) -> None:
        if place.kind == "run":
            run = RunReader(place.path, place.id, place.owner, self.meter, self._configs)
            self._runs[place.id] = self._open[place.id] = run
        elif place.kind == "sweep":
            self._sweeps[place.id] = SweepReader(place.path, place.id, self.meter)
        else:
            self._comparisons[place.id] = ComparisonReader(place.path, place.id, self.meter)

    def _tell_verdicts(self) -> None:
        """Tell the runs of sweeps how their sweep says they ended, and how far their workers are."""
        for sweep in self._sweeps.values():
            for job, state in sweep.take_changed():
                run = self._runs.get(sweep.run_id(job))
                verdict = state.outcome.status if state.outcome else ""
                if run is not None and run.verdict != verdict:
                    run.verdict = verdict
                    self._open[run.id] = run
            for job, step in sweep.beats().items():
                run = self._runs.get(sweep.run_id(job))
                if run is not None:
                    run.beat_step = step

    def _refresh_comparisons(self, runs_changed: bool) -> tuple[ComparisonRow, ...]:
        rows = [
            each.row
            for each in self._comparisons.values()
            if each.refresh(self._trials(each.id) if runs_changed or each.row is None else None) and each.row
        ]
        return tuple(rows)

    def _trials(self, id: str) -> list[RunReader]:
        return [run for run in self._runs.values() if run.parent == id]


def _check_root(root: Path) -> Path:
    remedy = "name the folder that holds your runs, or train something first: `windtunnel train quickstart`"
    if not root.exists():
        raise UsageError(f"there is no folder {root}; {remedy}")
    if not root.is_dir():
        raise UsageError(f"{root} is not a folder; {remedy}")
    if not os.access(root, os.R_OK | os.X_OK):
        raise UsageError(f"{root} cannot be read; give this user the right to, or {remedy}")
    return root.resolve()


def _find(readers: Mapping[str, _Reader], id: str, what: str) -> _Reader:
    if id not in readers:
        raise UnknownIdError(f"there is no {what} {id!r} (any more)")
    return readers[id]
