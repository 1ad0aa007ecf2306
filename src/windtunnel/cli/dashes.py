"""``--lr 0.1`` where ``optim.lr=0.1`` is meant: the habit of other tools, answered with the field."""

from collections.abc import Callable, Collection, Sequence
from inspect import signature


def explain_dashes(function: Callable[..., object], words: Sequence[str]) -> str:
    """Return what a verb that takes FIELD=VALUE says about settings that were written as options, ``""`` if none were.

    Args:
        function: the verb.
        words: all words of the command line.
    """
    options = signature(function).parameters
    if "overrides" not in options or not any(word.startswith("--") for word in words):
        return ""
    from windtunnel.config.experiment import Experiment
    from windtunnel.config.problems import find_field
    from windtunnel.recipes import load_recipe

    tree = load_recipe("quickstart").model_dump(mode="json")
    meant = rewrite_options(words, lambda name: find_field(Experiment, tree, name), options)
    if not meant:
        return ""
    return f"windtunnel: settings have no dashes; write {' '.join(meant)} (`windtunnel show RECIPE` lists all of them)"


def rewrite_options(words: Sequence[str], find: Callable[[str], str], options: Collection[str]) -> list[str]:
    """Return the settings that words such as ``--lr 0.1`` stand for.

    Args:
        words: of the command line.
        find: gives the dotted path of the field of a name, ``""`` where there is none.
        options: names of the options that exist; what is one of them, or near one, is no setting.

    >>> rewrite_options(["mine.yaml", "--lr", "0.1", "--Batch-size=64", "--seed", "1"],
    ...                 {"lr": "optim.lr", "batch_size": "data.batch_size"}.__getitem__, ["seed"])
    ['optim.lr=0.1', 'data.batch_size=64']
    """
    meant = []
    for word, following in zip(words, [*words[1:], "--"], strict=True):
        name, given, value = word.removeprefix("--").partition("=")
        name = name.replace("-", "_").lower()
        field = find(name) if word.startswith("--") and not _is_option(name, options) else ""
        if field:
            meant.append(f"{field}={value if given else 'VALUE' if following.startswith('--') else following}")
    return meant


def _is_option(name: str, options: Collection[str]) -> bool:
    from windtunnel.registry import suggest

    return name in options or bool(suggest(name, options))
