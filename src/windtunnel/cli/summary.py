"""``windtunnel summary``: a network's layers, parameters, multiply-adds and memory, and its block diagram."""

import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from windtunnel.cli.options import AsJson
from windtunnel.cli.pictures import check_picture
from windtunnel.cli.tables import format_table
from windtunnel.errors import UsageError
from windtunnel.registry import suggest

if TYPE_CHECKING:
    from windtunnel.models.summary import Layer, ModelSummary

_DEFAULT_SHAPE = (10, 3, 32)  # classes, channels, side: CIFAR-10's
_DIGITS_SHAPE = (10, 1, 8)


class _Subject(NamedTuple):
    title: str
    model: Any
    shape: tuple[int, int, int] | None
    batch_size: int | None


def summary(
    reference: Annotated[
        str, typer.Argument(metavar="MODEL", help="Name of a model, name of a recipe, or path of a YAML file.")
    ],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="FIELD=VALUE", help="Options of the model (dropout=0.1), or fields of a recipe."),
    ] = None,
    classes: Annotated[int | None, typer.Option(min=1, help="Classes; default 10, or the recipe's.")] = None,
    channels: Annotated[int | None, typer.Option(min=1, help="Channels; default 3, or the recipe's.")] = None,
    size: Annotated[int | None, typer.Option(min=1, help="Height and width; default 32, or the recipe's.")] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Images for the activation memory; default 256.")] = None,
    depth: Annotated[int | None, typer.Option(min=1, help="Show modules nested this deep as one row.")] = None,
    draw: Annotated[Path | None, typer.Option(metavar="OUT.svg", help="Draw the block diagram here.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show a model's layers, parameters, multiply-adds and memory.

    MACs are those of convolutions and matrix products for one image; a FLOP count is twice that.
    A recipe or YAML file gives classes, channels and size where its data set is a known one; a YAML file
    may hold nothing but `model:`.

    Examples:
      windtunnel summary slim_resnet
      windtunnel summary airbench96 widths=[64,256,256] --size 28 --channels 1 --depth 2
      windtunnel summary bnv2 --draw bnv2.svg
      windtunnel summary cifar10/airbench94 --json
    """
    from windtunnel.models.summary import summarise

    subject = _find(reference, overrides or [])
    known = subject.shape or _DEFAULT_SHAPE
    num_classes, in_channels, side = (
        given or default for given, default in zip((classes, channels, size), known, strict=True)
    )
    network = subject.model.build(num_classes=num_classes, in_channels=in_channels, image_size=(side, side))
    in_shape = (in_channels, side, side)
    found = summarise(network, in_shape=in_shape, batch_size=batch or subject.batch_size or 256, depth=depth)
    print(json.dumps(_as_tree(found, in_shape), indent=2) if as_json else _as_text(found, in_shape))
    report = getattr(network, "load_report", None)
    if report is not None and not as_json:
        print(f"Weights: {report}")
    if draw is not None:
        _draw(draw, network, in_shape, subject.title, found)


def _find(reference: str, overrides: Sequence[str]) -> _Subject:
    from windtunnel.config.files import is_yaml, read_yaml
    from windtunnel.config.models.catalogue import list_model_names
    from windtunnel.recipes import load_experiment

    is_file = is_yaml(reference)
    tree = read_yaml(Path(reference)) if is_file else None
    if isinstance(tree, dict) and set(tree) == {"model"}:
        return _model_subject(Path(reference).stem, tree, overrides)
    if not is_file and (reference in list_model_names() or ":" in reference or reference.startswith("timm/")):
        return _model_subject(reference, {"model": {"name": reference}}, overrides)
    if not is_file and not _is_recipe(reference):
        near = suggest(reference, list_model_names())
        hint = f"; did you mean {near!r}?" if near else "; `windtunnel models` and `windtunnel recipes` list them"
        raise UsageError(f"there is no model and no recipe {reference!r}{hint}")
    experiment = load_experiment(reference, overrides)
    shape = _known_shape(experiment.data.source.name)
    return _Subject(experiment.name, experiment.model, shape, experiment.data.batch_size)


def _known_shape(source: str) -> tuple[int, int, int] | None:
    """Return classes, channels and side of a named set; None for folders and files, which would have to be read."""
    from windtunnel.data.named import NAMED_SETS

    if source == "digits":
        return _DIGITS_SHAPE
    if source not in NAMED_SETS:
        return None
    spec = NAMED_SETS[source].spec
    return len(spec.class_names), spec.channels, spec.image_size[0]


def _is_recipe(reference: str) -> bool:
    from windtunnel.recipes import list_recipes

    return any(reference in (name, name.rpartition("/")[2]) for name in list_recipes())


def _model_subject(title: str, tree: dict[str, Any], overrides: Sequence[str]) -> _Subject:
    from windtunnel.config.overrides import apply_overrides
    from windtunnel.config.problems import validate_tree

    wanted = [text if text.startswith("model.") else f"model.{text}" for text in overrides]
    config = validate_tree(_only_model(), apply_overrides(tree, wanted), title)
    return _Subject(title, config.model, None, None)


def _only_model() -> Any:
    from pydantic import create_model

    from windtunnel.config.base import FrozenConfig
    from windtunnel.config.models import ModelConfig

    return create_model("OnlyModel", __base__=FrozenConfig, model=(ModelConfig, ...))


def _as_tree(found: "ModelSummary", in_shape: tuple[int, ...]) -> dict[str, Any]:
    tree = dataclasses.asdict(found)
    return {"in_shape": in_shape, **tree, "flops": found.flops, "total_mib": found.total_mib}


def _as_text(found: "ModelSummary", in_shape: tuple[int, ...]) -> str:
    totals = [
        f"Parameters: {found.parameters:,} ({found.trainable:,} trainable)",
        f"MACs: {found.macs:,} an image ({found.flops / 1e6:,.1f} MFLOPs forward)",
        f"Input size (MB): {found.input_mib:.2f}",
        f"Forward/backward pass size (MB): {found.forward_backward_mib:.2f}",
        f"Params size (MB): {found.parameters_mib:.2f}",
        f"Estimated total size (MB): {found.total_mib:.2f}",
        f"Activations kept for backward, batch of {found.batch_size} (MB): {found.activations_mib:,.1f}",
    ]
    rows = [_row(layer) for layer in found.layers]
    head = f"Input: {'x'.join(map(str, in_shape))}"
    return "\n".join([head, "", format_table(rows), "", *totals])


def _row(layer: "Layer") -> dict[str, Any]:
    return {
        "layer": layer.label,
        "name": layer.name or "(the network)",
        "output shape": "x".join(map(str, layer.out_shape)),
        "parameters": layer.parameters,
        "MACs": layer.macs,
    }


def _draw(path: Path, network: Any, in_shape: tuple[int, ...], title: str, found: "ModelSummary") -> None:
    from windtunnel.core.files import write_text
    from windtunnel.models.outline import outline
    from windtunnel.report.model_diagram import draw_diagram

    check_picture("--draw", path, (".svg",))
    heading = f"{title}: {found.parameters:,} parameters, {found.macs / 1e6:,.1f} MMACs"
    write_text(path, draw_diagram(outline(network, in_shape), title=heading))
    print(f"Drew {path}", file=sys.stderr)
