"""The reports by name."""

from collections.abc import Mapping

from windtunnel.errors import UsageError
from windtunnel.registry import import_object, suggest
from windtunnel.reproduction.types import Report

# Name -> where it is built; imported on first use, since the modules import what draws.
_REPORTS: Mapping[str, str] = {
    name: f"windtunnel.reproduction.{name.lower()}:REPORT" for name in ("S0", "S1", "S2", "S3", "S4")
}


def list_reports() -> list[str]:
    """Return the reports' names."""
    return list(_REPORTS)


def load_report(name: str) -> Report:
    """Return the report called ``name``, in letters of either case.

    Raises:
        UsageError: there is none.
    """
    if name.upper() not in _REPORTS:
        near = suggest(name.upper(), _REPORTS)
        hint = f"; did you mean {near}?" if near else ";"
        raise UsageError(f"there is no report {name!r}{hint} known: {', '.join(_REPORTS)}")
    report: Report = import_object(_REPORTS[name.upper()])
    return report
