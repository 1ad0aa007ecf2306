"""What S0 reports: its nine tables, and the figures in its text."""

from collections.abc import Sequence
from typing import NamedTuple


class Cell(NamedTuple):
    """One trained network of S0's tables.

    Args:
        model: name of our model preset.
        policy: name of our augmentation policy.
        train: accuracy on augmented training images, percent, the best of any epoch.
        validation: likewise on validation images.
        test: likewise on test images, at the end; None where the report could not save the network.
    """

    model: str
    policy: str
    train: float
    validation: float
    test: float | None

    @property
    def id(self) -> str:
        """Return the id of its run."""
        return f"{self.model}-{self.policy}"


class TableOf(NamedTuple):
    """One of S0's tables.

    Args:
        number: in the report.
        title: as the report has it.
        cells: its columns, left to right.
    """

    number: int
    title: str
    cells: tuple[Cell, ...]


NAMES = {
    "cnn_130k": "130k",
    "cnn_large": "largest baseline",
    "cnn_430k": "430k",
    "res_v1": "ResV1",
    "bn8": "BN8",
    "dbn": "DBN",
    "bn4": "BN4",
    "hwy_v1": "HwyV1",
    "hwy_v2": "HwyV2",
    "bv1": "BV1",
    "bv2": "BV2",
    "bnv1": "BNV1",
    "bnv2": "BNV2",
}
POLICY_NAMES = {"none": "None", "easy": "Easy", "hard2": "Hard2", "hard3": "Hard3"}


def _cells(model: str, **columns: tuple[float, float, float | None]) -> tuple[Cell, ...]:
    return tuple(Cell(model, policy, *figures) for policy, figures in columns.items())


TABLES: Sequence[TableOf] = (
    TableOf(
        1,
        "Results from baseline models",
        (
            *_cells("cnn_130k", none=(99.9, 81.0, 80.4), easy=(88.6, 83.5, 82.6), hard3=(65.8, 72.8, 72.9)),
            *_cells("cnn_large", none=(99.9, 80.9, 80.5), easy=(97.4, 83.4, 82.4), hard3=(65.6, 70.7, 70.8)),
        ),
    ),
    TableOf(
        2,
        "Results from best baseline model",
        _cells("cnn_430k", none=(99.9, 81.8, 82.1), easy=(94.5, 84.9, 82.9), hard3=(73.4, 78.7, 78.9)),
    ),
    TableOf(
        3,
        "Results from residual models",
        _cells(
            "res_v1",
            none=(99.9, 87.7, 88.4),
            easy=(98.0, 90.4, 89.5),
            hard2=(93.1, 89.5, 88.8),
            hard3=(81.6, 84.2, 84.4),
        ),
    ),
    TableOf(
        4,
        "Results from bottleneck and DBN models",
        (
            *_cells("bn8", easy=(96.3, 88.9, 87.8), hard2=(75.4, 76.8, 77.5), hard3=(77.2, 82.1, 82.2)),
            *_cells("dbn", easy=(92.6, 87.4, 86.3), hard2=(75.2, 77.2, 76.9), hard3=(61.7, 68.2, 68.4)),
        ),
    ),
    TableOf(
        5,
        "Results from bottleneck model with encoding factor of 4",
        _cells("bn4", easy=(96.5, 89.4, 88.5), hard2=(86.0, 85.8, 85.1), hard3=(73.1, 76.9, 77.2)),
    ),
    TableOf(
        6,
        "Results from highway V1 models",
        _cells("hwy_v1", easy=(96.6, 89.3, 88.2), hard2=(84.7, 83.3, 84.0), hard3=(75.3, 80.3, 81.0)),
    ),
    TableOf(
        7,
        "Results from highway V2 models",
        _cells("hwy_v2", easy=(97.7, 90.0, 89.2), hard2=(94.9, 89.6, 89.1), hard3=(83.7, 84.4, 84.1)),
    ),
    TableOf(
        8,
        "Results from branch models",
        (
            *_cells("bv1", easy=(92.9, 87.9, 87.1), hard2=(84.4, 85.0, 85.3), hard3=(76.6, 82.5, 82.3)),
            *_cells("bv2", easy=(89.9, 87.3, 87.2), hard2=(84.1, 85.6, 85.0), hard3=(73.4, 79.3, 79.7)),
        ),
    ),
    TableOf(
        9,
        "Results from branch normalized models",
        (
            *_cells("bnv1", easy=(97.8, 87.4, None), hard2=(92.5, 88.7, None), hard3=(79.6, 85.2, None)),
            *_cells("bnv2", easy=(96.6, 88.6, None), hard2=(91.3, 89.5, None), hard3=(83.0, 87.7, None)),
        ),
    ),
)

# parameters as its tables name the models; the largest baseline's were lost with the table's head
PARAMETERS_M = {"cnn_130k": 0.13, "cnn_430k": 0.43}
BRANCHES_OVER_RESIDUAL = 1.0  # BNV2's parameters over ResV1's: "essentially equivalent"
BOTTLENECK_MIN, RESIDUAL_MIN = 22.6, 55.0  # "average training time to completion"
BOTTLENECK_MODELS, RESIDUAL_MODELS = ("bn8", "dbn", "bn4"), ("res_v1",)
MOST_AT_ONCE = 4  # "a cap of 3 to 4 models in training at once was set"
EPOCH_FROM_DISK_S, EPOCH_ON_DEVICE_S = 80.0, 5.0  # its smallest models; it calls the gain "40 times"


def list_cells() -> list[Cell]:
    """Return the cells of all tables, in order."""
    return [cell for table in TABLES for cell in table.cells]
