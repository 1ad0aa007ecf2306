"""Optuna's studies in an append-only file of the sweep's folder.

The file is Optuna's own journal format, so ``optuna-dashboard`` reads it.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from windtunnel.errors import UsageError

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

JOURNAL_FILE = "optuna.journal"


def require_optuna(what: str) -> None:
    """Raise :class:`UsageError` when Optuna, which ``what`` needs, is not installed."""
    if find_spec("optuna") is None:
        raise UsageError(f"{what} needs Optuna; install it with: pip install 'windtunnel[optuna]'")


def open_study(
    folder: Path,
    name: str,
    *,
    maximise: bool,
    sampler: "BaseSampler | None" = None,
    pruner: "BasePruner | None" = None,
) -> "Study":
    """Return the study ``name`` kept in ``folder``, made on first use.

    Args:
        folder: the sweep's folder; only one process at a time may use it.
        name: several studies share the file.
        maximise: whether bigger is better.
        sampler: proposes points; None when nothing is to be proposed.
        pruner: judges runs under way; None when nothing is to be pruned.
    """
    import optuna

    from windtunnel.sweeps.optuna_journal import OneWriterJournal

    optuna.logging.set_verbosity(optuna.logging.WARNING)  # its greeting of each new study is no news here
    storage = optuna.storages.JournalStorage(OneWriterJournal(folder / JOURNAL_FILE))
    return optuna.create_study(
        storage=storage,
        study_name=name,
        direction="maximize" if maximise else "minimize",
        sampler=sampler or optuna.samplers.RandomSampler(seed=0),
        pruner=pruner or optuna.pruners.NopPruner(),
        load_if_exists=True,
    )


def reopen_trial(study: "Study", frozen: "FrozenTrial") -> "Trial":
    """Return a trial that an earlier process left running, to report to and to close."""
    from optuna import Trial

    return Trial(study, frozen._trial_id)  # Optuna has no public way to take up a running trial
