"""Stand-ins: jobs that train nothing, and dispatchers that are quick."""

import sys
from pathlib import Path

from windtunnel.config.data import DataConfig, Digits
from windtunnel.config.experiment import Experiment
from windtunnel.config.models import Cnn
from windtunnel.dispatch.devices import Device
from windtunnel.dispatch.dispatcher import Dispatcher, Settings
from windtunnel.dispatch.fixed import FixedJobs
from windtunnel.dispatch.types import Estimate, Job

FAKE_WORKER = Path(__file__).parent / "fake_worker.py"
EXPERIMENT = Experiment(name="fake", data=DataConfig(source=Digits()), model=Cnn(widths=(8,), hidden=8))
SETTINGS = Settings(poll_s=0.02, grace_s=0.5, warm_up_s=0.0)
MIB = 2**20


def fake_command(order):
    return [sys.executable, "-I", "-S", str(FAKE_WORKER), str(order)]


def price(experiment):
    return Estimate(bytes=10 * MIB, seconds=1.0, compute_share=0.1, source="given")


def cpu(mib=1000, cores=4):
    return Device("cpu", "cpu", mib * MIB, cores=cores)


class Kit:
    """Builds jobs and dispatchers in one folder; as their view it keeps what they say in ``said``."""

    def __init__(self, folder):
        self.folder = folder
        self.source = FixedJobs([])
        self.said = []

    def note(self, text):
        self.said.append(text)

    def update(self, look):
        pass

    def jobs(self, *ids, experiment=EXPERIMENT):
        return [Job(id, experiment, self.folder / "runs" / id) for id in ids]

    def dispatcher(self, *ids, source=None, device=None, settings=SETTINGS, **options):
        self.source = source or FixedJobs(self.jobs(*ids))
        options = {"estimate": price, "command": fake_command, "free": lambda device: 10**12, **options}
        return Dispatcher(self.folder, self.source, [device or cpu()], settings=settings, **options)

    def run(self, *ids, **options):
        outcomes = self.dispatcher(*ids, **options).run()
        return {outcome.job: outcome for outcome in outcomes}

    def epochs(self, id):
        """Return which attempt trained each epoch of a fake run."""
        return [int(word) for word in (self.folder / "runs" / id / "epochs.txt").read_text().split()]
