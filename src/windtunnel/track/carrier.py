"""The process that holds a tracker's package: ``python -m windtunnel.track.carrier TARGET``.

It reads one JSON object a line from standard input and answers on standard output with ``{"note": ...}`` or
``{"failed": ...}``. Whatever else is printed here, by whichever package, goes to standard error.
"""

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from windtunnel.core.secrets import hide_secrets, print_failure
from windtunnel.registry import import_object
from windtunnel.track.sinks.base import RunStart, Sink

Say = Callable[[str, str], None]


def main() -> None:
    """Carry events from standard input to the sink whose import path is the only argument."""
    os.nice(10)  # training comes first
    say = _claim_output()
    try:
        carry(sys.stdin, import_object(sys.argv[1])(), say)
    except Exception as error:  # a package may raise whatever it likes
        print_failure()
        say("failed", _describe(error))
        sys.exit(1)


def carry(lines: Iterable[str], sink: Sink, say: Say) -> None:
    """Hand the event of every whole line to ``sink``; a failure after the start is said and the next handed over."""
    open_run = False
    for line in lines:
        if not line.endswith("\n"):  # the run's process was killed within a line
            break
        event = json.loads(line)
        try:
            _hand_over(event, sink, say)
        except Exception as error:  # a package may raise whatever it likes
            if event["event"] == "start":
                raise
            print_failure()
            say("failed", _describe(error))
        open_run = event["event"] != "finish"
    if open_run:  # the run's process was killed
        sink.finish("crashed", {}, {})


def _hand_over(event: Mapping[str, Any], sink: Sink, say: Say) -> None:
    told = {key: value for key, value in event.items() if key != "event"}
    if event["event"] == "start":
        folder, record = Path(told.pop("folder")), Path(told.pop("record"))
        say("note", sink.start(RunStart(folder=folder, record=record, **told)))
    elif event["event"] == "epoch":
        sink.epoch(**told)
    elif event["event"] == "picture":
        sink.picture(told["name"], Path(told["path"]))
    else:
        sink.finish(**told)


def _claim_output() -> Say:
    """Keep standard output for answers and send what is printed to standard error."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def say(kind: str, text: str) -> None:
        answers.write(json.dumps({kind: hide_secrets(text)}) + "\n")
        answers.flush()

    return say


def _describe(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


if __name__ == "__main__":
    main()
