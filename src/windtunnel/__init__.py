"""Train, compare and sweep small-image classifiers: fast, reproducible, side by side.

>>> import windtunnel
>>> windtunnel.load_recipe("quickstart").data.source.name
'digits'
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# Public name -> where it lives; imported on first use so that ``import windtunnel`` stays fast.
_PUBLIC = {
    "Experiment": "windtunnel.config.experiment",
    "load_recipe": "windtunnel.recipes",
    "list_recipes": "windtunnel.recipes",
    "load_experiment": "windtunnel.recipes",
    "train": "windtunnel.training.run",
    "resume": "windtunnel.training.run",
    "evaluate": "windtunnel.training.inspect",
    "predict": "windtunnel.training.predict",
    "evaluate_shift": "windtunnel.training.shift",
    "export": "windtunnel.training.export",
    "RunResult": "windtunnel.training.run",
    "compare": "windtunnel.comparison.run",
    "ComparisonResult": "windtunnel.comparison.run",
    "Rules": "windtunnel.comparison.contest",
    "sweep": "windtunnel.sweeps.run",
    "SweepConfig": "windtunnel.config.sweep",
    "SweepResult": "windtunnel.sweeps.run",
    "NotebookProgress": "windtunnel.publish.notebook",
}

__all__ = sorted([*_PUBLIC, "__version__"])


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'windtunnel' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return __all__
