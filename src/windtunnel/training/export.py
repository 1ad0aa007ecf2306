"""A trained network for others: ONNX, torch.export or plain weights, each checked and with a model card."""

import hashlib
import importlib.metadata
import importlib.util
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from windtunnel.config.experiment import Experiment
from windtunnel.config.files import dump_yaml
from windtunnel.core.files import replacing, write_text
from windtunnel.data.open import open_data
from windtunnel.data.part import Part
from windtunnel.data.spec import DatasetSpec
from windtunnel.errors import DataError, ModelError, RunError, UsageError
from windtunnel.registry import import_object
from windtunnel.training.checkpoint import load_weights, save_weights
from windtunnel.training.environment import process_settings
from windtunnel.training.model_card import CardFacts, describe_model
from windtunnel.training.network import Classifier
from windtunnel.training.predict import Member, open_members, predict_images
from windtunnel.training.same_data import check_same_data, read_noted
from windtunnel.training.trained import WeightsChoice, load_classifier, with_tta

ExportFormat = Literal["onnx", "torch", "state_dict"]
FILE_NAMES: dict[ExportFormat, str] = {"onnx": "model.onnx", "torch": "model.pt2", "state_dict": "model.safetensors"}
OPSET = 18
_Bytes = UInt8[Tensor, "n c h w"]

_ONNX_PACKAGES = ("onnx", "onnxscript", "onnxruntime")
_CHECKED_IMAGES = 64
_TOLERANCE = 1e-3  # of a logit, absolute and relative: other kernels add in another order


@dataclass(frozen=True)
class ExportResult:
    """What was written and how it was checked.

    Args:
        files: every file, the network first.
        images: images the written network was asked about.
        largest_difference: between its logits and the run's own, over these images.
        versions: versions of the packages that wrote and checked it.
        missing: why the run's data set cannot be opened, so that it was checked on noise; empty where it can.
    """

    files: tuple[Path, ...]
    images: int
    largest_difference: float
    versions: Mapping[str, str]
    missing: str = ""


@dataclass(frozen=True)
class _Check:
    """What a written network is asked about.

    Args:
        images: some that the run was validated or trained on, or noise where its data set cannot be opened.
        validation: the run's validation part, where it has one that can be opened.
        missing: why the data set cannot be opened; empty where it can.
    """

    images: _Bytes
    validation: Part | None = None
    missing: str = ""


