"""What a user means by the name of something to report on."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from windtunnel.errors import UsageError
from windtunnel.registry import suggest
from windtunnel.training.folder import default_runs_dir, list_runs

Kind = Literal["run", "sweep", "comparison", "ablation"]

# The file that makes a folder what it is -> the file that changes while it goes on.
_SIGNS: dict[Kind, tuple[str, str]] = {
    "sweep": ("sweep.yaml", "dispatch/journal.jsonl"),
    "comparison": ("comparison.json", "comparison.json"),
    "ablation": ("ablation.json", "ablation.json"),
    "run": ("config.yaml", "events.jsonl"),
}
_SHOWN = 3


@dataclass(frozen=True)
class Subject:
    """What a report is about.

    Args:
        kind: what it is.
        folder: where it lies.
    """

    kind: Kind
    folder: Path


def find_subject(reference: str, runs_dir: Path | None = None) -> Subject:
    """Return the run, sweep, comparison or ablation at a path, of that name, or for ``last`` the one last changed.

    A comparison's name may be given without the digest behind it. ``last`` passes over runs of sweeps and comparisons.

    Args:
        reference: path, name or ``last``.
        runs_dir: where to look names up; None takes ``$WINDTUNNEL_RUNS_DIR`` or ``runs``.

    Raises:
        UsageError: there is none, it has not got that far, or several have the name.
    """
    path = Path(reference)
    if path.is_dir():
        return _identify(path)
    place = runs_dir or default_runs_dir()
    known = list(_list_subjects(place))
    if reference == "last" and known:
        return max(known, key=_changed_at)
    runs = [Subject("run", run) for run in list_runs(place)]
    exact = [subject for subject in [*known, *runs] if subject.folder.name == reference]
    found = list(dict.fromkeys(exact or [subject for subject in known if _bare_name(subject) == reference]))
    if len(found) > 1:
        shown = ", ".join(str(subject.folder) for subject in found[:_SHOWN])
        raise UsageError(f"{reference!r} names {len(found)} things: {shown}; give the path of one")
    if not found:
        raise UsageError(_describe_missing(reference, [*known, *runs], place))
    return found[0]


def _identify(folder: Path) -> Subject:
    for kind, (sign, _) in _SIGNS.items():
        if (folder / sign).is_file():
            return Subject(kind, folder)
    if (folder / "time_to.json").is_file():
        raise UsageError(f"{folder} holds times to an accuracy, which have no report; `windtunnel ui` shows them")
    if (folder / "orders").is_dir():
        raise UsageError(f"{folder} is a comparison without an answer yet; let it end, or give its command again")
    raise UsageError(f"{folder} is no run, sweep, comparison or ablation: it has none of {', '.join(_sign_names())}")


def _sign_names() -> list[str]:
    return [sign for sign, _ in _SIGNS.values()]


def _list_subjects(place: Path) -> Iterator[Subject]:
    """Yield what lies directly in the projects' folders."""
    for kind, (sign, _) in _SIGNS.items():
        for file in sorted(place.glob(f"*/*/{sign}")):
            yield Subject(kind, file.parent)


def _changed_at(subject: Subject) -> float:
    for file in reversed(_SIGNS[subject.kind]):
        if (subject.folder / file).exists():
            return (subject.folder / file).stat().st_mtime
    return 0.0


def _bare_name(subject: Subject) -> str:
    return subject.folder.name.rpartition("-")[0] if subject.kind in ("comparison", "ablation") else ""


def _describe_missing(reference: str, subjects: list[Subject], place: Path) -> str:
    folders = {subject.folder: _bare_name(subject) or subject.folder.name for subject in subjects}
    near = suggest(reference, [*folders.values(), *(folder.name for folder in folders)])
    hint = f"; did you mean {near!r}?" if near else f"; there are {len(folders)} of them under {place}"
    return f"no run, sweep, comparison or ablation {reference!r}: it is neither a folder nor the name of one{hint}"
