"""Answers of one or several trained runs for images without labels, as a CSV."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from windtunnel.augment.engine import build_transform
from windtunnel.config.data import ImageFolder
from windtunnel.config.experiment import Experiment
from windtunnel.core.types import ImageBytes
from windtunnel.data.planning import Batching
from windtunnel.data.resident import ResidentLoader
from windtunnel.data.spec import DatasetSpec
from windtunnel.data.submission import LabelForm, Layout, plan_submission, write_submission
from windtunnel.data.unlabelled import UnlabelledImages, read_images
from windtunnel.errors import CheckpointError, UsageError
from windtunnel.evaluation.predict import predict_logits
from windtunnel.training.environment import process_settings
from windtunnel.training.folder import RunFolder, open_run
from windtunnel.training.network import Classifier
from windtunnel.training.same_data import read_noted
from windtunnel.training.trained import Weights, WeightsChoice, choose_weights, load_classifier, with_tta

_DIFFERENCES_SHOWN = 3


@dataclass(frozen=True)
class Member:
    """A run that answers, with which of its weights, and the data set it was trained on."""

    folder: RunFolder
    experiment: Experiment
    weights: Weights
    spec: DatasetSpec


def predict(
    runs: Path | str | Sequence[Path | str],
    *,
    images: Path,
    out: Path,
    sample_submission: Path | None = None,
    header: Sequence[str] | None = None,
    labels: LabelForm | None = None,
    probabilities: bool = False,
    tta: str | None = None,
    weights: WeightsChoice = "result",
    runs_dir: Path | None = None,
) -> int:
    """Write ``out``, a CSV with a row for each image, and return its number of rows.

    Everything that can be refused without a network is refused before one is loaded. The data sets that the runs were
    trained on need not be there.

    Args:
        runs: run folder, its name, or ``last``; of several the mean of their probabilities is taken.
        images: anything :func:`windtunnel.data.unlabelled.read_images` takes; image files are resized as the training
            images were where the source has ``image_size``.
        out: the CSV; written whole or not at all.
        sample_submission: a CSV whose header and rows are kept, ids checked one to one.
        header: names of the columns instead of a sample's: ids, label, and one a class if wanted; without both the
            columns are file, label, class, probability.
        labels: classes by number or by name; None does as the sample does, and numbers without one.
        probabilities: one more column a class with its probability.
        tta: name of a test-time augmentation; None takes each run's own.
        weights: which of the weights the runs kept; ``result`` those that each was tested with.
        runs_dir: where to look names up.

    Raises:
        UsageError: no such run, runs that do not go together, no images, images of another size, or a sample that
            does not list these images.
        CheckpointError: the weights are missing or damaged.
    """
    layout = Layout(sample_submission, tuple(header) if header is not None else None, labels, probabilities)
    _check_writable(out)
    members = open_members([runs] if isinstance(runs, Path | str) else runs, tta, weights, runs_dir)
    spec = members[0].spec
    found = read_unlabelled(images, members)
    submission = plan_submission(layout, found, spec.class_names)
    answers = [_predict_with(member, found.images) for member in members]
    write_submission(out, submission, torch.stack(answers).mean(0), spec.class_names)
    return len(submission.ids)


def open_members(
    runs: Sequence[Path | str], tta: str | None, weights: WeightsChoice, runs_dir: Path | None
) -> tuple[Member, ...]:
    """Return the runs, none of their networks loaded.

    Raises:
        UsageError: there is none, or two have other classes, channels or image sizes.
        CheckpointError: one has not kept ``weights``, or not noted what it was trained on.
    """
    if not runs:
        raise UsageError("no run to predict with; name one or more")
    members: list[Member] = []
    for run in runs:
        folder = open_run(run, runs_dir)
        experiment = with_tta(folder.read_experiment(), tta)
        kept = choose_weights(folder, experiment, weights)
        if not (folder.checkpoints / f"{kept}.safetensors").is_file():
            raise CheckpointError(f"{folder.path} has no {kept} weights in {folder.checkpoints.name}")
        members.append(Member(folder, experiment, kept, read_noted(folder.path).spec))
    for member in members[1:]:
        _check_alike(members[0], member)
    return tuple(members)


def read_unlabelled(path: Path, members: Sequence[Member]) -> UnlabelledImages:
    """Return the images at ``path`` as the members were trained to see them."""
    sources = [member.experiment.data.source for member in members]
    resized_in_training = all(isinstance(source, ImageFolder) and source.image_size is not None for source in sources)
    return read_images(path, like=members[0].spec, resize=resized_in_training)


def predict_images(classifier: Classifier, images: UInt8[Tensor, "n c h w"]) -> Float[Tensor, "n k"]:
    """Return the logits of ``images`` on the CPU, the run's views averaged."""
    size = len(images)
    resident = ImageBytes(images.to(classifier.device), torch.zeros(size, dtype=torch.int64, device=classifier.device))
    transform = build_transform(
        (),
        resident.images,
        mean=classifier.mean,
        std=classifier.std,
        num_classes=len(classifier.spec.class_names),
        seed=0,
        dtype=classifier.precision.image_dtype,
        channels_last=classifier.experiment.runtime.channels_last,
    )
    batching = Batching(
        torch.arange(size), classifier.experiment.evaluate.batch_size, seed=0, shuffle=False, drop_last=False
    )
    loader = ResidentLoader(resident, transform, batching)
    autocast: AbstractContextManager[None] = classifier.precision.autocast()
    return predict_logits(classifier.model, loader, classifier.views, autocast=autocast).cpu()


def _predict_with(member: Member, images: UInt8[Tensor, "n c h w"]) -> Float[Tensor, "n k"]:
    with process_settings(member.experiment.runtime):
        classifier = load_classifier(member.folder, member.experiment, member.weights)
        logits = predict_images(classifier, images)
    if not torch.isfinite(logits).all():
        raise CheckpointError(
            f"{member.folder.path}: its {member.weights} weights give no finite numbers; the run diverged"
        )
    return logits.softmax(1)


def _check_writable(out: Path) -> None:
    if out.is_dir() or not out.parent.is_dir():
        said = "is a folder" if out.is_dir() else f"cannot be written, there is no folder {out.parent}"
        raise UsageError(f"--out: {out} {said}; name a CSV file in a folder that exists")


def _check_alike(first: Member, other: Member) -> None:
    """Raise :class:`UsageError` naming what differs when the two runs do not answer the same question."""
    names = f"{first.folder.path.name} and {other.folder.path.name}"
    mine, theirs = first.spec, other.spec
    if mine.class_names != theirs.class_names:
        raise UsageError(f"{names} have other classes, so no mean can be taken: {_class_difference(mine, theirs)}")
    shapes = [(spec.channels, *spec.image_size) for spec in (mine, theirs)]
    if shapes[0] != shapes[1]:
        raise UsageError(f"{names} were trained on images of {shapes[0]} and {shapes[1]} (channels, height, width)")


def _class_difference(mine: DatasetSpec, theirs: DatasetSpec) -> str:
    if len(mine.class_names) != len(theirs.class_names):
        return f"{len(mine.class_names)} classes of {mine.name}, {len(theirs.class_names)} of {theirs.name}"
    pairs = zip(mine.class_names, theirs.class_names, strict=True)
    different = [f"class {index} is {a!r} and {b!r}" for index, (a, b) in enumerate(pairs) if a != b]
    more = f" and {len(different) - _DIFFERENCES_SHOWN} more" if len(different) > _DIFFERENCES_SHOWN else ""
    return ", ".join(different[:_DIFFERENCES_SHOWN]) + more