class BytesClassifier(nn.Module):
    """Logits from bytes: the network behind the normalisation it was trained with.

    Args:
        network: takes normalised images.
        mean: mean of each channel, pixels scaled to 0..1.
        std: standard deviation of each channel, likewise.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, *, network: nn.Module, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.network = network
        spread = torch.tensor(std, dtype=torch.float64).view(1, -1, 1, 1)
        self.register_buffer("scale", (1 / (255 * spread)).float())
        self.register_buffer("shift", (-torch.tensor(mean, dtype=torch.float64).view(1, -1, 1, 1) / spread).float())

    def forward(self, images: UInt8[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        """Return the logits of ``images``."""
        logits: Tensor = self.network(images.float() * self.scale + self.shift)
        return logits


def export(
    run: Path | str,
    *,
    format: ExportFormat,
    out: Path,
    weights: WeightsChoice = "result",
    runs_dir: Path | None = None,
) -> ExportResult:
    """Write the network of ``run`` and ``model_card.md`` into the folder ``out``.

    ``onnx`` and ``torch`` take uint8 images (batch, channels, height, width) of any batch size and normalise them
    themselves. What was written is read back and asked about images of the run's validation part (of the training
    part where there is none, of noise where the data set is not here) before it takes its place.

    Args:
        run: run folder, its name, or ``last``.
        format: ``onnx``, ``torch`` (a torch.export program) or ``state_dict`` (safetensors and the run's config).
        out: the folder; files of an earlier export in it are replaced.
        weights: which of the weights the run kept; ``result`` those that it was tested with.
        runs_dir: where to look a name up.

    Raises:
        UsageError: no such run, ``out`` is a file, or packages for ONNX are missing.
        CheckpointError: the weights, or the note of what they were trained on, are missing or damaged.
        DataError: the data set has changed since.
        ModelError: the network cannot be written in this format.
        RunError: the written network answers differently.
    """
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out: {out} is a file; name a folder")
    _check_packages(format)
    (member,) = open_members([run], None, weights, runs_dir)
    experiment = _plain(member.experiment)
    with process_settings(experiment.runtime):
        classifier = load_classifier(member.folder, experiment, member.weights)
        check = _find_check(member.folder.path, experiment, classifier.spec)
        out.mkdir(parents=True, exist_ok=True)
        path = out / FILE_NAMES[format]
        with replacing(path) as temporary:
            difference = _WRITERS[format](temporary, classifier, check.images)
            facts = _gather_facts(member, classifier, check, format=format, path=temporary, difference=difference)
            card = describe_model(facts)
        files = (path, *_write_texts(out, card, member.experiment if format == "state_dict" else None))
    return ExportResult(files, len(check.images), difference, facts.versions, check.missing)


def _find_check(run: Path, experiment: Experiment, spec: DatasetSpec) -> _Check:
    """Return images of the run's own, or noise where its data set cannot be opened.

    Raises:
        DataError: the data set can be opened and has changed since.
    """
    try:
        data = open_data(experiment.data)
    except DataError as error:
        noise = torch.Generator().manual_seed(0)
        shape = (_CHECKED_IMAGES, spec.channels, *spec.image_size)
        return _Check(torch.randint(256, shape, generator=noise, dtype=torch.uint8), missing=str(error))
    check_same_data(run, data)
    held = (data.validation or data.train).head(_CHECKED_IMAGES)
    return _Check(held.images.contiguous(), data.validation)


def _write_texts(out: Path, card: str, config: Experiment | None) -> tuple[Path, ...]:
    texts = {"config.yaml": dump_yaml(config)} if config is not None else {}
    for name, text in {**texts, "model_card.md": card}.items():
        write_text(out / name, text)
    return tuple(out / name for name in (*texts, "model_card.md"))


def _plain(experiment: Experiment) -> Experiment:
    """Return the experiment as float32 on the CPU, uncompiled and with one view: what any machine can run."""
    plain = {
        "device": "cpu",
        "precision": "float32",
        "low_precision_weights": False,
        "channels_last": False,
        "compile": "off",
        "convolution": "direct",
        "cuda_graph": False,
    }
    runtime = experiment.runtime.model_copy(update=plain)
    return with_tta(experiment, "none").model_copy(update={"runtime": runtime, "budget": None})


def _check_packages(format: ExportFormat) -> None:
    missing = [name for name in _ONNX_PACKAGES if format == "onnx" and importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(f"--format onnx needs {', '.join(missing)}: pip install 'windtunnel[onnx]'")


def _write_onnx(path: Path, classifier: Classifier, images: _Bytes) -> float:
    with _exporting("onnx"):
        traced = _trace(classifier, images)
        # from the traced program: given the module, the exporter would fall back to a fixed batch size in silence
        program = torch.onnx.export(
            traced,
            (),
            input_names=["images"],
            output_names=["logits"],
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
        assert program is not None
        program.save(path)
        session = import_object("onnxruntime:InferenceSession")(str(path), providers=["CPUExecutionProvider"])
        answers = _ask(images, lambda batch: torch.from_numpy(session.run(None, {"images": batch.numpy()})[0]))
    return _check(answers, predict_images(classifier, images))


def _write_program(path: Path, classifier: Classifier, images: _Bytes) -> float:
    with _exporting("torch"):
        with path.open("wb") as file:
            torch.export.save(_trace(classifier, images), file)
        with path.open("rb") as file:
            loaded = torch.export.load(file).module()
        answers = _ask(images, loaded)
    return _check(answers, predict_images(classifier, images))


def _trace(classifier: Classifier, images: _Bytes) -> torch.export.ExportedProgram:
    """Return the network behind its normalisation as a program of any batch size."""
    network = BytesClassifier(network=classifier.model, mean=classifier.mean, std=classifier.std).eval()
    shapes = {"images": {0: torch.export.Dim("batch")}}
    return torch.export.export(network, (images[:2],), dynamic_shapes=shapes)


def _ask(images: _Bytes, ask: Callable[[Tensor], Tensor]) -> Float[Tensor, "n k"]:
    """Return the answers to the images in batches of 1, of 7 and of the rest."""
    return torch.cat([ask(batch) for batch in images.tensor_split((1, 8)) if len(batch)])


def _write_weights(path: Path, classifier: Classifier, images: _Bytes) -> float:
    expected = predict_images(classifier, images)
    save_weights(path, classifier.model)
    with torch.no_grad():
        for parameter in classifier.model.parameters():
            parameter.zero_()
    load_weights(path, classifier.model)
    return _check(predict_images(classifier, images), expected)


_WRITERS: dict[ExportFormat, Callable[[Path, Classifier, _Bytes], float]] = {
    "onnx": _write_onnx,
    "torch": _write_program,
    "state_dict": _write_weights,
}


@contextmanager
def _exporting(format: ExportFormat) -> Iterator[None]:
    """Turn whatever an exporter raises into one error, and keep torch's warnings about its own code to itself."""
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            yield
    except Exception as error:  # tracing runs the model's own code, which may raise anything
        said = str(error).strip().split("\n")[0][:200] or type(error).__name__
        raise ModelError(
            f"the network cannot be written as {format}: {said}; --format state_dict always can"
        ) from error


def _check(answered: Float[Tensor, "n k"], expected: Float[Tensor, "n k"]) -> float:
    difference = (answered - expected).abs()
    if not bool((difference <= _TOLERANCE * (1 + expected.abs())).all()):
        raise RunError(
            f"the written network answers differently: logits are off by up to {difference.max().item():.3g}; nothing "
            "was left. Try another format, or another torch version"
        )
    return difference.max().item()


def _gather_facts(
    member: Member,
    classifier: Classifier,
    check: _Check,
    *,
    format: ExportFormat,
    path: Path,
    difference: float,
) -> CardFacts:
    accuracy = None
    if check.validation is not None:
        answers = predict_images(classifier, check.validation.images).argmax(1)
        accuracy = (answers == check.validation.labels).double().mean().item()
    packages = ("torch", "windtunnel", *(_ONNX_PACKAGES if format == "onnx" else ()))
    noted = read_noted(member.folder.path)
    return CardFacts(
        run=member.folder.path,
        experiment=member.experiment,
        format=format,
        file=FILE_NAMES[format],
        size=path.stat().st_size,
        sha256=_digest(path),
        weights=member.weights,
        parameters=sum(parameter.numel() for parameter in classifier.model.parameters()),
        spec=noted.spec,
        mean=noted.mean,
        std=noted.std,
        digest=noted.digest,
        split_digests=noted.splits,
        counts=noted.images,
        validation_accuracy=accuracy,
        checked=len(check.images),
        on_noise=bool(check.missing),
        difference=difference,
        opset=OPSET if format == "onnx" else None,
        versions={name: importlib.metadata.version(name) for name in packages},
    )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
