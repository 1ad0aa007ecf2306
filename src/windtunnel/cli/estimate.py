"""``windtunnel estimate``: what a run will need, before it runs."""

import dataclasses
import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from windtunnel.cli.options import AsJson, Overrides, Reference
from windtunnel.core.units import format_seconds

if TYPE_CHECKING:
    from windtunnel.config.experiment import Experiment
    from windtunnel.dispatch.estimate.estimator import Breakdown
    from windtunnel.dispatch.estimate.traced import Traced

_MEBIBYTE = 2**20
_NOTES = {
    "activations": "kept for the backward pass, the batch included",
    "beyond_training": "evaluation or a checkpoint above training's peak",
    "allocator": "held by the allocator and not usable",
    "context": "Python, torch and their libraries, measured on this machine",
    "measured": "largest peak of earlier runs of its kind on this machine",
}


def estimate(
    reference: Reference,
    overrides: Overrides = None,
    device: Annotated[
        str | None, typer.Option(help="auto, cpu, cuda or cuda:N; default the experiment's runtime.device.")
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads the run is given.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show how much memory and time a run will need.

    The training step and the evaluation are traced without data, in a process of their own. Runs that a sweep has
    measured on this machine correct the figures.

    Examples:
      windtunnel estimate quickstart
      windtunnel estimate cifar10/airbench94 data.batch_size=512 runtime.precision=bfloat16
      windtunnel estimate mine.yaml --device cuda:0 --json
    """
    from windtunnel.dispatch.estimate.estimator import Estimator
    from windtunnel.recipes import load_experiment

    experiment = load_experiment(reference, overrides or ())
    chosen = device or experiment.runtime.device
    found = Estimator(chosen, threads=threads).explain(experiment)
    print(json.dumps(_as_tree(found), indent=2) if as_json else _as_text(experiment, chosen, found))


def _as_tree(found: "Breakdown") -> dict[str, Any]:
    return {**dataclasses.asdict(found.estimate), "runs_of_its_kind": found.runs, "traced": _traced_tree(found.traced)}


def _traced_tree(traced: "Traced | None") -> dict[str, int] | None:
    return None if traced is None else dataclasses.asdict(traced)


def _as_text(experiment: "Experiment", device: str, found: "Breakdown") -> str:
    sections = [f"{experiment.name} on {device}"]
    if found.traced is not None:
        sections.append(_as_lines(_live(found.traced), {}))
    sections.append(_as_lines(_reserved(found), _NOTES))
    return "\n\n".join([*sections, _time(experiment, found)])


def _live(traced: "Traced") -> dict[str, int]:
    return {
        "Tensors, MiB": -1,
        "parameters": traced.parameters,
        "gradients": traced.gradients,
        "optimizer state": traced.optimizer_state,
        **({"averaging": traced.averaging} if traced.averaging else {}),
        "activations": traced.activations,
        "training peak": traced.train_peak,
        "evaluation peak": traced.evaluation_peak,
    }


def _reserved(found: "Breakdown") -> dict[str, int]:
    kept = {name: size for name, size in found.estimate.parts.items() if size}
    return {f"To reserve, MiB ({found.estimate.source})": -1, **kept, "total": found.estimate.bytes}


def _as_lines(rows: dict[str, int], notes: dict[str, str]) -> str:
    """Return rows of a name, MiB and a note; a negative size is a heading."""
    lines = []
    for name, size in rows.items():
        note = f"  {notes[name]}" if name in notes else ""
        lines.append(name if size < 0 else f"  {name.replace('_', ' '):18}{size / _MEBIBYTE:10,.1f}{note}")
    return "\n".join(lines)


def _time(experiment: "Experiment", found: "Breakdown") -> str:
    if found.duration is None:
        return "Time: unknown until a run of its kind was measured on this machine (sweeps measure theirs)"
    epochs, time = experiment.train.epochs, found.duration
    each, least, most = (format_seconds(seconds / epochs) for seconds in (time.seconds, time.low, time.high))
    whole = format_seconds(time.seconds)
    startup = found.estimate.startup_seconds
    more = f", and {format_seconds(startup)} for a worker to start and end" if startup else ""
    return f"Time: {each} an epoch ({least} to {most}), {whole} for {epochs:g} epochs{more}; by {time.source}"
