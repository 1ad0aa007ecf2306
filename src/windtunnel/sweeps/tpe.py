"""Tree-structured Parzen estimator: Optuna proposes from what earlier points gave, and keeps it on disk."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from windtunnel.config.sweep import Axis
from windtunnel.sweeps.optuna_study import open_study, reopen_trial, require_optuna
from windtunnel.sweeps.points import Verdict
from windtunnel.sweeps.space import Choices, Space, snap, suggest

if TYPE_CHECKING:
    from optuna import Trial

_CHOICES = "choices"
_VERDICT = "verdict"


class TpePoints:
    """Points from Optuna's TPESampler (see :class:`windtunnel.sweeps.points.Points`).

    A trial counts once its choices are stored, all of them in one entry; one that a killed process left before that
    is closed as failed. So a restarted sweep proposes the same points under the same numbers.

    Args:
        runs: unused here, the study counts.
        seed: seed of the draws; trial n draws from (seed, n), so that a restart does not repeat the first draws.
        startup: trials drawn at random first.
        parallel: most points without a verdict.
        space: what is drawn from.
        folder: where the trials are kept.
        maximise: whether bigger is better.
    """

    def __init__(
        self, *, runs: int, seed: int, startup: int, parallel: int, space: Space, folder: Path, maximise: bool
    ) -> None:
        require_optuna("strategy tpe")
        self._space, self._seed, self._startup, self._parallel = space, seed, startup, parallel
        self._study = open_study(folder, "search", maximise=maximise)
        self._proposed: list[Mapping[str, Any]] = []
        self._open: dict[int, Trial] = {}
        self._take_up_earlier_trials()

    def has(self, number: int) -> bool:
        """Say yes: proposals do not run out."""
        return True

    def is_ready(self, number: int, waiting: int) -> bool:
        """Say yes while few enough wait, for points of an earlier process as well, so that a replay is one."""
        return waiting < self._parallel

    def propose(self, number: int) -> Choices:
        """Return proposal ``number``, asking for a new one when it is the next."""
        if number == len(self._proposed):
            self._ask()
        return self._proposed[number]

    def tell(self, number: int, verdict: Verdict) -> None:
        """Close the trial; one that is closed stays as it is."""
        from optuna.trial import TrialState

        trial = self._open.pop(number, None)
        if trial is None:
            return
        trial.set_user_attr(_VERDICT, verdict.kind)
        if verdict.kind == "measured":
            self._study.tell(trial, verdict.value)
        elif verdict.kind == "unknown":
            self._study.tell(trial, state=TrialState.FAIL)
        else:
            if verdict.kind == "infeasible":
                trial.set_constraint("wanted", 1.0)
            elif verdict.value is not None:
                trial.report(verdict.value, step=1)
            self._study.tell(trial, state=TrialState.PRUNED)

    def _ask(self) -> None:
        from optuna.samplers import TPESampler

        number = len(self._proposed)
        self._study.sampler = TPESampler(
            n_startup_trials=self._startup,
            seed=(self._seed * 1_000_003 + number) % 2**32,
        )
        trial = self._study.ask()
        choices = suggest(self._space, lambda path: _suggest(trial, path, self._space[path]))
        trial.set_user_attr(_CHOICES, choices)
        self._proposed.append(choices)
        self._open[number] = trial

    def _take_up_earlier_trials(self) -> None:
        from optuna.trial import TrialState

        for frozen in self._study.trials:
            if _CHOICES not in frozen.user_attrs:
                if frozen.state == TrialState.RUNNING:
                    self._study.tell(frozen.number, state=TrialState.FAIL)
                continue
            if frozen.state == TrialState.RUNNING:
                self._open[len(self._proposed)] = reopen_trial(self._study, frozen)
            self._proposed.append(frozen.user_attrs[_CHOICES])


def _suggest(trial: "Trial", path: str, axis: Axis) -> Any:
    if axis.values is not None:
        texts = [json.dumps(value, sort_keys=True) for value in axis.values]
        return json.loads(trial.suggest_categorical(path, texts))
    assert axis.min is not None and axis.max is not None
    if axis.integer and axis.step is None:
        return trial.suggest_int(path, int(axis.min), int(axis.max), log=axis.log)
    if axis.step is not None and not axis.log:
        last = snap(axis, axis.max)  # Optuna wants the range to be a whole number of steps
        return snap(axis, trial.suggest_float(path, axis.min, last, step=axis.step))
    return snap(axis, trial.suggest_float(path, axis.min, axis.max, log=axis.log))
