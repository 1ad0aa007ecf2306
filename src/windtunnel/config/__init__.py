"""Typed, frozen configs: the truth about an experiment. Never imports torch."""
