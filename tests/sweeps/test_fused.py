import signal
import sys
import threading
import time
from types import SimpleNamespace

import pytest

import windtunnel
from windtunnel.dispatch.control import Wish, send_wish
from windtunnel.dispatch.dispatcher import DispatchInterrupted
from windtunnel.dispatch.fused import run as fused
from windtunnel.dispatch.journal import read_journal
from windtunnel.errors import UsageError
from windtunnel.sweeps.engines import Engine

SPACE = {"optim.lr": [0.1, 0.2], "model.widths": [[8, 8], [16, 16]]}


class Trainer:
    """Stands in for ``train_fused``: notes the stacks it is given and ends their runs at once."""

    def __init__(self, *endings):
        self.endings = list(endings)
        self.stacks = []

    def __call__(self, experiments, folders):
        assert sys.exc_info() == (None, None, None), "the frames of the last failure still hold its memory"
        self.stacks.append([(list(each.model.widths), each.optim.lr) for each in experiments])
        ending = self.endings.pop(0) if self.endings else "finished"
        if isinstance(ending, Exception):
            raise ending
        summary = {"reason": "SIGINT" if ending == "interrupted" else "", "metrics": {"val_accuracy": 0.5}}
        runs = [SimpleNamespace(status=ending, summary=summary) for _ in experiments]
        return SimpleNamespace(runs=runs, fused=len(runs) > 1, reason="as told")


@pytest.fixture
def sweep(monkeypatch, tmp_path):
    def run(trainer, **fields):
        monkeypatch.setattr(fused, "train_fused", trainer)
        config = windtunnel.SweepConfig(name="stacked", base="quickstart", space=SPACE, **fields)
        return windtunnel.sweep(config, runs_dir=tmp_path, engine=Engine("fused"))

    return run


def test_runs_of_one_architecture_are_trained_together(sweep):
    trainer = Trainer()
    result = sweep(trainer)
    assert trainer.stacks == [[([8, 8], 0.1), ([8, 8], 0.2)], [([16, 16], 0.1), ([16, 16], 0.2)]]
    assert [outcome.status for outcome in result.outcomes] == ["finished"] * 4


def test_what_fails_together_is_tried_by_itself(sweep):
    trainer = Trainer(UsageError("too much"), UsageError("still too much"))
    result = sweep(trainer)
    assert trainer.stacks[:3] == [[([8, 8], 0.1), ([8, 8], 0.2)], [([8, 8], 0.1)], [([8, 8], 0.2)]]
    assert [outcome.status for outcome in result.outcomes] == ["failed", "finished", "finished", "finished"]
    assert result.exit_code == 3


def test_an_interrupt_ends_the_sweep_and_the_same_command_goes_on(sweep, tmp_path):
    with pytest.raises(DispatchInterrupted) as raised:
        sweep(Trainer("finished", "interrupted"))
    assert raised.value.exit_code == 128 + signal.SIGINT
    trainer = Trainer()
    assert [outcome.status for outcome in sweep(trainer).outcomes] == ["finished"] * 4
    assert trainer.stacks == [[([16, 16], 0.1), ([16, 16], 0.2)]]
    journal = read_journal(tmp_path / "quickstart" / "stacked" / "dispatch" / "journal.jsonl")
    assert sum(event["event"] == "ended" for event in journal) == 4


def test_what_another_shell_asks_for_is_followed_between_two_stacks(sweep, tmp_path):
    control = tmp_path / "quickstart/stacked/dispatch/control.jsonl"

    class Asked(Trainer):
        def __call__(self, experiments, folders):
            if not self.stacks:
                waiting = read_journal(control.with_name("journal.jsonl"))[-1]["jobs"]
                send_wish(control, Wish("cancel", waiting[3]["id"]))
                send_wish(control, Wish("pause"))
                threading.Timer(1.5, send_wish, (control, Wish("resume"))).start()
            else:
                self.paused_s = time.monotonic() - self.ended_at
            result = super().__call__(experiments, folders)
            self.ended_at = time.monotonic()
            return result

    trainer = Asked()
    outcomes = sweep(trainer).outcomes
    assert [outcome.status for outcome in outcomes] == ["finished", "finished", "finished", "cancelled"]
    assert trainer.stacks[1] == [([16, 16], 0.1)]
    assert trainer.paused_s >= 1.0


def test_pruning_is_refused(sweep, tmp_path):
    with pytest.raises(UsageError, match="pruning=null"):
        sweep(Trainer(), pruning="median")
    assert list(tmp_path.iterdir()) == []
