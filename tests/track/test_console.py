import io

import pytest
from rich.console import Console

from windtunnel.core.reports import EpochReport, RunInfo, StepDone
from windtunnel.track.console import BarTracker, LineTracker, build_console_tracker

INFO = RunInfo("tiny", "runs/tiny", "cpu", "float32", 1200, 100, 0, 4, 2.0)
FIRST = EpochReport(1, 2, 2.25, 0.125, None, None, 0.1, 1.5, 100.0)
SECOND = EpochReport(2, 4, 1.5, 0.5, 1.75, 0.375, 0.05, 1.25, 120.0)


def _play(tracker, info=INFO):
    tracker.start(info)
    for step in range(info.start_step, 4):
        tracker.step(StepDone(step + 1, 4, step // 2))
        if step % 2:
            tracker.epoch(FIRST if step == 1 else SECOND)
    tracker.message("[bold]saved[/bold]")
    tracker.finish({"status": "finished"})


def _console(**settings):
    return Console(file=io.StringIO(), width=200, **settings)


def test_a_file_gets_one_plain_line_an_epoch():
    console = _console()
    _play(build_console_tracker(console))
    assert console.file.getvalue().splitlines() == [
        "tiny: 1,200 parameters, 100 images, 2 epochs, 4 steps, float32 on cpu",
        "epoch 1/2: loss 2.2500, accuracy 12.5%, 100 images/s",
        "epoch 2/2: loss 1.5000, accuracy 50.0%, validation loss 1.7500, accuracy 37.5%, 120 images/s",
        "[bold]saved[/bold]",
    ]


def test_a_long_line_is_not_broken_in_a_file():
    console = Console(file=io.StringIO(), width=20)
    _play(LineTracker(console))
    assert len(console.file.getvalue().splitlines()) == 4


def test_a_terminal_gets_a_bar_that_ends_full():
    console = _console(force_terminal=True)
    _play(build_console_tracker(console))
    drawn = console.file.getvalue()
    assert "4/4 steps" in drawn
    assert "epoch 2/2 accuracy 50.0%, val 37.5%" in drawn
    assert "[bold]saved[/bold]" in drawn


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({"force_terminal": True}, BarTracker),
        ({"force_terminal": True, "no_color": True}, LineTracker),
        ({"force_terminal": False}, LineTracker),
    ],
)
def test_the_console_decides_the_form(settings, kind):
    assert type(build_console_tracker(_console(**settings))) is kind


def test_no_color_in_the_environment_gives_plain_lines(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    assert type(build_console_tracker(_console(force_terminal=True))) is LineTracker


def test_a_resumed_run_says_from_where():
    console = _console()
    _play(build_console_tracker(console), RunInfo("tiny", "", "cpu", "float32", 1200, 100, 2, 4, 2.0))
    assert "from step 2" in console.file.getvalue()


def test_steps_are_cheap_on_a_terminal():
    tracker = BarTracker(_console(force_terminal=True))
    tracker.start(RunInfo("tiny", "", "cpu", "float32", 1, 1, 0, 100_000, 1.0))
    before = tracker._progress.console.file.tell()
    for step in range(1000):
        tracker.step(StepDone(step + 1, 100_000, 0))
    tracker.finish({})
    redraws = tracker._progress.console.file.getvalue()[before:].count("steps")
    assert redraws < 20
