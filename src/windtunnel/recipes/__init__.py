"""Recipes: functions that return an Experiment, by name."""
