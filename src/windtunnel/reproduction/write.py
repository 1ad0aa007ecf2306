"""What a reproduction leaves: ``tables.md``, ``tables.csv``, ``report.html``, its pictures, ``reproduction.json``."""

import csv
import importlib.metadata
import io
import platform
import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import windtunnel
from windtunnel.core.files import write_json, write_text
from windtunnel.core.secrets import hide_in_words
from windtunnel.core.units import format_seconds
from windtunnel.errors import UsageError
from windtunnel.publish.shared import describe_environments
from windtunnel.publish.write import write_document
from windtunnel.report.document import (
    Block,
    Column,
    Document,
    Fact,
    Listing,
    Photo,
    Picture,
    Row,
    Section,
    Table,
)
from windtunnel.report.load import read_json
from windtunnel.report.numbers import format_count, format_percent
from windtunnel.report.tables import format_markdown
from windtunnel.reproduction.beside import LONG_HEADINGS, build_table, list_long
from windtunnel.reproduction.storage import worked_seconds
from windtunnel.reproduction.types import Beside, Chapter, Report, Reproduced

RECORD_FILE = "reproduction.json"
PAGE = "report.html"


def write_reproduction(report: Report, found: Reproduced, command: Sequence[str]) -> list[Path]:
    """Write everything into the reproduction's folder and return the files, ``tables.md`` first.

    Args:
        report: what was reproduced.
        found: its runs.
        command: words of the command line; empty keeps those of an earlier one.

    Raises:
        UsageError: the folder cannot be written.
    """
    chapters = list(report.present(found))
    record = _record(report, found, command)
    document = build_document(report, found, chapters, record)
    rows = [
        row
        for chapter in chapters
        for block in chapter.blocks
        if isinstance(block, Beside)
        for row in list_long(block, found)
    ]
    texts = {"tables.md": format_document(document, record), "tables.csv": _as_csv(rows)}
    try:
        for name, text in texts.items():
            write_text(found.folder / name, text)
        page = write_document(document, found.folder / PAGE, extras=frozenset({"png", "csv"}))
        write_json(found.folder / RECORD_FILE, record | {"figures": rows})
    except OSError as error:
        raise UsageError(f"cannot write {found.folder}: {error}; make room or choose another --runs-dir") from error
    return [*(found.folder / name for name in texts), *page, found.folder / RECORD_FILE]


def build_document(
    report: Report, found: Reproduced, chapters: Sequence[Chapter], record: Mapping[str, Any]
) -> Document:
    """Return the page: the report's chapters, then how its runs were made and on what."""
    folders = _run_folders(found)
    return Document(
        title=f"{report.id}: {report.title}",
        subtitle=found.plan.head,
        status="finished" if not found.troubles else "incomplete",
        reason="; ".join(f"{run} {why}" for run, why in found.troubles.items()),
        facts=tuple(_list_facts(found, record)),
        sections=(
            *(
                Section(chapter.title, tuple(_as_block(block, found) for block in chapter.blocks))
                for chapter in chapters
            ),
            Section("Runs as they were made", (_list_runs(found),)),
            Section("How to reproduce", (Listing(record["command"] or f"windtunnel reproduce {report.id}"),)),
            Section("What it ran on", tuple(describe_environments(folders))),
        ),
    )


def format_document(document: Document, record: Mapping[str, Any]) -> str:
    """Return the page as Markdown: its tables with their heads, and links to its pictures."""
    facts = "; ".join(f"{fact.label} {fact.value}" for fact in document.facts)
    lines = [
        f"# {document.title}",
        f"{document.subtitle}.",
        f"`{record['command']}`; {record['hardware']}; torch {record['torch']}; {record['date']}.",
        *([f"{facts}."] if facts else []),
        *([f"Status: {document.status}: {document.reason}."] if document.reason else []),
    ]
    for section in document.filled_sections():
        lines.append(f"## {section.title}")
        lines += [text for block in section.blocks for text in _as_markdown(block)]
    return "\n\n".join(lines) + "\n"


