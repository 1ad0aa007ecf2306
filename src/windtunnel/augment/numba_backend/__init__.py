"""Runs augmentation programs on CPUs, one image after the other in a core's cache, compiled by numba."""
