"""``windtunnel recipes``: what can be trained by name."""

from windtunnel.cli.options import AsJson
from windtunnel.cli.tables import print_table


def recipes(as_json: AsJson = False) -> None:
    """List the recipes.

    Examples:
      windtunnel recipes
      windtunnel recipes --json
    """
    from windtunnel.recipes import list_recipes

    rows = [{"recipe": name, "about": about} for name, about in list_recipes().items()]
    print_table(rows, as_json=as_json)
