"""The memory and the time of runs, before they run."""

import hashlib
import importlib.metadata
import importlib.util
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from windtunnel import __version__
from windtunnel.config.experiment import Experiment
from windtunnel.core.files import write_json
from windtunnel.core.places import cache_root
from windtunnel.data.locks import locked
from windtunnel.dispatch.estimate.asking import ask_for_context, ask_for_traces
from windtunnel.dispatch.estimate.history import History, Measured
from windtunnel.dispatch.estimate.kinds import kind_key
from windtunnel.dispatch.estimate.machine import count_cores, describe_machine, device_kind, has_gpu
from windtunnel.dispatch.estimate.timing import Duration, duration_by_work, duration_of_kind, typical_startup
from windtunnel.dispatch.estimate.traced import Traced
from windtunnel.dispatch.types import Estimate, Job, Outcome
from windtunnel.errors import RunError, UsageError

_MARGIN, _MARGIN_MEASURED = 0.10, 0.03
# How far glibc's heap grows beyond what is live, as a share of it: a hole cannot serve an aligned block of its own size
# again. Evaluation, which frees every layer's output at once, leaves most holes, unless large blocks are mapped one by
# one because the allocator was not tuned. Measured by benchmarks/memory_estimate.py --resident.
TRAINING_GROWTH, EVALUATION_GROWTH = 0.25, 1.75
_RECENT = 5
_KINDS_A_CHILD = 32
# for a GPU that this machine does not have, or that has no room now; PyTorch issues 107667 and 109888 report 300 to 400
_ASSUMED_CUDA_CONTEXT = 400 * 2**20
_PLAUSIBLE_CUDA_CONTEXT = range(50 * 2**20, 4 * 2**30)  # beyond, others have come or gone while it was measured
_NO_ROOM = ("out of memory", "ALLOC_FAILED", "busy or unavailable")


@dataclass(frozen=True)
class Breakdown:
    """Everything that is known of a run beforehand.

    Args:
        estimate: what it is expected to need.
        traced: what its step and evaluation hold; None where only an earlier run's peak was looked up.
        duration: how long it takes; None when no run like it was measured.
        runs: measured runs of its kind on this machine.
    """

    estimate: Estimate
    traced: Traced | None
    duration: Duration | None
    runs: int


