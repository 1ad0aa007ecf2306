"""Which runtime settings make an experiment's updates fastest on this machine, found by timing them."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from windtunnel.config.experiment import Experiment
from windtunnel.config.files import dump_yaml
from windtunnel.core.device import resolve_device
from windtunnel.errors import RunError

Settings = Mapping[str, Any]
_WORTH_IT = 0.97
_LIMIT_S = 900


@dataclass(frozen=True)
class Timing:
    """One row of the comparison.

    Args:
        settings: fields of ``runtime`` that differ from the experiment's.
        milliseconds: median of an update, or None when it cannot run so.
        failure: why it cannot, or ``""``.
    """

    settings: dict[str, Any]
    milliseconds: float | None
    failure: str = ""

    @property
    def overrides(self) -> str:
        """The settings as command-line overrides."""
        return " ".join(f"runtime.{field}={_as_text(value)}" for field, value in self.settings.items())


def tune(experiment: Experiment, *, steps: int, tell: Callable[[Timing], None]) -> tuple[list[Timing], Timing]:
    """Time the experiment as it is, with each candidate setting alone, and with all that helped together.

    Args:
        experiment: what would be trained.
        steps: updates timed for each, after a warm-up.
        tell: called with each row as it is measured.

    Returns:
        every row, and the fastest one.

    Raises:
        RunError: the experiment as it is does not run.
    """
    base = _measure(experiment, {}, steps)
    if base.milliseconds is None:
        raise RunError(f"the experiment does not run as it is: {base.failure}")
    tell(base)
    rows = [base]
    for settings in candidates(experiment, resolve_device(experiment.runtime.device)):
        rows.append(_measure(experiment, settings, steps))
        tell(rows[-1])
    if (together := combine(rows)) is not None:
        rows.append(_measure(experiment, together, steps))
        tell(rows[-1])
    return rows, fastest(rows)


def candidates(experiment: Experiment, device: torch.device) -> list[dict[str, Any]]:
    """Return the settings worth a try on ``device`` that the experiment does not have yet."""
    runtime = experiment.runtime
    tries: list[dict[str, Any]] = [
        {"channels_last": not runtime.channels_last},
        {"compile": "default"},
        {"precision": "bfloat16"},
    ]
    if device.type == "cuda":
        tries += [{"compile": "max-autotune"}, {"cuda_graph": True}, {"precision": "float16"}]
        tries += [{"precision": "bfloat16", "low_precision_weights": True}]
    else:
        tries += [{"threads": count} for count in (1, torch.get_num_threads() // 2) if 0 < count]
        tries += [{"augment_backend": name} for name in ("numba", "torch")]
        tries.append({"convolution": "winograd"})
    changed = [settings for settings in tries if any(getattr(runtime, key) != value for key, value in settings.items())]
    return [settings for position, settings in enumerate(changed) if settings not in changed[:position]]


def combine(rows: Sequence[Timing]) -> dict[str, Any] | None:
    """Return the settings that each helped alone, the faster where two set one field; None below two of them."""
    base = rows[0].milliseconds or 0.0
    helped = [row for row in rows[1:] if row.milliseconds is not None and row.milliseconds < _WORTH_IT * base]
    helped.sort(key=lambda row: row.milliseconds or 0.0)
    together: dict[str, Any] = {}
    for row in helped:
        if not together.keys() & row.settings.keys():
            together |= row.settings
    return together if len(helped) > 1 and together not in [row.settings for row in helped] else None


def fastest(rows: Sequence[Timing]) -> Timing:
    """Return the fastest row, or the first, the experiment as it is, when none is clearly faster."""
    best = min((row for row in rows if row.milliseconds is not None), key=lambda row: row.milliseconds or 0.0)
    base = rows[0]
    worth_it = (best.milliseconds or 0.0) < _WORTH_IT * (base.milliseconds or 0.0)
    return best if worth_it else base


def _measure(experiment: Experiment, settings: Settings, steps: int) -> Timing:
    tree = experiment.model_dump()
    try:
        changed = Experiment.model_validate(tree | {"runtime": tree["runtime"] | dict(settings)})
    except ValueError as error:
        return Timing(dict(settings), None, _last_line(str(error)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "experiment.yaml"
        path.write_text(dump_yaml(changed), encoding="utf-8")
        command = [sys.executable, "-m", "windtunnel.training.time_steps", str(path), str(steps)]
        try:
            finished = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_LIMIT_S)
        except subprocess.TimeoutExpired:
            return Timing(dict(settings), None, f"took more than {_LIMIT_S} s")
    if finished.returncode != 0:
        return Timing(dict(settings), None, _last_line(finished.stderr))
    return Timing(dict(settings), 1000 * json.loads(finished.stdout.splitlines()[-1])["median"])


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"


def _as_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
