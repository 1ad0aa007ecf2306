"""Sweeps: a space of experiments, a search over it and its journal."""
