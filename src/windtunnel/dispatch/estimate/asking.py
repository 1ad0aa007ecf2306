"""Asking a child process that may import torch, and may crash, on behalf of one that may not."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import fields
from typing import Any, Literal

from windtunnel.config.experiment import Experiment
from windtunnel.dispatch.estimate.traced import Traced
from windtunnel.errors import RunError

_MODULE = "windtunnel.dispatch.estimate.child"
_LAST_LINES = 3
_LONGEST_S = 900.0


def ask_for_traces(experiments: Sequence[Experiment]) -> list[Traced | str]:
    """Return what a child process traced of each experiment, or the error in words of one that cannot be built.

    Raises:
        RunError: the child ended before it had answered all; says at which experiment.
    """
    answers = _ask("trace", [experiment.model_dump(mode="json") for experiment in experiments])
    if len(answers.lines) < len(experiments):
        name = experiments[len(answers.lines)].name
        raise RunError(f"the memory of {name} could not be estimated: the tracing process {answers.ending}")
    names = [field.name for field in fields(Traced)]
    return [
        Traced(**{name: line["traced"][name] for name in names}) if "traced" in line else str(line["error"])
        for line in answers.lines
    ]


def ask_for_context(wanted: dict[str, Any]) -> int:
    """Return the bytes a run takes besides tensors and images, measured in a child process.

    Raises:
        RunError: the child could not train its tiny network.
    """
    with tempfile.TemporaryDirectory() as cache:
        answers = _ask("context", wanted, XDG_CACHE_HOME=cache)
    if not answers.lines:
        raise RunError(f"the memory of a bare run could not be measured: the process {answers.ending}")
    return int(answers.lines[0]["bytes"])


class _Answers:
    def __init__(self, finished: subprocess.CompletedProcess[str]) -> None:
        self.lines: list[Any] = [json.loads(line) for line in finished.stdout.splitlines() if line.startswith("{")]
        code = finished.returncode
        said = "\n".join(finished.stderr.strip().splitlines()[-_LAST_LINES:])
        how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        self.ending = f"{how}{': ' if said else ''}{said}"


def _ask(question: Literal["trace", "context"], wanted: Any, **environment: str) -> _Answers:
    try:
        finished = subprocess.run(
            [sys.executable, "-m", _MODULE, question],
            input=json.dumps(wanted),
            capture_output=True,
            text=True,
            check=False,
            timeout=_LONGEST_S,
            env={**os.environ, **environment},
        )
    except subprocess.TimeoutExpired:
        raise RunError(f"estimating took more than {_LONGEST_S:g} s and was given up") from None
    return _Answers(finished)