class Estimator:
    """Prices runs on one device; runs that differ in rates and seeds only cost one trace.

    A run's kind is traced in a child process the first time, its result cached; a run of its kind that was measured on
    this machine replaces the trace. Not for use by several threads at once.

    Args:
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        history: file of measured runs; None takes the user's.
        threads: CPU threads a run is given; None leaves that to the experiment, or torch.
    """

    def __init__(self, device: str, history: Path | None = None, *, threads: int | None = None) -> None:
        self._device = device_kind(device)
        self._device_name = "cuda" if device == "auto" and self._device == "cuda" else device
        self._machine = describe_machine(device)
        self._history = History(history)
        self._threads = threads
        self._contexts: dict[str, int] = {}

    def estimate(self, experiment: Experiment) -> Estimate:
        """Return what ``experiment`` is expected to need.

        Raises:
            UsageError: its data, model or groups cannot be had as described.
            RunError: the tracing process crashed.
        """
        return self.estimate_all([experiment])[0]

    def estimate_all(self, experiments: Sequence[Experiment]) -> list[Estimate]:
        """Return the estimates of ``experiments``, all kinds not known yet traced by one child process."""
        return [each.estimate for each in self.explain_all(experiments, trace_measured=False)]

    def explain(self, experiment: Experiment) -> Breakdown:
        """Return the estimate with what it consists of, traced even where an earlier run's peak is known."""
        return self.explain_all([experiment], trace_measured=True)[0]

    def explain_all(self, experiments: Sequence[Experiment], *, trace_measured: bool) -> list[Breakdown]:
        """Return the breakdown of each; ``trace_measured`` also traces kinds whose peak was measured."""
        history = self._history.read(self._machine)
        keys = [kind_key(experiment) for experiment in experiments]
        measured = {each.kind for each in history if each.peak_bytes is not None}
        wanted = {
            key: experiment
            for key, experiment in zip(keys, experiments, strict=True)
            if trace_measured or key not in measured
        }
        traces = self._trace_all(wanted)
        return [
            self._explain(experiment, key, traces.get(key) or _read_trace(key), history)
            for key, experiment in zip(keys, experiments, strict=True)
        ]

    def record(
        self,
        experiment: Experiment,
        *,
        peak_bytes: int | None,
        seconds: float | None = None,
        step_seconds: float | None = None,
        startup_seconds: float | None = None,
    ) -> None:
        """Remember what a run of ``experiment`` needed on this machine.

        Args:
            experiment: as it ran to its end.
            peak_bytes: largest memory its process held on the device.
            seconds: wall clock of the whole run.
            step_seconds: a training step after warm-up.
            startup_seconds: what its worker took besides.
        """
        key = kind_key(experiment)
        traced = _read_trace(key)
        self._history.append(
            Measured(
                kind=key,
                machine=self._machine,
                precision=experiment.runtime.precision,
                threads=self._threads_of(experiment),
                epochs=experiment.train.epochs,
                peak_bytes=peak_bytes,
                seconds=seconds,
                step_seconds=step_seconds,
                step_flops=traced.step_flops if traced else None,
                startup_seconds=startup_seconds,
            )
        )

    def record_outcome(self, job: Job, outcome: Outcome) -> None:
        """Remember what a finished job needed; one that ended otherwise may not have come to its peak."""
        if outcome.status != "finished":
            return
        spent, steps = outcome.summary.get("seconds", {}), outcome.summary.get("steps", 0)
        seconds = sum(spent.values()) if outcome.attempts == 1 and spent else None
        whole = outcome.worker_seconds
        besides = whole - seconds if whole is not None and seconds is not None else -1.0
        self.record(
            job.experiment,
            peak_bytes=outcome.peak_bytes,
            seconds=seconds,
            step_seconds=spent["train"] / steps if steps and "train" in spent else None,
            startup_seconds=besides if besides >= 0 else None,  # below 0 for what another machine had begun
        )

    def _threads_of(self, experiment: Experiment) -> int:
        return experiment.runtime.threads or self._threads or 0

    def _trace_all(self, wanted: dict[str, Experiment]) -> dict[str, Traced]:
        found = {key: known for key in wanted if (known := _read_trace(key)) is not None}
        missing = [key for key in wanted if key not in found]
        for start in range(0, len(missing), _KINDS_A_CHILD):
            keys = missing[start : start + _KINDS_A_CHILD]
            answers = dict(zip(keys, ask_for_traces([wanted[key] for key in keys]), strict=True))
            traced = {key: answer for key, answer in answers.items() if isinstance(answer, Traced)}
            for key, answer in traced.items():
                _write_cached(_trace_path(key), asdict(answer))
            if refused := next((key for key in keys if key not in traced), None):
                raise UsageError(f"what {wanted[refused].name} needs cannot be estimated: {answers[refused]}")
            found |= traced
        return found

    def _explain(
        self, experiment: Experiment, key: str, traced: Traced | None, history: Sequence[Measured]
    ) -> Breakdown:
        threads = self._threads_of(experiment)
        same = [each for each in history if each.kind == key]
        peaks = [each.peak_bytes for each in same if each.peak_bytes is not None][-_RECENT:]
        if peaks:
            parts = self._measured_parts(experiment, max(peaks), traced)
        else:
            assert traced is not None
            parts = self._parts(experiment, traced)
        like = [each for each in history if each.precision == experiment.runtime.precision and each.threads == threads]
        epochs = experiment.train.epochs
        duration = duration_of_kind([each for each in like if each.kind == key], epochs)
        if duration is None and traced is not None:
            duration = duration_by_work(like, traced, epochs)
        startup = typical_startup(history)
        estimate = Estimate(
            bytes=sum(parts.values()),
            parts=parts,
            seconds=duration.seconds + startup if duration else None,
            low_seconds=duration.low + startup if duration else None,
            high_seconds=duration.high + startup if duration else None,
            startup_seconds=startup,
            compute_share=min(threads / count_cores(), 1.0) if threads and self._device == "cpu" else 1.0,
            source="measured" if peaks else "traced",
        )
        return Breakdown(estimate, traced, duration, len(same))

    def _measured_parts(self, experiment: Experiment, peak: int, traced: Traced | None) -> dict[str, int]:
        """Return where a measured peak comes from; on a GPU images may be shared, the context is no tensor's."""
        known = {}
        if self._device == "cuda":
            known = {"data": traced.data if traced is not None else 0, "context": self._context(experiment)}
        measured = max(peak - sum(known.values()), 0)
        return {"measured": measured, **known, "margin": round(peak * _MARGIN_MEASURED)}

    def _parts(self, experiment: Experiment, traced: Traced) -> dict[str, int]:
        """Return where the bytes come from; they add up to what is to be reserved."""
        permanent = traced.parameters + traced.optimizer_state + traced.averaging
        on_cpu = self._device == "cpu"
        live = max(traced.train_peak, traced.evaluation_peak, traced.checkpoint_peak if on_cpu else 0)
        parts = {
            "parameters": traced.parameters,
            "optimizer_state": traced.optimizer_state,
            "averaging": traced.averaging,
            "activations": traced.activations,
            "gradients": traced.train_peak - permanent - traced.activations,
            "beyond_training": live - traced.train_peak,
            "allocator": max((_heap(experiment, traced) if on_cpu else traced.reserved) - live, 0),
            "data": traced.data,
            "context": self._context(experiment),
        }
        return parts | {"margin": round(_MARGIN * sum(parts.values()))}

    def _context(self, experiment: Experiment) -> int:
        if self._device == "cuda" and not has_gpu():
            return _ASSUMED_CUDA_CONTEXT
        wanted = {
            "device": self._device_name,
            "threads": experiment.runtime.threads or self._threads,
            "augment_backend": experiment.runtime.augment_backend,
            "precision": experiment.runtime.precision,
            "modules": _modules(experiment),
        }
        text = json.dumps([wanted, self._machine, _versions()])
        if text not in self._contexts:
            self._contexts[text] = _cached_context(text, wanted)
        return self._contexts[text]


