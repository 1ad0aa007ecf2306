"""S0, "Effects of Model Architecture and Data Augmentation on CIFAR-10 Performance": its 40 networks, packed.

Every cell of its tables is one run. The Hard2 column, which lies between its neighbours in difficulty, is what a short
budget leaves out first, so that each of the nine tables keeps its Easy and its hardest column.

The report's batches of 256 give a few thousand images only a few updates an epoch. Where a budget cuts that far,
smaller ones at the same rate teach more: ``windtunnel reproduce S0 --budget 45 data.batch_size=64``.
"""

from windtunnel.recipes.s0 import build_s0
from windtunnel.reproduction.narrowing import narrow_network
from windtunnel.reproduction.s0_figures import list_cells
from windtunnel.reproduction.s0_files import write_s0_files
from windtunnel.reproduction.s0_tables import present_s0
from windtunnel.reproduction.types import Limits, Report, ReportRun


def build_runs() -> list[ReportRun]:
    """Return a run for each cell of S0's tables, in their order."""
    return [
        ReportRun(cell.id, build_s0(cell.model, cell.policy), optional=cell.policy == "hard2") for cell in list_cells()
    ]


REPORT = Report(
    "S0",
    "Architectures and augmentation on CIFAR-10",
    build_runs,
    present_s0,
    Limits(least_epochs=8, least_images=2000, widths=(0.5,), narrow=narrow_network),
    finish=write_s0_files,
)
