"""A run that gets a signal after one of its steps; called in a process of its own."""

import os
import signal
import sys
from pathlib import Path

from windtunnel.recipes import load_experiment
from windtunnel.training.run import train


class Killer:
    """Sends this process a signal once a step is done."""

    def __init__(self, step, how):
        self.at, self.number = step, signal.Signals[how]

    def step(self, done):
        if done.step == self.at:
            os.kill(os.getpid(), self.number)

    def start(self, info):
        pass

    def epoch(self, report):
        pass

    def message(self, text):
        pass

    def finish(self, summary):
        pass


def train_and_die(config: Path, runs: Path, step: int, how: str) -> None:
    """Train the experiment at ``config`` in ``runs``, with the signal ``how`` after ``step``."""
    result = train(load_experiment(str(config)), runs_dir=runs, trackers=[Killer(step, how)])
    sys.exit(result.exit_code)
