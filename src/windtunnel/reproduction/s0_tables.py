"""S0's reproduction as a page: its tables, what it concluded from them, sizes, times and pictures."""

from collections.abc import Sequence
from statistics import fmean

from windtunnel.report.curves import plot_panel
from windtunnel.report.deb_flops import REDUCTIONS, bottleneck_cost, double_encode_cost
from windtunnel.report.document import Block, Column, Paragraph, Photo, Picture, Table
from windtunnel.report.load import Run
from windtunnel.report.numbers import format_count
from windtunnel.reproduction.s0_figures import (
    BOTTLENECK_MIN,
    BOTTLENECK_MODELS,
    BRANCHES_OVER_RESIDUAL,
    NAMES,
    PARAMETERS_M,
    POLICY_NAMES,
    RESIDUAL_MIN,
    RESIDUAL_MODELS,
    TABLES,
    Cell,
    TableOf,
    list_cells,
)
from windtunnel.reproduction.s0_files import GRID_FILE, SAMPLES_FILE, Cost, read_costs
from windtunnel.reproduction.s0_packing import describe_packing
from windtunnel.reproduction.types import Beside, Chapter, Line, Measure, Reproduced

_SEEDS = 1.5  # points of accuracy that one run of 5,000 images may differ from another seed's
_ACCURACIES = (Measure("train %", _SEEDS, 1), Measure("val %", _SEEDS, 1), Measure("test %", _SEEDS, 1))
_CURVES_OF = ("cnn_430k", "res_v1", "bn4", "dbn", "hwy_v2", "bv1", "bnv2")

_TRUNK = "Pools and paddings of the trunk are a reconstruction: BN4's listing is damaged, the others' are lost."
_BRANCHES = "The branch models' layout is a reconstruction from the text alone."
_WIDTHS = "The widths are ours, chosen to meet the report's number of parameters."
_LARGEST = "The report's number of parameters is lost; 1.33 M were taken."


def present_s0(found: Reproduced) -> list[Chapter]:
    """Return the chapters of the page."""
    return [
        Chapter("Accuracy", (Paragraph(_HOW_MEASURED), *(_build_table(table, found) for table in TABLES))),
        Chapter("What the report concludes", (_build_claims(found),)),
        Chapter("Curves", tuple(_draw_curves(found))),
        Chapter("Parameters and multiply-adds", tuple(_describe_sizes(found))),
        Chapter("The double-encode bottleneck's cost", tuple(_describe_grid(found))),
        Chapter("Training time", (_build_times(found),)),
        Chapter("Packed training", tuple(describe_packing(found))),
        Chapter("Augmented samples", tuple(_show_samples(found))),
    ]


_HOW_MEASURED = (
    "As in the report, accuracy on training images, augmented as they are, and on validation images is the best of any "
    "epoch; accuracy on test images was measured once, at the end. One run each, seed 0: differences up to "
    f"{_SEEDS:g} points are what another seed may bring."
)


def best_percent(found: Reproduced, run: str, part: str) -> float | None:
    """Return the best accuracy of any epoch, percent; None without one.

    Args:
        found: the reproduction.
        run: id of the run.
        part: ``train`` or ``val``.
    """
    rows = found.runs[run].epochs if run in found.runs else ()
    values = [value for row in rows if (value := getattr(row, f"{part}_accuracy")) is not None]
    return 100 * max(values) if values else None


def _build_table(table: TableOf, found: Reproduced) -> Beside:
    lines = tuple(_build_line(cell, found) for cell in table.cells)
    caption = f"Table {table.number} of the report: {table.title}"
    return Beside(f"table-{table.number}", ("model", "augmentation"), _ACCURACIES, lines, caption)


def _build_line(cell: Cell, found: Reproduced) -> Line:
    ours = (
        best_percent(found, cell.id, "train"),
        best_percent(found, cell.id, "val"),
        found.percent(cell.id, "test_accuracy"),
    )
    labels = (NAMES[cell.model], POLICY_NAMES[cell.policy])
    return Line(labels, (cell.train, cell.validation, cell.test), ours, run=cell.id, fix=_name_fix(cell.model))


def _name_fix(model: str) -> str:
    if model == "cnn_large":
        return _LARGEST
    if model.startswith("cnn"):
        return _WIDTHS
    return _BRANCHES if model.startswith("b") and "v" in model else _TRUNK


_CLAIMS: Sequence[tuple[str, str, str]] = (
    ("Easy over no augmentation, 430k", "cnn_430k-easy", "cnn_430k-none"),
    ("Easy over no augmentation, ResV1", "res_v1-easy", "res_v1-none"),
    ("Hard3 over Easy, ResV1", "res_v1-hard3", "res_v1-easy"),
    ("smallest baseline over largest, Hard3", "cnn_130k-hard3", "cnn_large-hard3"),
    ("residual blocks over a plain convnet, no augmentation", "res_v1-none", "cnn_430k-none"),
    ("BN4 over BN8, Easy", "bn4-easy", "bn8-easy"),
    ("DBN over BN8, Easy", "dbn-easy", "bn8-easy"),
    ("HwyV1 over BN4, Hard3", "hwy_v1-hard3", "bn4-hard3"),
    ("BNV2 over ResV1, Hard3", "bnv2-hard3", "res_v1-hard3"),
    ("averaged over concatenated branches, normalised, Hard3", "bnv2-hard3", "bnv1-hard3"),
)


