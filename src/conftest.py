"""Which modules are searched for examples in docstrings: those that have one.

Importing the others only to find none would take every test process several seconds.
"""

from pathlib import Path


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out a module without an example; None lets others decide."""
    if collection_path.suffix == ".py" and ">>> " not in collection_path.read_text(encoding="utf-8"):
        return True
    return None
