"""Runs of one architecture trained as one stacked network, where that is faster."""