def _build_claims(found: Reproduced) -> Beside:
    theirs = {cell.id: cell.validation for cell in list_cells()}
    lines = []
    for claim, better, worse in _CLAIMS:
        high, low = best_percent(found, better, "val"), best_percent(found, worse, "val")
        ours = None if high is None or low is None else high - low
        missing = next((run for run in (better, worse) if run not in found.runs), "")
        lines.append(Line((claim,), (theirs[better] - theirs[worse],), (ours,), run=missing))
    measure = Measure("points of validation accuracy", 2 * _SEEDS, 1)
    return Beside("claims", ("claim",), (measure,), tuple(lines), "Differences that the report draws conclusions from")


def _draw_curves(found: Reproduced) -> list[Block]:
    residual = {policy: f"res_v1-{policy}" for policy in POLICY_NAMES}
    easy = {model: f"{model}-easy" for model in _CURVES_OF}
    return [
        *_draw(found, {POLICY_NAMES[policy]: run for policy, run in residual.items()}, "curves-res-v1", "ResV1"),
        *_draw(found, {NAMES[model]: run for model, run in easy.items()}, "curves-easy", "Easy augmentation"),
    ]


def _draw(found: Reproduced, runs: dict[str, str], name: str, what: str) -> list[Block]:
    there: dict[str, Run] = {label: found.runs[run] for label, run in runs.items() if run in found.runs}
    if not there:
        return []
    figure = plot_panel(list(there.values()), "accuracy", labels=list(there))
    label = f"{what}: accuracy over epochs, training dashed, validation solid"
    return [Picture(name, figure, label, f"{label}; one colour a run.")]


def _describe_sizes(found: Reproduced) -> list[Beside | Block]:
    costs = read_costs(found.folder)
    if not costs:
        return []
    lines = [
        Line(
            (f"{NAMES[model]}, millions of parameters",), (millions,), (costs[model]["parameters"] / 1e6,), fix=_WIDTHS
        )
        for model, millions in PARAMETERS_M.items()
    ]
    ratio = costs["bnv2"]["parameters"] / costs["res_v1"]["parameters"]
    lines.append(Line(("BNV2's parameters over ResV1's",), (BRANCHES_OVER_RESIDUAL,), (ratio,), fix=_BRANCHES))
    beside = Beside("sizes", ("figure",), (Measure("value", 0.05, 3),), tuple(lines), "Sizes that the report tells")
    return [beside, _build_costs(costs)]


def _build_costs(costs: dict[str, Cost]) -> Table:
    columns = (
        Column("model", align="left"),
        Column("parameters", format_count),
        Column("multiply-adds", format_count),
        Column("over ResV1's", "{:.2f}".format),
    )
    residual = costs["res_v1"]["macs"]
    rows = tuple(
        (NAMES[model], cost["parameters"], cost["macs"], cost["macs"] / residual) for model, cost in costs.items()
    )
    caption = "Ours, of one 32x32 image and at full width, whatever the budget. A multiply-add is two FLOPs."
    return Table("costs", columns, rows, caption=caption, for_paper=True)


def _describe_grid(found: Reproduced) -> list[Beside | Block]:
    exact = [
        Line(("Bottleneck(8)",), (25 / 64,), (float(bottleneck_cost(8)),)),
        Line(("DEB(4, 2)",), (45 / 64,), (float(double_encode_cost(4, 2)),)),
    ]
    columns = (Column("N", align="left"), *(Column(f"M = {second}", "{:.4g}".format) for second in REDUCTIONS))
    rows = tuple(
        (str(first), *(float(double_encode_cost(first, second)) for second in REDUCTIONS)) for first in REDUCTIONS
    )
    caption = "Multiply-adds of DEB(N, M) over h w c^2. The report shows such a grid as dots without figures."
    blocks: list[Beside | Block] = [
        Beside("block-costs", ("block",), (Measure("multiply-adds over h w c^2", 1e-9, 4),), tuple(exact)),
        Table("deb-grid", columns, rows, caption=caption, for_paper=True),
    ]
    picture = found.folder / GRID_FILE
    return [
        *blocks,
        *([Photo(picture, "Multiply-adds of DEB(N, M) as dots over N and M")] if picture.is_file() else []),
    ]


def _build_times(found: Reproduced) -> Beside:
    bottleneck, residual = _mean_minutes(found, BOTTLENECK_MODELS), _mean_minutes(found, RESIDUAL_MODELS)
    ratio = None if bottleneck is None or residual is None else bottleneck / residual
    fix = "Minutes belong to a machine, and runs that are packed share it."
    lines = (
        Line(
            ("bottleneck blocks (BN8, DBN, BN4)",),
            (BOTTLENECK_MIN, BOTTLENECK_MIN / RESIDUAL_MIN),
            (bottleneck, ratio),
            fix=fix,
        ),
        Line(("residual blocks (ResV1)",), (RESIDUAL_MIN, 1.0), (residual, None if residual is None else 1.0), fix=fix),
    )
    measures = (Measure("minutes a run", 1.0, 1), Measure("of the residual ones' time", 0.1, 2))
    return Beside("times", ("blocks",), measures, lines, "Average training time to completion")


def _mean_minutes(found: Reproduced, models: Sequence[str]) -> float | None:
    """Return the mean of a family's runs under the policies that all of its models were trained with."""
    spent = [
        sum(found.runs[cell.id].summary.get("seconds", {}).values()) / 60
        for cell in list_cells()
        if cell.model in models and cell.policy != "none" and cell.id in found.runs
    ]
    return fmean(spent) if spent else None


def _show_samples(found: Reproduced) -> list[Block]:
    picture = found.folder / SAMPLES_FILE
    said = "Figure 2 of the report: training images, and three draws of each under its policies."
    return [Photo(picture, said), Paragraph(said)] if picture.is_file() else []