def _heap(experiment: Experiment, traced: Traced) -> int:
    """Return how high the host's heap rises for what is live."""
    permanent = traced.parameters + traced.optimizer_state + traced.averaging
    growth = EVALUATION_GROWTH if experiment.runtime.tune_allocator else TRAINING_GROWTH
    training = traced.train_peak + TRAINING_GROWTH * (traced.train_peak - permanent)
    evaluation = traced.evaluation_peak + growth * (traced.evaluation_peak - permanent)
    return round(max(training, evaluation))


def _modules(experiment: Experiment) -> list[str]:
    """Return what a run of ``experiment`` imports that a bare run does not."""
    modules = [type(experiment.data.source).target.partition(":")[0]]
    if experiment.runtime.convolution == "winograd":
        modules.append("windtunnel.models.winograd.layers")
    if experiment.model.name.startswith("timm/") and importlib.util.find_spec("timm") is not None:
        modules.append("timm")
    return [module for module in modules if module and not module.endswith(".py")]


def _cached_context(text: str, wanted: dict[str, Any]) -> int:
    path = cache_root() / "estimates" / f"context-{_digest(text)}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    with locked(path.with_suffix(".lock")):
        known = _read_cached(path)
        if known is not None:
            return int(known["bytes"])
        measured = ask_for_context(wanted) if wanted["device"] == "cpu" else _ask_a_gpu(wanted)
        if measured is None:
            return _ASSUMED_CUDA_CONTEXT
        _write_cached(path, {"bytes": measured, "of": json.loads(text)})
    return measured


def _ask_a_gpu(wanted: dict[str, Any]) -> int | None:
    """Return the context's bytes, or None where the GPU has no room to measure it or other people's memory is in it."""
    try:
        measured = ask_for_context(wanted)
    except RunError as error:
        if any(words in str(error) for words in _NO_ROOM):
            return None
        raise
    return measured if measured in _PLAUSIBLE_CUDA_CONTEXT else None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _versions() -> list[str]:
    return [__version__, importlib.metadata.version("torch")]


def _trace_path(key: str) -> Path:
    return cache_root() / "estimates" / f"trace-{key}.json"


def _read_trace(key: str) -> Traced | None:
    values = _read_cached(_trace_path(key))
    names = {field.name for field in fields(Traced)}
    return Traced(**values) if values is not None and set(values) == names else None


def _read_cached(path: Path) -> dict[str, Any] | None:
    try:
        values: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return values if isinstance(values, dict) else None


def _write_cached(path: Path, values: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, values)
