"""Recipes: functions that return an Experiment, by name."""

from windtunnel.recipes.load import list_recipes, load_experiment, load_recipe

__all__ = ["list_recipes", "load_experiment", "load_recipe"]
