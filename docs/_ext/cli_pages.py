"""The page of all verbs, from the command line's own definitions."""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import typer.main

from windtunnel.cli.main import VERBS, build_app

_KINDS = {int: "NUMBER", float: "NUMBER", Path: "PATH"}
_HEAD = """# Commands

Written from the command line's own definitions when this page was built; `windtunnel VERB --help` says the same.

Exit codes: 0 done, 1 the run failed, 2 something asked for is wrong (nothing was computed), 130 Ctrl-C, 143 SIGTERM
(state saved first). `windtunnel sweep` ends with 3 when some of its runs failed.
"""


def render() -> str:
    """Return the page as Markdown."""
    sections = [section for verb in VERBS for section in _sections(verb.name)]
    return "\n".join([_HEAD, *sections])


def commands(verb: str) -> Iterator[tuple[str, Any]]:
    """Yield every command below ``verb`` with the words that call it."""
    top = typer.main.get_command(build_app(verb))
    yield from _walk(f"windtunnel {verb}", top.commands[verb])


def _walk(words: str, command: Any) -> Iterator[tuple[str, Any]]:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield words, command
        return
    for name, child in inner.items():
        yield from _walk(f"{words} {name}", child)


def _sections(verb: str) -> Iterator[str]:
    for words, command in commands(verb):
        arguments = [each for each in command.params if each.param_type_name == "argument"]
        options = [each for each in command.params if each.param_type_name == "option" and each.name != "help"]
        types = {name: each.annotation for name, each in inspect.signature(command.callback).parameters.items()}
        named = [(f"`{each.metavar or each.name.upper()}`", _text(each), "") for each in arguments]
        spelled = [(_spelling(each, types[each.name]), _text(each), _default(each)) for each in options]
        yield "\n".join(
            [
                f"## {words}\n",
                *_describe(command.help or ""),
                *_table("argument", named),
                *_table("option", spelled),
            ]
        )


def _describe(help_text: str) -> Iterator[str]:
    """Turn a verb's help into Markdown: its examples become a block of commands."""
    for block in help_text.split("\n\n"):
        lines = block.replace("\b\n", "").splitlines()
        if lines and lines[0].strip() == "Examples:":
            yield "\n".join(["```sh", *(line.strip() for line in lines[1:]), "```\n"])
        else:
            yield " ".join(line.strip() for line in lines) + "\n"


def _table(kind: str, rows: list[tuple[str, str, str]]) -> list[str]:
    if not rows:
        return []
    return [f"| {kind} | what | default |", "|---|---|---|", *("| " + " | ".join(row) + " |" for row in rows), ""]


def _spelling(option: Any, annotation: Any) -> str:
    names = ", ".join(f"`{name}`" for name in [*option.opts, *option.secondary_opts])
    return names if option.is_flag else f"{names} `{option.metavar or _metavar(annotation)}`"


def _metavar(annotation: Any) -> str:
    """Return what stands for a value of this type: its choices, or what it is."""
    kind = annotation
    while get_origin(kind) is not None and get_origin(kind) is not Literal:
        kind = next(part for part in get_args(kind) if part is not type(None))
    return "/".join(map(str, get_args(kind))) if get_origin(kind) is Literal else _KINDS.get(kind, "TEXT")


def _text(parameter: Any) -> str:
    return " ".join((parameter.help or "").split()).replace("|", "\\|")


def _default(option: Any) -> str:
    told = isinstance(option.default, str | int | float | Path) and option.default is not False
    return f"`{option.default}`" if told else ""
