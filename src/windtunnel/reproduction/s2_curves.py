"""S2's combined plots: accuracy and loss of all runs of a network, and of each run that the report names."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from windtunnel.report.curves import plot_curves
from windtunnel.report.document import Block, Picture
from windtunnel.report.load import Run
from windtunnel.report.theme import HouseFigure, colour, house_style
from windtunnel.reproduction.s2_figures import (
    EXTENDED,
    MODEL_NAMES,
    PRETRAINED,
    SWEEP_RUNS,
    Setting,
    list_settings,
)
from windtunnel.reproduction.types import Reproduced

_PANELS = (("val_accuracy", "validation accuracy (%)", 100.0), ("val_loss", "validation loss (nats)", 1.0))
_THIN, _THICK = 1.0, 2.2
_RATES = [("sgd", 1e-4), ("sgd", 1e-2), ("adam", 1e-4), ("adam", 1e-2)]


def draw_grid_curves(found: Reproduced) -> list[Block]:
    """Return a picture for each network: accuracy and loss of its 16 runs (Figure 1 of the report)."""
    blocks: list[Block] = []
    for model, name in MODEL_NAMES.items():
        runs = {each: found.runs[each.id] for each in list_settings() if each.model == model and each.id in found.runs}
        if runs:
            label = f"{name}: accuracy and loss of {len(runs)} runs"
            said = "a colour for each optimizer and rate, dashed without mixing, thick with a cosine schedule"
            blocks.append(Picture(f"curves-{model.replace('_', '-')}", plot_settings(runs), label, f"{label}; {said}."))
    return blocks


def draw_named_curves(found: Reproduced) -> list[Block]:
    """Return a picture for each run that the report names and that we have (its Figures 2 to 6)."""
    named = {told.name: setting.id for setting, told in SWEEP_RUNS.items()}
    named |= {told.name: told.name for told in (EXTENDED, PRETRAINED)}
    there = {name: found.runs[run] for name, run in named.items() if run in found.runs}
    return [
        Picture(f"curves-{name}", plot_curves([run]), f"{name}: loss, accuracy and learning rate over epochs")
        for name, run in there.items()
    ]


def plot_settings(runs: Mapping[Setting, Run]) -> Figure:
    """Draw validation accuracy and loss over epochs, a line for each run.

    Args:
        runs: points of the grid and their runs.
    """
    with house_style():
        figure = HouseFigure(figsize=(9.6, 4.4), layout="constrained")
        for axes, (field, label, scale) in zip(figure.subplots(1, 2), _PANELS, strict=True):
            for setting, run in runs.items():
                _draw_run(axes, setting, run, field, scale)
            axes.set(xlabel="epoch", ylabel=label)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        figure.legend(handles=_name_lines(), loc="outside lower center", ncols=4)
    return figure


def _draw_run(axes: Axes, setting: Setting, run: Run, field: str, scale: float) -> None:
    rows = [(row.epoch, value) for row in run.epochs if (value := getattr(row, field)) is not None]
    axes.plot(
        [epoch for epoch, _ in rows],
        [scale * value for _, value in rows],
        color=colour(_RATES.index((setting.optimizer, setting.lr))),
        linestyle="-" if setting.mixing else "--",
        linewidth=_THICK if setting.schedule == "cosine" else _THIN,
    )


def _name_lines() -> Sequence[Line2D]:
    rates = [
        Line2D([], [], color=colour(index), label=f"{optimizer} {lr:g}") for index, (optimizer, lr) in enumerate(_RATES)
    ]
    kinds = [
        Line2D([], [], color="black", linestyle="-", linewidth=_THIN, label="mixing, plateau"),
        Line2D([], [], color="black", linestyle="-", linewidth=_THICK, label="mixing, cosine"),
        Line2D([], [], color="black", linestyle="--", linewidth=_THIN, label="no mixing, plateau"),
        Line2D([], [], color="black", linestyle="--", linewidth=_THICK, label="no mixing, cosine"),
    ]
    return [*rates, *kinds]
