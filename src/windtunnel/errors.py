"""Errors a user can cause, each with the exit code the command line ends with."""

from dataclasses import dataclass


class WindtunnelError(Exception):
    """Base of every error windtunnel raises on purpose; the message says what to do."""

    exit_code = 1


class UsageError(WindtunnelError):
    """Something the user asked for cannot be done; nothing was computed."""

    exit_code = 2


@dataclass(frozen=True)
class Problem:
    """One fault in a config.

    Args:
        path: dotted path of the field, e.g. ``optim.lr``.
        message: what is wrong and what is allowed.
        value: the offending value as text, or ``""`` when there is none.
        hint: a near name to try instead, or ``""``.
    """

    path: str
    message: str
    value: str = ""
    hint: str = ""

    def __str__(self) -> str:
        shown = f" (got {self.value})" if self.value else ""
        hint = f"; did you mean {self.hint!r}?" if self.hint else ""
        return f"{self.path or '<top level>'}: {self.message}{shown}{hint}"


class ConfigError(UsageError):
    """A config that does not validate; carries every problem at once.

    >>> print(ConfigError("my.yaml", [Problem("optim.lr", "must be greater than 0", "-1.0")]))
    my.yaml: 1 problem
      optim.lr: must be greater than 0 (got -1.0)
    """

    def __init__(self, source: str, problems: list[Problem]) -> None:
        self.source = source
        self.problems = tuple(problems)
        count = f"{len(problems)} problem{'s' if len(problems) != 1 else ''}"
        super().__init__("\n".join([f"{source}: {count}", *(f"  {problem}" for problem in problems)]))


class DataError(UsageError):
    """A data set that is missing, damaged or does not fit the request."""


class ModelError(UsageError):
    """A network that cannot be built for the given images and classes."""


class CheckpointError(UsageError):
    """A run folder or weights file that cannot be read back."""


class RunError(WindtunnelError):
    """A run that started and could not finish."""
