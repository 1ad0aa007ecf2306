"""What S0's reproduction draws and counts once: augmented samples, the cost of its blocks and of its networks."""

from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from windtunnel.core.files import write_json
from windtunnel.recipes.s0 import S0_MODELS, S0_POLICIES, build_s0
from windtunnel.report.deb_flops import save_deb_flops
from windtunnel.report.load import read_json
from windtunnel.reproduction.types import Reproduced

if TYPE_CHECKING:
    from windtunnel.config.data import DataConfig

SAMPLES_FILE, GRID_FILE, COSTS_FILE = "samples.png", "deb_flops.png", "costs.json"
_SIZE = (32, 32)
_IMAGES, _DRAWS = 8, 3


class Cost(TypedDict):
    """What a network costs: its parameters, and multiply-adds of one image's forward pass."""

    parameters: int
    macs: int


def write_s0_files(found: Reproduced) -> None:
    """Write the samples, the grid and the costs into the reproduction's folder."""
    draw_samples(found.plan.runs[0].experiment.data, found.folder / SAMPLES_FILE)
    save_deb_flops(found.folder / GRID_FILE)
    write_json(found.folder / COSTS_FILE, {name: count_cost(name) for name in S0_MODELS})


def read_costs(folder: Path) -> dict[str, Cost]:
    """Return what each network costs at full width; nothing before it was counted."""
    costs = read_json(folder / COSTS_FILE)
    return {name: Cost(parameters=cost["parameters"], macs=cost["macs"]) for name, cost in costs.items()}


def count_cost(name: str) -> Cost:
    """Return what one of S0's networks costs on CIFAR-10, without computing anything."""
    import torch

    from windtunnel.models.summary import count_macs

    with torch.device("meta"):
        network = build_s0(name, "none").model.build(num_classes=10, in_channels=3, image_size=_SIZE)
    parameters = sum(one.numel() for one in network.parameters())
    return Cost(parameters=parameters, macs=count_macs(network, (3, *_SIZE))[""])


def draw_samples(data: "DataConfig", path: Path) -> None:
    """Draw training images, each beside some draws of every policy (S0's Figure 2).

    Args:
        data: whose images.
        path: a ``.png`` file.
    """
    from windtunnel.augment.preview import Cell, draw_grid, preview_policy
    from windtunnel.augment.standalone import parse_policy
    from windtunnel.core.rng import derive_seed
    from windtunnel.data.open import open_data

    opened = open_data(data)
    pixels = opened.train.head(_IMAGES).images
    count = len(pixels)
    rows = [[Cell(image.permute(1, 2, 0))] for image in pixels]
    policies = [policy for policy in S0_POLICIES if policy != "none"]
    for policy in policies:
        drawn = preview_policy(
            parse_policy(policy),
            pixels,
            opened.train.labels[:count],
            ids=opened.ids["train"][:count],
            class_names=opened.spec.class_names,
            mean=opened.mean,
            seed=derive_seed(0, "augment"),
            draws=_DRAWS,
        )
        rows = [[*row, *more] for row, more in zip(rows, drawn, strict=True)]
    # drawn in place: a picture cut short by a crash is drawn again, since what is marked as done comes after it
    draw_grid(rows, groups=[("original", 1), *((policy, _DRAWS) for policy in policies)], path=path)
