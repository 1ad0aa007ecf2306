"""S2, the pipeline report: its grid of 32 runs on CIFAR-100, its longer run, and its pretrained one.

The pretrained run needs ImageNet weights. It is made where windtunnel has them already; fetching them is left to the
command that says so, since nothing here may wait for a network.
"""

from windtunnel.config.experiment import Experiment
from windtunnel.models.hub import RESNET18
from windtunnel.recipes import load_recipe, load_sweep_recipe
from windtunnel.reproduction.narrowing import narrow_network
from windtunnel.reproduction.s2_figures import EXTENDED, PRETRAINED, list_settings
from windtunnel.reproduction.s2_tables import present_s2
from windtunnel.reproduction.types import Limits, Report, ReportRun
from windtunnel.sweeps.definition import build_definition
from windtunnel.sweeps.space import list_grid


def build_runs() -> list[ReportRun]:
    """Return the grid's runs in its order, the longer one, and the pretrained one where its weights are at hand."""
    runs = [ReportRun(run, experiment, test_passes=0) for run, experiment in build_grid().items()]
    runs.append(ReportRun(EXTENDED.name, load_recipe("cifar100/s2_extended"), test_passes=0))
    if RESNET18.local_path().is_file():
        runs.append(ReportRun(PRETRAINED.name, load_recipe("cifar100/s2_pretrained"), test_passes=0, optional=True))
    return runs


def build_grid() -> dict[str, Experiment]:
    """Return the bundled sweep's experiments by the ids of S2's settings, which are in the same order."""
    definition = build_definition(load_sweep_recipe("cifar100/s2_sweep"))
    points = list_grid(definition.config.space)
    return {
        setting.id: definition.experiment(choices, seed=0, name=setting.id)
        for setting, choices in zip(list_settings(), points, strict=True)
    }


REPORT = Report(
    "S2",
    "A pipeline and its grid of 32 runs on CIFAR-100",
    build_runs,
    present_s2,
    Limits(least_epochs=16, least_images=3000, widths=(0.5, 0.25), narrow=narrow_network),
)
