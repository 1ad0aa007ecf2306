"""The run's own record: ``events.jsonl``, append-only, and ``metrics.csv``, one row an epoch."""

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from windtunnel.core.files import append_bytes, cut_torn_line, strip_nonfinite, write_text
from windtunnel.core.reports import EpochReport, RunInfo, StepDone
from windtunnel.core.steady import SteadyClock

COLUMNS = tuple(field.name for field in fields(EpochReport))


class FileTracker:
    """Writes events and metrics into a run folder.

    A resumed run repeats the epochs after its checkpoint: their old rows leave ``metrics.csv`` (those that stay are
    written anew in today's columns, for the run may have begun under an older version), and
    ``events.jsonl`` says with ``start_step`` from where its later lines count.
    """

    def __init__(self, folder: Path) -> None:
        self._events = folder / "events.jsonl"
        self._metrics = folder / "metrics.csv"
        self._clock = SteadyClock()

    def start(self, info: RunInfo) -> None:
        """Append the start event; keep the metrics rows up to the step the run goes on from."""
        rows = [row for row in read_rows(self._metrics) if int(row["step"]) <= info.start_step]
        kept = [tuple(row.get(name, "") for name in COLUMNS) for row in rows]
        write_text(self._metrics, _format_rows([COLUMNS, *kept]))
        cut_torn_line(self._events)
        self._append("resumed" if info.start_step else "start", asdict(info))

    def step(self, step: StepDone) -> None:
        """Steps are not recorded."""

    def epoch(self, report: EpochReport) -> None:
        """Append a row and an event."""
        values = asdict(report)
        row = tuple("" if value is None else value for value in values.values())
        append_bytes(self._metrics, _format_rows([row]).encode())
        self._append("epoch", values)

    def message(self, text: str) -> None:
        """Append a message event."""
        self._append("message", {"text": text})

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Append the final event."""
        self._append("finish", {"status": summary["status"], "reason": summary["reason"]})

    def _append(self, event: str, values: Mapping[str, Any]) -> None:
        line = json.dumps(strip_nonfinite({"event": event, "time": round(self._clock.now(), 3), **values}))
        append_bytes(self._events, line.encode() + b"\n")


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the complete rows of a ``metrics.csv``; a half-written last line is left out."""
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    complete = text[: text.rfind("\n") + 1]
    return [row for row in csv.DictReader(io.StringIO(complete)) if None not in row.values()]


def _format_rows(rows: list[tuple[Any, ...]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return buffer.getvalue()
