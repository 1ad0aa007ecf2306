"""A whole sweep: checked, dispatched, and what came of it.

>>> import windtunnel  # doctest: +SKIP
>>> result = windtunnel.sweep("quickstart_sweep")  # doctest: +SKIP
>>> result.best().choices  # doctest: +SKIP
{'optim.lr': 0.1}
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from windtunnel.config.experiment import Experiment
from windtunnel.config.sweep import Grid, SweepConfig
from windtunnel.dispatch.snapshot import View
from windtunnel.dispatch.types import Outcome
from windtunnel.errors import UsageError
from windtunnel.sweeps.check import check_points
from windtunnel.sweeps.definition import DEFINITION_FILE, Definition, build_definition, load_definition
from windtunnel.sweeps.engines import Engine
from windtunnel.sweeps.folder import SweepFolder, create_sweep
from windtunnel.sweeps.optuna_study import require_optuna
from windtunnel.sweeps.results import PointResult, rank_points, read_results
from windtunnel.sweeps.study import Study, list_jobs
from windtunnel.training.folder import default_runs_dir

FAILED_EXIT = 3
_TRIED_POINTS = 100


@dataclass(frozen=True)
class SweepResult:
    """How a sweep ended.

    Args:
        folder: the sweep's folder.
        outcomes: how each run ended.
    """

    folder: SweepFolder
    outcomes: Sequence[Outcome]

    @property
    def exit_code(self) -> int:
        """Exit code of the command line: 0, or 3 when runs failed."""
        return FAILED_EXIT if any(outcome.status == "failed" for outcome in self.outcomes) else 0

    @property
    def shortfall(self) -> str:
        """Why the sweep has fewer points than it was to have, or ``""``: its space has no more."""
        strategy = self.folder.read_definition().config.strategy
        points = sum(bool(point.jobs) for point in self.folder.read_points())
        if isinstance(strategy, Grid) or points >= strategy.runs:
            return ""
        return f"{points} of {strategy.runs} points: no others were found that are new, valid and within the limits"

    def points(self) -> list[PointResult]:
        """Return every point, the best first; points without a result come last."""
        return rank_points(read_results(self.folder))

    def best(self) -> PointResult:
        """Return the point with the best mean over its seeds.

        Raises:
            UsageError: no run has measured the metric.
        """
        first = next(iter(self.points()), None)
        if first is None or first.mean is None:
            raise UsageError(f"no run of {self.folder.path} has measured the metric yet")
        return first

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        from windtunnel.report.notebook import show_points

        metric = self.folder.read_definition().config.metric
        return show_points(self.points(), metric=metric, folder=self.folder.path)


def sweep(
    source: str | SweepConfig,
    *,
    overrides: Sequence[str] = (),
    runs_dir: Path | None = None,
    engine: Engine | None = None,
    view: View | None = None,
) -> SweepResult:
    """Run a sweep to its end; the same sweep in the same place goes on where an earlier process stopped.

    Args:
        source: the sweep, or the name of a bundled one, a YAML file, a W&B sweep file or a sweep's folder.
        overrides: settings on top, e.g. ``strategy.runs=10`` or ``train.epochs=2``; of a name or file only.
        runs_dir: parent of the project's folder; None takes ``$WINDTUNNEL_RUNS_DIR`` or ``runs``.
        engine: where runs are trained and what they may use; None packs them on all of this machine.
        view: shows people what happens; None shows nothing.

    Raises:
        UsageError: the sweep is not valid, carries every problem; or its folder holds another one, or is in use.
        DispatchInterrupted: Ctrl-C or SIGTERM; every run has saved.
    """
    definition = build_definition(source) if isinstance(source, SweepConfig) else load_definition(source, overrides)
    place = find_place(source, runs_dir) if isinstance(source, str) else runs_dir or default_runs_dir()
    return run_definition(definition, place, engine=engine, view=view)


def run_definition(
    definition: Definition, runs_dir: Path, *, engine: Engine | None = None, view: View | None = None
) -> SweepResult:
    """Run a sweep that is already read, as :func:`sweep` does."""
    engine = engine or Engine()
    engine.check(definition.config)
    check_sweep(definition)
    if not (definition.folder(runs_dir) / DEFINITION_FILE).exists():
        engine.try_out(_one_of_each_data_set(definition), definition.config.metric)
    folder = create_sweep(definition, runs_dir)
    with engine.prepare(folder.path):
        return SweepResult(folder, engine.build(folder.path, Study(definition, folder), view).run())


def _one_of_each_data_set(definition: Definition) -> list[Experiment]:
    """Return an experiment for each data set among the first points: what is missing would be so for all of them."""
    jobs, _ = list_jobs(definition, _TRIED_POINTS)
    kinds = {job.experiment.data.model_dump_json(include={"source", "split"}): job.experiment for job in jobs}
    return list(kinds.values())


def check_sweep(definition: Definition) -> None:
    """Do nothing when every point of the sweep is valid and what it needs is installed.

    Raises:
        UsageError: a point is not valid, carries every problem; or Optuna is needed and missing.
    """
    check_points(definition)
    if definition.config.strategy.name == "tpe":
        require_optuna("strategy tpe")
    if definition.config.pruning is not None:
        require_optuna("pruning")


def find_place(reference: str, runs_dir: Path | None) -> Path:
    """Return the runs folder of a sweep: as told, or else where the sweep's folder lies if it is named by that."""
    if runs_dir is None and Path(reference).is_dir():
        return Path(reference).resolve().parents[1]
    return runs_dir or default_runs_dir()
