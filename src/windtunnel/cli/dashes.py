"""``--lr 0.1`` where ``optim.lr=0.1`` is meant: the habit of other tools, answered with the field."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from inspect import signature
from typing import Any


def explain_dashes(function: Callable[..., object], words: Sequence[str]) -> str:
    """Return what a verb that takes FIELD=VALUE says about settings that were written as options, ``""`` if none were.

    Args:
        function: the verb.
        words: all words of the command line.
    """
    options = signature(function).parameters
    if "overrides" not in options or not any(word.startswith("--") for word in words):
        return ""
    from windtunnel.recipes import load_recipe

    fields = sorted(_list_fields(load_recipe("quickstart").model_dump(mode="json")), key=lambda path: path.count("."))
    meant = rewrite_options(words, {path.rpartition(".")[2]: path for path in reversed(fields)}, options)
    if not meant:
        return ""
    return f"windtunnel: settings have no dashes; write {' '.join(meant)} (`windtunnel show RECIPE` lists all of them)"


def rewrite_options(words: Sequence[str], fields: Mapping[str, str], options: Collection[str]) -> list[str]:
    """Return the settings that words such as ``--lr 0.1`` stand for.

    Args:
        words: of the command line.
        fields: dotted path of each field's last name.
        options: names of the options that exist; what is one of them, or near one, is no setting.

    >>> rewrite_options(["mine.yaml", "--lr", "0.1", "--Batch-size=64", "--seed", "1"],
    ...                 {"lr": "optim.lr", "batch_size": "data.batch_size", "seed": "seed"}, ["seed"])
    ['optim.lr=0.1', 'data.batch_size=64']
    """
    meant = []
    for word, following in zip(words, [*words[1:], "--"], strict=True):
        name, given, value = word.removeprefix("--").partition("=")
        field = _find_field(name.replace("-", "_").lower(), fields, options) if word.startswith("--") else ""
        if field:
            meant.append(f"{field}={value if given else 'VALUE' if following.startswith('--') else following}")
    return meant


def _find_field(name: str, fields: Mapping[str, str], options: Collection[str]) -> str:
    from windtunnel.registry import suggest

    if name in options:
        return ""
    if name not in fields and suggest(name, options):
        return ""
    return fields.get(name) or fields.get(suggest(name, fields), "")


def _list_fields(tree: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in tree.items():
        yield f"{prefix}{name}"
        if isinstance(value, Mapping):
            yield from _list_fields(value, f"{prefix}{name}.")
