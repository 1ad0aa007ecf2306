"""``model_card.md``: what a stranger has to know to use an exported network, and how far to trust it."""

import json
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from windtunnel.config.experiment import Experiment
from windtunnel.config.files import dump_yaml
from windtunnel.data.spec import DatasetSpec
from windtunnel.report.reliability import compute_interval

_WORST_SHOWN = 5
_CLASSES_SHOWN = 100


@dataclass(frozen=True)
class CardFacts:
    """Everything the card says; accuracies of the run itself and under corruption are read from its folder.

    Args:
        run: the run folder.
        experiment: what was trained.
        format: ``onnx``, ``torch`` or ``state_dict``.
        file: name of the network's file.
        size: its bytes.
        sha256: its digest.
        weights: which of the run's weights it holds.
        parameters: number of parameters.
        spec: the data set.
        mean: per-channel mean, pixels scaled to 0..1.
        std: per-channel standard deviation, likewise.
        digest: sha256 of the set's decoded content.
        split_digests: part -> sha256 of which images it holds.
        counts: part -> images.
        validation_accuracy: of these weights without test-time augmentation; None without a validation part.
        checked: images on which the file was compared with the run.
        on_noise: whether these were noise, for want of the data set.
        difference: largest difference between their logits.
        opset: ONNX operator set, or None.
        versions: package -> version.
    """

    run: Path
    experiment: Experiment
    format: str
    file: str
    size: int
    sha256: str
    weights: str
    parameters: int
    spec: DatasetSpec
    mean: tuple[float, ...]
    std: tuple[float, ...]
    digest: str
    split_digests: Mapping[str, str]
    counts: Mapping[str, int]
    validation_accuracy: float | None
    checked: int
    on_noise: bool
    difference: float
    opset: int | None
    versions: Mapping[str, str]


def describe_model(facts: CardFacts) -> str:
    """Return the card as Markdown."""
    sections = [
        f"# {facts.experiment.name}\n",
        _describe_network(facts),
        "## Use\n\n" + _describe_use(facts),
        "## Accuracy\n\n" + _describe_accuracy(facts),
        "## Limits\n\n" + _describe_limits(facts),
        "## Data\n\n" + _describe_data(facts),
        "## Training\n\n" + _describe_training(facts),
        "## File\n\n" + _describe_file(facts),
    ]
    return "\n".join(sections)


def _describe_network(facts: CardFacts) -> str:
    height, width = facts.spec.image_size
    return (
        f"`{facts.experiment.model.name}`, {facts.parameters:,} parameters, trained on {facts.spec.name} to tell "
        f"{len(facts.spec.class_names)} classes apart on images of {width}x{height} pixels.\n"
    )


def _describe_use(facts: CardFacts) -> str:
    channels, (height, width) = facts.spec.channels, facts.spec.image_size
    order = "red, green, blue" if channels == 3 else "grey"
    said = [
        f"- Input `images`: uint8, (batch, {channels}, {height}, {width}), any batch size; {order}, 0 to 255. "
        "Normalisation is built in.",
        "- Output `logits`: float32, (batch, classes); their softmax is the probability of each class.",
    ]
    if facts.format == "state_dict":
        said[0] = (
            f"- Input: float32, (batch, {channels}, {height}, {width}); {order}, scaled to 0..1, minus mean, divided "
            "by standard deviation. The weights do not normalise."
        )
    names = facts.spec.class_names
    listed = ", ".join(f"{index} {name}" for index, name in enumerate(names[:_CLASSES_SHOWN]))
    more = f", and {len(names) - _CLASSES_SHOWN} more" if len(names) > _CLASSES_SHOWN else ""
    said += [
        f"- Mean and standard deviation of pixels scaled to 0..1: {_numbers(facts.mean)} and {_numbers(facts.std)}.",
        f"- Classes: {listed}{more}.",
    ]
    return "\n".join(said) + f"\n\n```python\n{_example(facts)}\n```\n"


def _example(facts: CardFacts) -> str:
    height, width = facts.spec.image_size
    if facts.format == "onnx":
        return (
            "import numpy as np\nimport onnxruntime\n\n"
            f'session = onnxruntime.InferenceSession("{facts.file}")\n'
            f"images = np.zeros((1, {facts.spec.channels}, {height}, {width}), dtype=np.uint8)\n"
            '(logits,) = session.run(None, {"images": images})'
        )
    if facts.format == "torch":
        return (
            "import torch\n\n"
            f'network = torch.export.load("{facts.file}").module()\n'
            f"logits = network(torch.zeros(1, {facts.spec.channels}, {height}, {width}, dtype=torch.uint8))"
        )
    return (
        "import windtunnel\nfrom safetensors.torch import load_file\n\n"
        'experiment = windtunnel.load_experiment("config.yaml")\n'
        f"network = experiment.model.build(num_classes={len(facts.spec.class_names)}, "
        f"in_channels={facts.spec.channels}, image_size={(height, width)})\n"
        f'network.load_state_dict(load_file("{facts.file}"))\n'
        "network.eval()"
    )


