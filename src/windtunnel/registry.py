"""Finding things by name: near names for typos and objects by import path."""

import difflib
import importlib
import importlib.util
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from windtunnel.errors import UsageError


def suggest(name: str, known: Iterable[str]) -> str:
    """Return the known name nearest to ``name``, or ``""`` when none is near.

    >>> suggest("momentumm", ["lr", "momentum"])
    'momentum'
    >>> suggest("zzz", ["lr", "momentum"])
    ''
    """
    folded = {candidate.lower(): candidate for candidate in known}
    near = difflib.get_close_matches(name.lower(), folded, n=1, cutoff=0.6)
    return folded[near[0]] if near else ""


def import_object(path: str) -> Any:
    """Return the object at ``"package.module:Name"`` or ``"folder/file.py:Name"``.

    Raises:
        UsageError: the path is malformed, the module cannot be imported or has no such name.
    """
    module_name, _, attribute = path.partition(":")
    is_file = module_name.endswith(".py")
    if not attribute or not (is_file or all(part.isidentifier() for part in module_name.split("."))):
        raise UsageError(f"{path!r} is not an import path; write 'package.module:Name' or 'file.py:Name'")
    module = _import_file(Path(module_name)) if is_file else _import_module(module_name)
    if not hasattr(module, attribute):
        near = suggest(attribute, vars(module))
        hint = f"; did you mean {near!r}?" if near else ""
        raise UsageError(f"{module_name} has no {attribute!r}{hint}")
    return getattr(module, attribute)


def _import_module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise UsageError(f"cannot import {name!r}: {error}; is it installed or on PYTHONPATH?") from error


def _import_file(path: Path) -> ModuleType:
    try:
        resolved = path.expanduser().resolve()
        exists = resolved.is_file()
    except (OSError, RuntimeError, ValueError) as error:  # too long, of a user without a home, with a zero byte
        raise UsageError(f"{str(path)!r} is no path of a file: {error}") from error
    if not exists:
        raise UsageError(f"no file {path}; give the path of a Python file relative to {Path.cwd()}")
    name = f"windtunnel_user_{resolved.stem}_{abs(hash(str(resolved))):x}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, resolved)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path} cannot be loaded as Python source")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pydantic look their module up by name
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
