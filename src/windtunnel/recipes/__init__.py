"""Recipes: functions that return an Experiment, or a sweep of many, by name."""

from windtunnel.recipes.load import list_recipes, list_sweeps, load_experiment, load_recipe, load_sweep_recipe

__all__ = ["list_recipes", "list_sweeps", "load_experiment", "load_recipe", "load_sweep_recipe"]
