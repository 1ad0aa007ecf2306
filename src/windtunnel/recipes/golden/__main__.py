"""Writes the golden files anew: ``python -m windtunnel.recipes.golden``."""

from windtunnel.config.files import dump_yaml
from windtunnel.recipes import list_recipes, load_recipe
from windtunnel.recipes.golden import golden_path

for name in list_recipes():
    golden_path(name).write_text(dump_yaml(load_recipe(name)), encoding="utf-8")