def _as_block(block: Beside | Block, found: Reproduced) -> Block:
    """Return the block as a page takes it; every table's head says what was cut."""
    if isinstance(block, Beside):
        return build_table(block, found)
    if isinstance(block, Table) and found.plan.head not in block.caption:
        caption = ". ".join(text.rstrip(".") for text in (block.caption, found.plan.head) if text)
        return replace(block, caption=f"{caption}.")
    return block


def _as_markdown(block: Block) -> list[str]:
    folder = Path(PAGE).stem
    if isinstance(block, Table):
        return [*([f"**{block.caption}**"] if block.caption else []), format_markdown(block)]
    if isinstance(block, Picture):
        caption = [block.caption] if block.caption else []
        return [f"![{block.label}]({folder}/{block.name}.png)", *caption]
    if isinstance(block, Row):
        return [text for picture in block.pictures for text in _as_markdown(picture)]
    if isinstance(block, Photo):
        return [f"![{block.label}]({block.path.name})"]
    return [f"```\n{block.text}\n```"] if isinstance(block, Listing) else [block.text]


def _record(report: Report, found: Reproduced, command: Sequence[str]) -> dict[str, Any]:
    """Return where, when, with what and by which command, which without words is an earlier one's."""
    before = read_json(found.folder / RECORD_FILE)
    environments = [read_json(folder / "env.json") for folder in _run_folders(found)]
    first = next((environment for environment in environments if environment), {})
    started = sorted(environment["started"] for environment in environments if environment)
    said = shlex.join(hide_in_words(command)) or before.get("command", "")
    plan = asdict(found.plan)
    return {
        "report": report.id,
        "title": report.title,
        "command": said,
        "date": started[-1][:10] if started else time.strftime("%Y-%m-%d"),
        "hardware": f"{first.get('device', platform.machine())}, {platform.platform()}",
        "torch": first.get("packages", {}).get("torch", importlib.metadata.version("torch")),
        "windtunnel": windtunnel.__version__,
        "head": found.plan.head,
        **{key: plan[key] for key in ("budget_minutes", "reductions", "overrides", "left_out", "cut")},
        "expected_seconds": found.plan.seconds,
        "worked_seconds": worked_seconds(found),
        "troubles": dict(found.troubles),
    }


def _run_folders(found: Reproduced) -> list[Path]:
    if found.comparison is not None:
        return sorted(path.parent for path in found.comparison.glob("runs/*/config.yaml"))
    return [run.folder for run in found.runs.values()]


def _list_facts(found: Reproduced, record: Mapping[str, Any]) -> list[Fact]:
    made = len(_run_folders(found))
    facts = [Fact("runs", format_count(made), f"{len(found.plan.left_out)} left out" if found.plan.left_out else "")]
    if record["worked_seconds"] is not None:
        facts.append(Fact("time", format_seconds(record["worked_seconds"])))
    if found.plan.seconds is not None:
        facts.append(Fact("expected", format_seconds(found.plan.seconds)))
    return facts


def _list_runs(found: Reproduced) -> Table:
    """Return every run with what it was, what it took and what it reached."""
    columns = (
        Column("run", align="left"),
        Column("epochs", "{:g}".format),
        Column("training images", format_count),
        Column("parameters", format_count),
        Column("seconds expected", format_count),
        Column("seconds taken", format_count),
        Column("training accuracy", format_percent),
        Column("validation accuracy", format_percent),
        Column("test accuracy", format_percent),
        Column("remark", align="left"),
    )
    return Table(
        "runs", columns, tuple(_run_row(found, run.id) for run in found.plan.runs), caption=f"{found.plan.head}."
    )


def _run_row(found: Reproduced, run: str) -> tuple[Any, ...]:
    planned = next(each for each in found.plan.runs if each.id == run)
    summary = found.runs[run].summary if run in found.runs else {}
    metrics = summary.get("metrics", {})
    seconds = summary.get("seconds")
    remark = found.troubles.get(run, "") if found.comparison is None else "by trials, see above"
    return (
        run,
        summary.get("epochs", planned.experiment.train.epochs),
        summary.get("train_images", planned.experiment.data.train_limit),
        summary.get("parameters"),
        planned.seconds,
        sum(seconds.values()) if seconds else None,
        *(metrics.get(f"{part}_accuracy") for part in ("train", "val", "test")),
        remark,
    )


def _as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, LONG_HEADINGS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()
