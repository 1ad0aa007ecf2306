"""Every recipe as YAML, one file each, so that a change to a recipe shows in review."""

from pathlib import Path


def golden_path(name: str) -> Path:
    """Return the golden file of the recipe ``name``."""
    return Path(__file__).parent / f"{name.replace('/', '-')}.yaml"
