"""Reproductions as they would be read back, without training anything."""

from windtunnel.config.experiment import Experiment
from windtunnel.config.problems import validate_tree
from windtunnel.core.reports import EpochReport
from windtunnel.report.load import Run
from windtunnel.reproduction.cutting import cut_experiment
from windtunnel.reproduction.types import Cut, Plan, PlannedRun, Reproduced


def make_epochs(*rows):
    """Return an epoch for each (training accuracy, validation accuracy, validation loss)."""
    return tuple(
        EpochReport(epoch, 10 * epoch, 1.5, train, loss, accuracy, 0.1, 2.0, 500.0)
        for epoch, (train, accuracy, loss) in enumerate(rows, 1)
    )


def make_run(folder, rows, *, test=None, seconds=60.0):
    """Return a finished run with these epochs."""
    metrics = {} if test is None else {"test_accuracy": test}
    summary = {
        "status": "finished",
        "metrics": metrics,
        "seconds": {"train": 0.75 * seconds, "validate": 0.25 * seconds},
    }
    return Run(folder, "", (), {}, make_epochs(*rows), summary)


def make_reproduction(report, folder, runs, *, left_out=(), reductions=()):
    """Return the reproduction of ``report`` with these runs; those planned and not given have no result."""
    planned = tuple(PlannedRun(run.id, run.experiment) for run in report.build_runs() if run.id not in left_out)
    troubles = {run.id: "failed: no reason" for run in planned if run.id not in runs}
    plan = Plan(report.id, None, Cut(), planned, tuple(left_out), tuple(reductions))
    return Reproduced(folder, plan, runs, troubles)


def find_blocks(chapters, kind):
    """Return the blocks of a type in all chapters."""
    return [block for chapter in chapters for block in chapter.blocks if isinstance(block, kind)]


def cut_all(report, cut, sizes):
    """Return the report's runs cut and read back as a frozen plan's are, with all checks."""
    experiments = [cut_experiment(run.experiment, cut, report.limits, sizes) for run in report.build_runs()]
    return [validate_tree(Experiment, one.model_dump(mode="json"), one.name) for one in experiments]
