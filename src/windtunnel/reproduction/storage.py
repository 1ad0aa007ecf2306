"""A reproduction's folder: its place, its frozen plan, and what came of its runs."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from windtunnel.catalog.timeline import read_timeline
from windtunnel.config.experiment import Experiment
from windtunnel.config.files import dump_yaml
from windtunnel.config.problems import validate_tree
from windtunnel.core.files import write_json
from windtunnel.dispatch.types import Outcome
from windtunnel.errors import CheckpointError, UsageError
from windtunnel.report.load import load_run, read_json
from windtunnel.reproduction.types import Cut, Plan, PlannedRun, Reproduced
from windtunnel.training.folder import RunFolder

PROJECT = "reproductions"
PLAN_FILE = "plan.json"
_ENDED = ("finished", "diverged")


@dataclass(frozen=True)
class ReproductionFolder:
    """The files of one reproduction."""

    path: Path

    def run(self, run: str) -> Path:
        """Return the folder of a packed run."""
        return self.path / "runs" / run

    @property
    def comparison(self) -> Path | None:
        """Folder of the finished comparison of a report of trials, or None."""
        return next((file.parent for file in sorted(self.path.glob("comparisons/*/ablation.json"))), None)

    def read_plan(self) -> Plan | None:
        """Return the plan that was frozen here, or None before that.

        Raises:
            CheckpointError: the file is damaged.
        """
        tree = read_json(self.path / PLAN_FILE)
        if not tree:
            return None
        try:
            return _parse_plan(tree)
        except (LookupError, TypeError) as error:
            raise CheckpointError(f"{self.path / PLAN_FILE} holds no plan: {error!r}; delete the folder") from error

    def write_plan(self, plan: Plan) -> None:
        """Freeze the plan.

        Raises:
            UsageError: the folder cannot be written.
        """
        tree = asdict(plan) | {"runs": [_dump_run(run) for run in plan.runs]}
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            write_json(self.path / PLAN_FILE, tree)
        except OSError as error:
            raise UsageError(f"cannot write {self.path}: {error}; choose another place with --runs-dir") from error

    def has_ended(self, plan: Plan, *, by_trials: bool) -> bool:
        """Say whether nothing of the plan is left to train."""
        if by_trials:
            return self.comparison is not None
        return all(self._status(run.id) in _ENDED for run in plan.runs)

    def collect(self, plan: Plan, outcomes: Sequence[Outcome] = ()) -> Reproduced:
        """Return what came of the runs.

        Args:
            plan: what was to be run.
            outcomes: how the dispatcher says they ended, for those that never wrote a summary.
        """
        if self.comparison is not None:
            return Reproduced(self.path, plan, {}, comparison=self.comparison)
        said = {outcome.job: f"{outcome.status}: {outcome.reason}" for outcome in outcomes}
        ended = {run.id: self._status(run.id) for run in plan.runs}
        return Reproduced(
            folder=self.path,
            plan=plan,
            runs={run: load_run(self.run(run)) for run, status in ended.items() if status == "finished"},
            troubles={run: said.get(run, status) for run, status in ended.items() if status != "finished"},
        )

    def _status(self, run: str) -> str:
        summary = RunFolder(self.run(run)).read_summary() or {}
        return str(summary.get("status", "it has not ended"))


def place_of(
    report: str, experiments: Sequence[Experiment], minutes: float | None, device: str, runs_dir: Path
) -> ReproductionFolder:
    """Return the folder of a reproduction, named by a digest of all that decides its runs but the machine's pace.

    Args:
        report: the report's name.
        experiments: at full protocol, the user's settings on top.
        minutes: the budget; None for none.
        device: as asked for.
        runs_dir: where runs lie.
    """
    text = "\n".join([report, str(minutes), device, *map(dump_yaml, experiments)])
    key = hashlib.sha256(text.encode()).hexdigest()[:8]
    return ReproductionFolder(runs_dir / PROJECT / f"{report}-{key}")


def worked_seconds(found: Reproduced) -> float | None:
    """Return how long runs were at work here, pauses between two commands left out; None where it is not known."""
    if found.comparison is not None:
        trials = [read_json(path) for path in sorted(found.comparison.glob("runs/*/trial.json"))]
        return sum(trial["cold_start_seconds"] + trial["warm_up_seconds"] for trial in trials)
    timeline = read_timeline(found.folder)
    if timeline is None:
        return None
    spans = [(span.start, span.end) for device in timeline.devices for span in device.spans if span.end is not None]
    return _covered(spans)


def _covered(spans: Sequence[tuple[float, float]]) -> float:
    """Return the length of the union of intervals.

    >>> _covered([(0.0, 2.0), (1.0, 3.0), (10.0, 11.0)])
    4.0
    """
    total, until = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(end - max(start, until), 0.0)
        until = max(until, end)
    return total


def _dump_run(run: PlannedRun) -> dict[str, Any]:
    return {"id": run.id, "experiment": run.experiment.model_dump(mode="json"), "seconds": run.seconds}


def _parse_plan(tree: dict[str, Any]) -> Plan:
    runs = [
        PlannedRun(run["id"], validate_tree(Experiment, run["experiment"], run["id"]), run["seconds"])
        for run in tree["runs"]
    ]
    lists = {name: tuple(tree[name]) for name in ("left_out", "reductions", "overrides")}
    return Plan(**tree | lists | {"runs": tuple(runs), "cut": Cut(**tree["cut"])})
