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
from windtunnel.data.part import Part
from windtunnel.errors import ModelError, RunError, UsageError
from windtunnel.registry import import_object
from windtunnel.training.assemble import Parts
from windtunnel.training.checkpoint import load_weights, save_weights
from windtunnel.training.environment import process_settings
from windtunnel.training.model_card import CardFacts, describe_model
from windtunnel.training.predict import Member, open_members, predict_images
from windtunnel.training.trained import WeightsChoice, load_trained, with_tta

ExportFormat = Literal["onnx", "torch", "state_dict"]
FILE_NAMES: dict[ExportFormat, str] = {"onnx": "model.onnx", "torch": "model.pt2", "state_dict": "model.safetensors"}
OPSET = 18

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
    """

    files: tuple[Path, ...]
    images: int
    largest_difference: float
    versions: Mapping[str, str]


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
    part where there is none) before it takes its place.

    Args:
        run: run folder, its name, or ``last``.
        format: ``onnx``, ``torch`` (a torch.export program) or ``state_dict`` (safetensors and the run's config).
        out: the folder; files of an earlier export in it are replaced.
        weights: which of the weights the run kept; ``result`` those that it was tested with.
        runs_dir: where to look a name up.

    Raises:
        UsageError: no such run, ``out`` is a file, or packages for ONNX are missing.
        CheckpointError: the weights are missing or damaged.
        ModelError: the network cannot be written in this format.
        RunError: the written network answers differently.
    """
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out: {out} is a file; name a folder")
    _check_packages(format)
    (member,) = open_members([run], None, weights, runs_dir)
    experiment = _plain(member.experiment)
    with process_settings(experiment.runtime):
        parts = load_trained(member.folder, experiment, member.weights)
        out.mkdir(parents=True, exist_ok=True)
        path = out / FILE_NAMES[format]
        held = (parts.data.validation or parts.data.train).head(_CHECKED_IMAGES)
        with replacing(path) as temporary:
            difference = _WRITERS[format](temporary, parts, held)
            facts = _gather_facts(
                member, parts, format=format, path=temporary, checked=len(held), difference=difference
            )
            card = describe_model(facts)
        files = (path, *_write_texts(out, card, member.experiment if format == "state_dict" else None))
    return ExportResult(files, len(held), difference, facts.versions)


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


def _write_onnx(path: Path, parts: Parts, held: Part) -> float:
    with _exporting("onnx"):
        traced = _trace(parts, held)
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
        answers = _ask(held, lambda images: torch.from_numpy(session.run(None, {"images": images.numpy()})[0]))
    return _check(answers, predict_images(parts.classifier, held.images))


def _write_program(path: Path, parts: Parts, held: Part) -> float:
    with _exporting("torch"):
        with path.open("wb") as file:
            torch.export.save(_trace(parts, held), file)
        with path.open("rb") as file:
            loaded = torch.export.load(file).module()
        answers = _ask(held, loaded)
    return _check(answers, predict_images(parts.classifier, held.images))


def _trace(parts: Parts, held: Part) -> torch.export.ExportedProgram:
    """Return the network behind its normalisation as a program of any batch size."""
    classifier = BytesClassifier(network=parts.model, mean=parts.data.mean, std=parts.data.std).eval()
    shapes = {"images": {0: torch.export.Dim("batch")}}
    return torch.export.export(classifier, (held.images[:2].contiguous(),), dynamic_shapes=shapes)


def _ask(held: Part, ask: Callable[[Tensor], Tensor]) -> Float[Tensor, "n k"]:
    """Return the answers to the images in batches of 1, of 7 and of the rest."""
    images = held.images.contiguous()
    return torch.cat([ask(batch) for batch in images.tensor_split((1, 8)) if len(batch)])


def _write_weights(path: Path, parts: Parts, held: Part) -> float:
    expected = predict_images(parts.classifier, held.images)
    save_weights(path, parts.model)
    with torch.no_grad():
        for parameter in parts.model.parameters():
            parameter.zero_()
    load_weights(path, parts.model)
    return _check(predict_images(parts.classifier, held.images), expected)


_WRITERS: dict[ExportFormat, Callable[[Path, Parts, Part], float]] = {
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
    parts: Parts,
    *,
    format: ExportFormat,
    path: Path,
    checked: int,
    difference: float,
) -> CardFacts:
    validation = parts.data.validation
    accuracy = None
    if validation is not None:
        answers = predict_images(parts.classifier, validation.images).argmax(1)
        accuracy = (answers == validation.labels).double().mean().item()
    packages = ("torch", "windtunnel", *(_ONNX_PACKAGES if format == "onnx" else ()))
    data = parts.data
    counts = {name: len(part) for name in ("train", "validation", "test") if (part := getattr(data, name)) is not None}
    return CardFacts(
        run=member.folder.path,
        experiment=member.experiment,
        format=format,
        file=FILE_NAMES[format],
        size=path.stat().st_size,
        sha256=_digest(path),
        weights=member.weights,
        parameters=sum(parameter.numel() for parameter in parts.model.parameters()),
        spec=data.spec,
        mean=data.mean,
        std=data.std,
        digest=data.digest,
        split_digests=data.split_digests,
        counts=counts,
        validation_accuracy=accuracy,
        checked=checked,
        difference=difference,
        opset=OPSET if format == "onnx" else None,
        versions={name: importlib.metadata.version(name) for name in packages},
    )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
