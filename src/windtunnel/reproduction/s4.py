"""S4: a slim ResNet under 5 M parameters, CutMix, five views, a CSV of answers."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from windtunnel.config.evaluate import EvaluateConfig
from windtunnel.core.reports import EpochReport
from windtunnel.recipes import load_recipe
from windtunnel.report.confusion import plot_confusion
from windtunnel.report.curves import Panel
from windtunnel.report.document import Block, Column, Paragraph, Picture, Table
from windtunnel.report.load import read_json
from windtunnel.report.numbers import format_count
from windtunnel.reproduction.s3 import draw_curves
from windtunnel.reproduction.types import (
    Beside,
    Chapter,
    Explanation,
    Limits,
    Line,
    Measure,
    Report,
    ReportRun,
    Reproduced,
)

_RUN = "slim_resnet"
_PASSES = 5.0  # one plain, four for the five views
_SEEDS = 0.5  # points that another seed may bring
_PANELS: tuple[tuple[str, Panel, str], ...] = (
    ("loss", "loss", "Loss over epochs (its figure 1)"),
    ("accuracy", "accuracy", "Accuracy over epochs (its figure 2)"),
    ("learning-rate", "learning rate", "Learning rate over epochs: two phases"),
)

# Rows of its table 1: (layer, shape of the output, parameters).
_LAYERS = (
    ("Conv2d-1", "[32, 32, 32]", 864),
    ("BatchNorm2d-2", "[32, 32, 32]", 64),
    ("Conv2d-3", "[32, 32, 32]", 9_216),
    ("BatchNorm2d-4", "[32, 32, 32]", 64),
    ("Conv2d-5", "[32, 32, 32]", 9_216),
    ("BatchNorm2d-6", "[32, 32, 32]", 64),
    ("BasicBlock-7", "[32, 32, 32]", 0),
    ("Conv2d-8", "[32, 32, 32]", 9_216),
    ("BatchNorm2d-9", "[32, 32, 32]", 64),
    ("Linear-85", "[10]", 2_570),
)
_PARAMETERS = 4_754_218
_SIZES = (("input", 0.01), ("forward and backward", 10.16), ("parameters", 18.14), ("total", 28.31))
# Its printed second phase: (share of the phase that is done, accuracy on test images, percent, training loss).
_SECOND_PHASE = (
    (0.01, 89.47, 0.4110),
    (0.25, 91.98, 0.2104),
    (0.47, 92.67, 0.1514),
    (0.75, 94.40, 0.0817),
    (1.0, 94.65, 0.0571),
)

_SPLIT_FIX = "S4's is on CIFAR-10's test images, ours on images held out, and ours keeps CutMix."
_ACCURACY_FIX = "Ours holds 1,000 of the 50,000 images out and mixes images by CutMix in the second phase, too."
_LOSS_NOTE = (
    "A training loss below 0.1 cannot be had under CutMix, whose labels are mixed, so S4's second phase can hardly "
    "have used it; ours does, as its text says."
)
_NOT_PUBLIC = Explanation(
    "not run",
    "The competition's images are not public; windtunnel eval RUN --shift estimates beforehand what a shift costs.",
)


def build_runs() -> list[ReportRun]:
    """Return S4's only run; its test images are read by :func:`finish`, all views in one go."""
    experiment = load_recipe("cifar10/s4")
    unread = EvaluateConfig(tta=experiment.evaluate.tta, test=False)
    return [ReportRun(_RUN, experiment.model_copy(update={"evaluate": unread}), test_passes=_PASSES)]


def finish(found: Reproduced) -> None:
    """Read the test images once: figures, confusions, answers as ``predictions.csv``, and the network's layers."""
    if _RUN in found.runs:
        from windtunnel.reproduction.final_evaluation import measure_on_test  # imports torch

        measure_on_test(found.runs[_RUN].folder, found.folder)


def present(found: Reproduced) -> list[Chapter]:
    """Return S4's tables beside ours, curves, confusions, and the answers."""
    tested, layers = read_json(found.folder / "test.json"), read_json(found.folder / "layers.json")
    return [
        Chapter("Accuracy", (_compare_accuracy(tested, found), _compare_phase(found), Paragraph(_LOSS_NOTE))),
        Chapter("Curves", tuple(draw_curves(found.runs.get(_RUN), _PANELS))),
        Chapter("Network", tuple(_describe_network(layers, found))),
        Chapter("Confusions", tuple(_describe_confusions(tested))),
    ]


def _compare_accuracy(tested: Mapping[str, Any], found: Reproduced) -> Beside:
    plain, viewed = (_percent(tested.get(name)) for name in ("plain_accuracy", "accuracy"))
    trained = found.percent(_RUN, "train_accuracy")
    lines = (
        Line(("test images, one view",), (94.65,), (plain,), _RUN, _ACCURACY_FIX),
        Line(("test images, five views averaged",), (None,), (viewed,), _RUN),
        Line(("training images as augmented",), (None,), (trained,), _RUN),
        Line(("the competition's images, five views",), (85.38,), (None,), _RUN, why=_NOT_PUBLIC),
    )
    caption = "S4's accuracies, percent; the test images of ours were read once, at the end"
    return Beside("accuracy", ("on",), (Measure("accuracy %", _SEEDS),), lines, caption)


