"""Finding runs, sweeps and comparisons under a folder; folders that have not changed are not listed again."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from windtunnel.catalog.reading import Meter

Kind = Literal["run", "sweep", "comparison", "folder"]

DEEPEST = 6
MOST_FOLDERS = 50_000
_SETTLED_S = 2.0  # file systems stamp a folder in ticks: one listed this soon after a change is listed once more
_ANSWERS = {"comparison.json", "ablation.json", "time_to.json"}
_SKIPPED = {"checkpoints", "dispatch", "orders", "trials"}


@dataclass
class Place:
    """A folder that was looked at.

    Args:
        path: where it is.
        id: the same from the runs folder on, ``/`` separated; ``.`` for the runs folder itself.
        inode: tells it from a later one of the same name.
        owner: id of the sweep or comparison it lies in; empty outside of any.
        kind: what it holds.
        children: folders in it that were looked at, by name.
    """

    path: Path
    id: str
    inode: int
    owner: str = ""
    kind: Kind = "folder"
    children: dict[str, "Place"] = field(default_factory=dict)
    depth: int = 0
    modified_ns: int = -1
    unreadable: str = ""


class Tree:
    """The folders under a root.

    Links to folders are not followed, hidden folders and those that only hold a run's or a sweep's own files are left
    out, and nothing deeper than 6 levels or beyond 50,000 folders is looked at.

    Args:
        root: the runs folder.
        meter: counts what is read.
    """

    def __init__(self, root: Path, meter: Meter) -> None:
        self.root = Place(root, ".", 0)
        self._meter = meter
        self._count = 1
        self._is_gone = False
        self.is_cut = False

    def refresh(self) -> bool:
        """List again the folders that have changed and return whether there were any."""
        before = self._meter.listings
        self._refresh(self.root)
        return self._meter.listings != before or self._is_gone

    def places(self) -> Iterator[Place]:
        """Yield every folder, parents first."""
        yield from _walk(self.root)

    def _refresh(self, place: Place) -> None:
        state = self._meter.stat(place.path)
        if state is None:
            self._is_gone = place.modified_ns != -1 or bool(place.children)
            self._forget(place)
            return
        if state.st_mtime_ns != place.modified_ns:
            self._list(place)
            fresh = time.time() - state.st_mtime < _SETTLED_S
            place.modified_ns = -1 if fresh else state.st_mtime_ns
        for child in place.children.values():
            if child.kind != "run":
                self._refresh(child)

    def _list(self, place: Place) -> None:
        self._meter.listings += 1
        try:
            with os.scandir(place.path) as entries:
                listed = {entry.name: entry for entry in entries}
        except OSError as error:
            place.unreadable = f"{place.path}: {error.strerror or error}"
            self._forget(place)
            return
        place.unreadable = ""
        place.kind = _classify(set(listed))
        wanted = {} if place.kind == "run" else {name: listed[name] for name in _folders(listed, place.kind)}
        for name, child in list(place.children.items()):
            if name not in wanted or wanted[name].inode() != child.inode:
                self._forget(place.children.pop(name))
                self._count -= 1
        for name in sorted(wanted.keys() - place.children.keys()):
            self._add(place, name, wanted[name].inode())

    def _add(self, place: Place, name: str, inode: int) -> None:
        if place.depth >= DEEPEST or self._count >= MOST_FOLDERS:
            self.is_cut = True
            return
        self._count += 1
        id = name if place.id == "." else f"{place.id}/{name}"
        owner = place.id if place.kind in ("sweep", "comparison") else place.owner
        place.children[name] = Place(place.path / name, id, inode, owner, depth=place.depth + 1)

    def _forget(self, place: Place) -> None:
        self._count -= sum(1 for _ in _walk(place)) - 1
        place.children.clear()
        place.modified_ns = -1


def _walk(place: Place) -> Iterator[Place]:
    yield place
    for child in place.children.values():
        yield from _walk(child)


def _classify(names: set[str]) -> Kind:
    if "sweep.yaml" in names:
        return "sweep"
    if names & _ANSWERS or {"orders", "runs"} <= names:
        return "comparison"
    if "config.yaml" in names and names & {"events.jsonl", "env.json"}:
        return "run"
    return "folder"


def _folders(listed: dict[str, "os.DirEntry[str]"], kind: Kind) -> Iterator[str]:
    for name, entry in listed.items():
        if name.startswith(".") or name in _SKIPPED or (kind != "folder" and name != "runs"):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield name
