"""Writes the golden files anew: ``python -m windtunnel.recipes.golden``."""

from windtunnel.config.files import dump_yaml
from windtunnel.recipes import list_recipes, list_sweeps, load_recipe, load_sweep_recipe
from windtunnel.recipes.golden import golden_path

for name in list_recipes():
    golden_path(name).write_text(dump_yaml(load_recipe(name)), encoding="utf-8")
for name in list_sweeps():
    golden_path(name).write_text(dump_yaml(load_sweep_recipe(name)), encoding="utf-8")
