"""Pictures, tables and pages, drawn from run folders alone, without torch.

Each picture is a matplotlib figure in one look: colours told apart with any colour vision, axes with units.

- :func:`plot_curves`, :func:`plot_schedule`, :func:`plot_throughput`: one run or several over epochs
- :func:`plot_confusion`, :func:`plot_reliability`, :func:`plot_shift`: an evaluation
- :func:`plot_comparison`: accuracy against time of two or more designs
- :func:`plot_parallel`, :func:`plot_timeline`: a sweep's settings, and its devices
- :func:`load_run`: a run folder as plain values

>>> import windtunnel.report
>>> "plot_curves" in dir(windtunnel.report)
True
"""

from importlib import import_module
from typing import Any

# Public name -> where it lives; imported on first use, since matplotlib takes a while.
_PUBLIC = {
    "plot_curves": "windtunnel.report.pictures",
    "plot_schedule": "windtunnel.report.pictures",
    "plot_throughput": "windtunnel.report.pictures",
    "plot_confusion": "windtunnel.report.pictures",
    "plot_reliability": "windtunnel.report.pictures",
    "plot_shift": "windtunnel.report.pictures",
    "plot_comparison": "windtunnel.report.pictures",
    "plot_parallel": "windtunnel.report.pictures",
    # drawn from a dispatcher's journal, which this package is below: looked up there when asked for
    "plot_timeline": "windtunnel.publish.timeline",
    "Run": "windtunnel.report.load",
    "load_run": "windtunnel.report.load",
}

__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'windtunnel.report' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return __all__
