"""Stopping runs that do badly: Optuna's pruners over the metric that each run reports after its epochs."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from windtunnel.config.sweep import PruningConfig
from windtunnel.sweeps.optuna_study import open_study, reopen_trial, require_optuna

if TYPE_CHECKING:
    from optuna import Trial
    from optuna.pruners import BasePruner

_JOB = "job"


class Pruning:
    """Judges runs under way; every run is a trial of a study on disk, so a restart knows what was reported.

    Args:
        config: the rule.
        folder: where the reports are kept.
        maximise: whether bigger is better.
    """

    def __init__(self, config: PruningConfig, *, folder: Path, maximise: bool) -> None:
        require_optuna("pruning")
        self._study = open_study(folder, "pruning", maximise=maximise, pruner=config.build())
        self._open: dict[str, Trial] = {}
        self._last: dict[str, tuple[int, float]] = {}
        self._take_up_earlier_trials()

    def should_go_on(self, job: str, epoch: int, value: float) -> bool:
        """Take note of a run's ``value`` after ``epoch`` and say whether the run goes on.

        An epoch told again, as after a restart from a checkpoint, changes nothing and goes on.
        """
        if job in self._last and (job not in self._open or epoch <= self._last[job][0]):
            return True
        if job not in self._open:
            self._open[job] = self._study.ask()
            self._open[job].set_user_attr(_JOB, job)
        self._last[job] = (epoch, value)
        self._open[job].report(value, step=epoch)
        return not self._open[job].should_prune()

    def finish(self, job: str, ending: Literal["measured", "pruned", "unknown"]) -> None:
        """Close the run's trial; the median is taken over the measured ones. Told again it changes nothing."""
        from optuna.trial import TrialState

        trial = self._open.pop(job, None)
        if trial is None:
            return
        if ending == "measured":
            self._study.tell(trial, self._last[job][1])
        else:
            self._study.tell(trial, state=TrialState.PRUNED if ending == "pruned" else TrialState.FAIL)

    def _take_up_earlier_trials(self) -> None:
        from optuna.trial import TrialState

        for frozen in self._study.trials:
            job = frozen.user_attrs.get(_JOB)
            if job is not None and frozen.last_step is not None:
                self._last[job] = (frozen.last_step, frozen.intermediate_values[frozen.last_step])
            if frozen.state == TrialState.RUNNING and job in self._last:
                self._open[job] = reopen_trial(self._study, frozen)
            elif frozen.state == TrialState.RUNNING:
                self._study.tell(frozen.number, state=TrialState.FAIL)


def build_median(*, startup: int, warmup_epochs: int) -> "BasePruner":
    """Return Optuna's median pruner."""
    from optuna.pruners import MedianPruner

    return MedianPruner(n_startup_trials=startup, n_warmup_steps=warmup_epochs)


def build_halving(*, first: int, factor: int) -> "BasePruner":
    """Return Optuna's asynchronous successive halving."""
    from optuna.pruners import SuccessiveHalvingPruner

    return SuccessiveHalvingPruner(min_resource=first, reduction_factor=factor)