def _describe_accuracy(facts: CardFacts) -> str:
    """Return the accuracies that belong to these weights; 95% intervals are Wilson's."""
    lines = []
    summary = _read_json(facts.run / "summary.json")
    metrics, of_average = summary.get("metrics", {}), "_ema" if facts.weights == "ema" else ""
    measured = metrics.get(f"test_accuracy{of_average}")
    are_these = bool(of_average) or summary.get("evaluated_weights") == facts.weights
    if measured is not None and are_these and "test" in facts.counts:
        plain = metrics.get(f"test_accuracy_plain{of_average}", measured)
        lines.append(f"- Test: {_with_interval(plain, facts.counts['test'])}.")
        if plain != measured:
            with_views = _with_interval(measured, facts.counts["test"])
            lines.append(f"- Test with test-time augmentation `{summary['tta']}`, not in this file: {with_views}.")
    else:
        lines.append("- Test: not measured with these weights.")
    if facts.validation_accuracy is not None:
        lines.append(f"- Validation: {_with_interval(facts.validation_accuracy, facts.counts['validation'])}.")
    return "\n".join(lines) + "\n\nIntervals are Wilson's 95%; they say nothing of images from elsewhere.\n"


def _describe_limits(facts: CardFacts) -> str:
    lines = [
        "- It answers one of its classes whatever it is shown; a picture of something else gets one as well.",
        f"- Accuracy holds for images made as those of {facts.spec.name} were, at this size.",
    ]
    shift = _read_json(facts.run / "shift" / "shift.json")
    if not shift or shift["weights"] != facts.weights:
        return "\n".join([*lines, "- Corrupted images: not measured (`windtunnel eval RUN --shift`).\n"])
    lines.append(
        f"- Corrupted images: {shift['mean_corrupted_accuracy']:.1%} in the mean over corruptions and severities, "
        f"{shift['accuracy']:.1%} on the same {shift['images']:,} validation images as they are "
        f"(views: {shift['tta']}). Worst at severity 3: {', '.join(_worst(shift['corruptions']))}."
    )
    if (target := shift["target"]) is not None:
        lines.append(
            f"- Expected on {Path(target['path']).name}: {target['accuracy']:.1%} +- {100 * target['error']:.1f} "
            f"points ({shift['estimator'].replace('_', ' ')})."
        )
    return "\n".join(lines) + "\n"


def _worst(corruptions: Iterable[Mapping[str, Any]]) -> list[str]:
    middle = sorted((row for row in corruptions if row["severity"] == 3), key=lambda row: row["accuracy"])
    return [f"{row['corruption'].replace('_', ' ')} {row['accuracy']:.1%}" for row in middle[:_WORST_SHOWN]]


def _describe_data(facts: CardFacts) -> str:
    lines = [f"- {facts.spec.name}, sha256 of its decoded content `{facts.digest}`."]
    lines += [
        f"- {name}: {count:,} images, sha256 of which they are `{facts.split_digests[name]}`."
        for name, count in facts.counts.items()
    ]
    return "\n".join(lines) + "\n"


def _describe_training(facts: CardFacts) -> str:
    environment = _read_json(facts.run / "env.json")
    summary = _read_json(facts.run / "summary.json")
    argv = environment.get("argv") or []
    lines = [f"- Command: `{shlex.join([Path(argv[0]).name, *argv[1:]])}`"] if argv else []
    lines += [f"- Run `{facts.run.name}`, seed {facts.experiment.seed}, {facts.weights} weights."]
    if summary:
        lines.append(f"- {summary['epochs']:g} epochs, {summary['steps']:,} steps on {summary['device']}.")
    if (git := environment.get("git")) is not None:
        lines.append(f"- Code: commit `{git['commit']}`{', with changes' if git['dirty'] else ''}.")
    return "\n".join(lines) + f"\n\n```yaml\n{dump_yaml(facts.experiment).rstrip()}\n```\n"


def _describe_file(facts: CardFacts) -> str:
    lines = [f"- `{facts.file}`: {facts.size:,} bytes, sha256 `{facts.sha256}`."]
    if facts.opset is not None:
        lines.append(f"- ONNX operator set {facts.opset}.")
    asked = f"{facts.checked} images{' of noise' if facts.on_noise else ''}"
    lines.append(f"- Read back and compared with the run on {asked}: logits differ by at most {facts.difference:.2g}.")
    versions = ", ".join(f"{name} {version}" for name, version in facts.versions.items())
    return "\n".join([*lines, f"- Written with {versions}.\n"])


def _with_interval(accuracy: float, images: int) -> str:
    low, high = compute_interval(accuracy, images)
    return f"{accuracy:.2%} of {images:,} images (95% interval {low:.2%} to {high:.2%})"


def _numbers(values: Iterable[float]) -> str:
    return "(" + ", ".join(f"{value:.6g}" for value in values) + ")"


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
