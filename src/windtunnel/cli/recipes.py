"""``windtunnel recipes``: what can be trained by name."""

from windtunnel.cli.options import AsJson
from windtunnel.cli.tables import print_table


def recipes(as_json: AsJson = False) -> None:
    """List the recipes: single experiments for `train`, sweeps of many for `sweep`.

    Examples:
      windtunnel recipes
      windtunnel recipes --json
    """
    from windtunnel.recipes import list_recipes, list_sweeps

    kinds = {"train": list_recipes(), "sweep": list_sweeps()}
    rows = [
        {"recipe": name, "for": verb, "about": about} for verb, found in kinds.items() for name, about in found.items()
    ]
    print_table(rows, as_json=as_json)