def _compare_phase(found: Reproduced) -> Beside:
    """Return the second phase as S4 prints it, ours at the same shares of it."""
    epochs = found.runs[_RUN].epochs if _RUN in found.runs else ()
    lines = []
    for share, accuracy, loss in _SECOND_PHASE:
        row = _find_epoch(epochs, 0.5 + share / 2)
        ours = (_percent(row.val_accuracy), row.train_loss) if row else (None, None)
        lines.append(Line((f"{share:.0%} of phase two",), (accuracy, loss), ours, _RUN, _SPLIT_FIX))
    measures = (Measure("accuracy %", _SEEDS), Measure("training loss", 0.05, decimals=4))
    return Beside("second-phase", ("when",), measures, tuple(lines), "S4's second phase, figures 3 and 4")


def _find_epoch(epochs: Sequence[EpochReport], share: float) -> EpochReport | None:
    """Return the first epoch at whose end ``share`` of the training is done."""
    return epochs[math.ceil(share * len(epochs) - 1e-9) - 1] if epochs else None


def _describe_network(layers: Mapping[str, Any], found: Reproduced) -> list[Beside | Block]:
    if not layers:
        return [Paragraph("There is no finished run whose network could be listed.")]
    known = {layer["label"]: layer for layer in layers["layers"]}
    lines = [
        Line((label, shape, _shape(known.get(label))), (count,), (_count(known.get(label)),), _RUN)
        for label, shape, count in _LAYERS
    ]
    sizes = {
        "input": layers["input_mib"],
        "forward and backward": layers["forward_backward_mib"],
        "parameters": layers["parameters_mib"],
    }
    sizes["total"] = sum(sizes.values())
    megabytes = [Line((name,), (theirs,), (sizes[name],), _RUN) for name, theirs in _SIZES]
    total = Line(("all layers", "", ""), (_PARAMETERS,), (layers["parameters"],), _RUN)
    return [
        Beside(
            "layers",
            ("layer", "output, report", "output, ours"),
            (Measure("parameters", 0, decimals=0),),
            (*lines, total),
            "S4's table 1, the rows it prints",
        ),
        Beside("sizes", ("size",), (Measure("MB", 0.005),), tuple(megabytes), "S4's sizes of one image's pass"),
        _list_layers(layers),
    ]


def _list_layers(layers: Mapping[str, Any]) -> Table:
    columns = (Column("layer", align="left"), Column("output", align="left"), Column("parameters", format_count))
    rows = tuple((layer["label"], _shape(layer), layer["parameters"]) for layer in layers["layers"])
    return Table("all-layers", columns, rows, caption="Every layer of ours")


def _describe_confusions(tested: Mapping[str, Any]) -> list[Block]:
    if not tested:
        return [Paragraph("There is no finished run that could be tested.")]
    title = f"{tested['images']:,} test images, {tested['accuracy']:.2%} right"
    figure = plot_confusion(tested["confusion"], tested["classes"], title=title)
    return [
        Picture("confusion", figure, "Confusion matrix of the test images (its figure 5)", follows_theme=False),
        _list_pairs(tested["pairs"]),
        Paragraph(
            "S4 names deer and horse, and cat and dog, as its worst pairs. predictions.csv in this folder holds the "
            "answers for the test images as ID,Labels; for a competition's own images: windtunnel predict RUN --images "
            "FOLDER --header ID,Labels."
        ),
    ]


def _list_pairs(pairs: Sequence[Mapping[str, Any]]) -> Table:
    columns = (
        Column("class", align="left"),
        Column("other", align="left"),
        Column("taken for the other"),
        Column("the other way round"),
        Column("named by S4", align="left"),
    )
    named = ({"cat", "dog"}, {"deer", "horse"})
    rows = tuple((*pair.values(), "yes" if {pair["first"], pair["second"]} in named else "") for pair in pairs)
    return Table("worst-pairs", columns, rows, caption="Classes that ours takes for each other, images", for_paper=True)


def _percent(fraction: float | None) -> float | None:
    return None if fraction is None else 100 * fraction


def _shape(layer: Mapping[str, Any] | None) -> str:
    return "" if layer is None else f"[{', '.join(map(str, layer['out_shape']))}]"


def _count(layer: Mapping[str, Any] | None) -> int | None:
    return None if layer is None else int(layer["parameters"])


REPORT = Report(
    id="S4",
    title="Slim ResNet under 5 M parameters, CutMix, five views",
    build_runs=build_runs,
    present=present,
    limits=Limits(least_epochs=10, least_images=3000, validation_images=1000),
    finish=finish,
)
