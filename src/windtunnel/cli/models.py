"""``windtunnel models``: what can be built by name, and what it costs."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import typer

from windtunnel.cli.options import AsJson
from windtunnel.cli.tables import print_table
from windtunnel.errors import UsageError

_SUFFIXES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}
SortKey = Literal["name", "parameters", "macs", "accuracy"]


def models(
    max_params: Annotated[
        str | None, typer.Option("--max-params", metavar="N", help="At most N parameters, e.g. 5M or 500k.")
    ] = None,
    max_macs: Annotated[
        str | None, typer.Option("--max-macs", metavar="N", help="At most N multiply-adds an image, e.g. 100M.")
    ] = None,
    sort: Annotated[SortKey, typer.Option("--sort", help="Order of the rows.")] = "name",
    as_json: AsJson = False,
) -> None:
    """List the models: size and cost for 10 classes and 32x32 colour images.

    The accuracy is what the source reported on CIFAR-10, under its own protocol.
    Families (airbench, cnn, ...) take options; `windtunnel summary NAME` shows one model.

    Examples:
      windtunnel models
      windtunnel models --max-params 5M --sort accuracy
      windtunnel models --sort macs --json
    """
    limits = {
        key: _parse_count(text, option)
        for key, text, option in (
            ("parameters", max_params, "--max-params"),
            ("macs", max_macs, "--max-macs"),
        )
        if text is not None
    }
    rows = [row for row in _rows() if all(row[key] <= limit for key, limit in limits.items())]
    rows.sort(key=lambda row: _order(row, sort))
    print_table(rows if as_json else [_for_people(row) for row in rows], as_json=as_json)


def _rows() -> list[dict[str, Any]]:
    from windtunnel.config.models.catalogue import CARDS, FAMILIES

    defaults = {model: family for family, model in FAMILIES.items()}
    return [
        {
            "model": name,
            "parameters": card.parameters,
            "macs": card.macs,
            "accuracy": card.accuracy,
            "reported_as": card.protocol,
            "source": card.source,
            "family": defaults.get(name, ""),
        }
        for name, card in CARDS.items()
    ]


def _order(row: Mapping[str, Any], sort: SortKey) -> Any:
    if sort == "name":
        return row["model"]
    if sort == "accuracy":  # best first, unknown last
        return -(row["accuracy"] or 0), row["model"]
    return row[sort], row["model"]


def _for_people(row: Mapping[str, Any]) -> dict[str, Any]:
    reported = f"{row['accuracy']:.2f}" if row["accuracy"] is not None else ""
    return {
        "model": row["model"],
        "parameters": row["parameters"],
        "MMACs": round(row["macs"] / 1e6, 1),
        "reported %": reported,
        "of": row["reported_as"],
        "source": row["source"],
        "default of": row["family"],
    }


def _parse_count(text: str, option: str) -> int:
    found = re.fullmatch(r"([0-9][0-9_]*(?:\.[0-9]+)?)([kKmMgG]?)", text.strip())
    if found is None:
        raise UsageError(f"{option}: {text!r} is not a count; write 5_000_000, 5M or 500k")
    return int(float(found[1].replace("_", "")) * _SUFFIXES[found[2].lower()])
