"""``windtunnel queue``: look at a sweep's runs and change their queue, from any shell."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from windtunnel.cli.options import AsJson

if TYPE_CHECKING:
    from windtunnel.dispatch.control import Wish
    from windtunnel.dispatch.snapshot import Snapshot


def queue(
    folder: Annotated[Path, typer.Argument(metavar="SWEEP_DIR", help="The sweep's folder.")],
    pause: Annotated[bool, typer.Option("--pause", help="Start no further runs; those at work go on.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Start runs again.")] = False,
    cancel: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="End this run for good; may be given again.")
    ] = None,
    priority: Annotated[
        tuple[str, int] | None,
        typer.Option(metavar="ID N", help="Give a run a priority; higher goes first, 0 is usual."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Look at a sweep's runs, or change their queue.

    Shows devices, runs and queue as they stand now. What is asked for is written down: a dispatcher at work hears of it
    within a second, and one that is started later follows it.

    Examples:
      windtunnel queue runs/sweeps/lr
      windtunnel queue runs/sweeps/lr --pause
      windtunnel queue runs/sweeps/lr --priority lr-0.1 5
      windtunnel queue runs/sweeps/lr --cancel lr-0.1 --cancel lr-0.3
    """
    from windtunnel.dispatch.control import send_wish
    from windtunnel.dispatch.journal import is_held
    from windtunnel.dispatch.look import look_at

    snapshot = look_at(folder)
    wishes = _list_wishes(pause=pause, resume=resume, cancel=cancel or [], priority=priority)
    _check_ids([wish.job for wish in wishes if wish.job], folder)
    for wish in wishes:
        send_wish(folder / "dispatch" / "control.jsonl", wish)
    _print_answer(snapshot, wished=bool(wishes), at_work=is_held(folder / "dispatch"), as_json=as_json)


def _list_wishes(*, pause: bool, resume: bool, cancel: list[str], priority: tuple[str, int] | None) -> "list[Wish]":
    from windtunnel.dispatch.control import Wish
    from windtunnel.errors import UsageError

    if pause and resume:
        raise UsageError("--pause and --resume exclude each other; give one")
    wishes = [Wish("pause")] if pause else [Wish("resume")] if resume else []
    wishes += [Wish("cancel", id) for id in cancel]
    return [*wishes, *([Wish("priority", *priority)] if priority else [])]


def _print_answer(snapshot: "Snapshot", *, wished: bool, at_work: bool, as_json: bool) -> None:
    from windtunnel.dispatch.live import describe

    nobody = "" if at_work else "no dispatcher works on this sweep now"
    if nobody and (snapshot.running or snapshot.waiting):
        nobody += "; the same sweep command goes on with it"
    if as_json:
        print(json.dumps({**asdict(snapshot), "dispatcher_at_work": at_work}, indent=2))
    elif wished:
        print(f"written down; {nobody or 'the dispatcher follows within a second'}")
    else:
        print("\n".join([*describe(snapshot), *([nobody] if nobody else [])]))


def _check_ids(ids: list[str], folder: Path) -> None:
    from windtunnel.dispatch.journal import read_journal
    from windtunnel.dispatch.state import replay
    from windtunnel.errors import UsageError
    from windtunnel.registry import suggest

    known = replay(read_journal(folder / "dispatch" / "journal.jsonl")).runs
    for id in ids:
        if id not in known:
            near = suggest(id, known)
            hint = f"; did you mean {near!r}?" if near else f"; `windtunnel queue {folder}` lists them"
            raise UsageError(f"{folder} has no run {id!r}{hint}")
        outcome = known[id].outcome
        if outcome is not None:
            raise UsageError(f"{id} has ended already: {outcome.status}")
