import io
import os
import pty
import threading
import time
from dataclasses import replace

import pytest
from rich.console import Console
from rich.text import Text

from windtunnel.dispatch import live
from windtunnel.dispatch.live import describe, describe_total, show_live
from windtunnel.dispatch.look import look_at
from windtunnel.dispatch.snapshot import DeviceView, RunView, Snapshot, WaitingView
from windtunnel.errors import UsageError

GIB = 2**30


def snapshot(waiting=1):
    return Snapshot(
        devices=(DeviceView("cuda:0", 16 * GIB, 3 * GIB, 5 * GIB, 11 * GIB, 1),),
        running=(RunView("lr-0.1", "cuda:0", 2, 50, 200, 3 * GIB, 5 * GIB, (30.0, 60.0)),),
        waiting=tuple(WaitingView(f"wait-{index}", 0, 2 * GIB, "out of memory") for index in range(waiting)),
        ended={"finished": 2},
        paused=True,
        remaining=(600.0, 900.0),
    )


def rendered(*, terminal, look, width=120):
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=terminal, width=width)
    with show_live(console) as view:
        view.note("lr-0.1 starts")
        view.update(look)
    return stream.getvalue()


def test_a_terminal_shows_devices_runs_queue_and_what_is_left():
    text = rendered(terminal=True, look=lambda: snapshot(waiting=12))
    for part in ("11.0 GiB", "50/200", "3.0 GiB of 5.0 GiB", "30 to 60 s", "wait-0", "and 4 more", "10 to 15 min left"):
        assert part in text
    assert "lr-0.1 starts" in text


@pytest.mark.parametrize(("width", "progress"), [(40, "32%"), (80, "12,340/39,000"), (120, "12,340/39,000")])
def test_runs_can_be_told_apart_on_a_narrow_terminal(width, progress):
    running = replace(snapshot().running[0], id="0000-51972d-s0", step=12_340, total_steps=39_000)
    text = rendered(terminal=True, look=lambda: replace(snapshot(), running=(running,)), width=width)
    assert "0000-51972d-s0" in text
    assert progress in text
    assert max(map(len, Text.from_ansi(text).plain.splitlines())) <= width


def test_elsewhere_there_are_plain_lines_and_no_table():
    assert rendered(terminal=False, look=snapshot) == "lr-0.1 starts\n"


def test_a_sweep_goes_on_when_its_terminal_has_been_closed(monkeypatch):
    monkeypatch.setattr(live, "_REDRAW_S", 0.0)
    monkeypatch.setattr(live, "_LONGEST_REDRAW_S", 0.0)
    ours, theirs = pty.openpty()
    looked = []

    def look():
        looked.append(1)
        return snapshot()

    stream = io.TextIOWrapper(io.FileIO(theirs, "w"), write_through=True)
    with stream, show_live(Console(file=stream, force_terminal=True, width=80)) as view:
        view.update(look)
        os.close(ours)
        view.update(look)
        view.note("lr-0.1 finished")
        view.update(look)
    assert len(looked) == 2


def test_an_error_that_is_no_matter_of_the_terminal_is_not_hidden():
    def look():
        raise FileNotFoundError("the journal is gone")

    with pytest.raises(FileNotFoundError), show_live(Console(file=io.StringIO(), force_terminal=True)) as view:
        view.update(look)


def test_plain_lines_hold_everything():
    lines = describe(snapshot())
    assert lines[0].split() == ["device", "runs", "held", "set", "aside", "free", "of"]
    assert "lr-0.1  cuda:0  50/200  3.0 GiB of 5.0 GiB  30 to 60 s" in lines
    assert lines[-1] == describe_total(snapshot())
    assert lines[-1].endswith("the queue is paused")


@pytest.fixture
def at_work(kit):
    """A sweep at work in another thread; cancelled at the end."""
    from windtunnel.dispatch.control import Wish, send_wish

    thread = threading.Thread(target=kit.dispatcher("slow-1", "slow-2").run, daemon=True)
    thread.start()
    while not all((kit.folder / f"runs/slow-{number}/epochs.txt").exists() for number in (1, 2)):
        time.sleep(0.02)
    yield kit.folder
    for id in ("slow-1", "slow-2"):
        send_wish(kit.folder / "dispatch/control.jsonl", Wish("cancel", id))
    thread.join(timeout=120)
    assert not thread.is_alive()


def test_another_shell_sees_what_runs(at_work):
    seen = look_at(at_work)
    assert [run.id for run in seen.running] == ["slow-1", "slow-2"]
    assert all(run.step >= 1 and run.held_bytes > 0 and run.remaining is not None for run in seen.running)
    assert (seen.devices[0].name, seen.devices[0].runs) == ("cpu", 2)


def test_a_folder_without_a_queue_is_refused(tmp_path):
    with pytest.raises(UsageError, match="has no queue"):
        look_at(tmp_path)
