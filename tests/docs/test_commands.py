"""Every `windtunnel ...` that the pages tell a reader to type: verb, options, recipes, fields and values exist."""

import re

import pytest
import typer.main

from docs.fences import ROOT, pages, prose, read_fences
from docs.shell import parse_commands
from windtunnel.cli.main import VERBS, build_app
from windtunnel.errors import UsageError
from windtunnel.recipes import load_experiment
from windtunnel.sweeps.definition import is_sweep_reference, load_definition

# Words that stand for something of the reader's.
PLACEHOLDER = re.compile(r"[A-Z][A-Z0-9_]*")
OPTIONAL_PART = re.compile(r"\[.*|\.\.\.\]?")
VERB_NAMES = {verb.name for verb in VERBS}
# Stands for files that only the page shows, so that what is laid over them can be checked.
STAND_IN, SWEEP_STAND_IN = "cifar10/cnn", "quickstart_sweep"


def _in_blocks():
    for path in pages():
        for fence in read_fences(path):
            is_run = "guides" in path.parts and "not run" not in fence.remarks  # by test_guides
            if fence.language in ("sh", "bash", "console", "") and not is_run:
                for command in parse_lenient(fence.text):
                    yield fence.place, command.words


def _in_passing():
    for path in pages():
        for text in re.findall(r"`(windtunnel [^`]+)`", prose(path)):
            for command in parse_lenient(" ".join(text.split())):
                yield str(path.relative_to(ROOT)), command.words


def parse_lenient(text):
    """Return the commands of the lines that begin with ours; what is no shell at all has none."""
    kept = re.findall(r"^(?:[A-Z_]+=\S+ |srun )*windtunnel .*(?:\\\n.*)*", text, flags=re.MULTILINE)
    return [command for line in kept for command in parse_commands(line) if command.is_ours]


def _cases(found):
    return [pytest.param(words, id=f"{place} {' '.join(words)}") for place, words in sorted(set(found))]


def _find(words):
    """Return the command that ``words`` call, and the words behind its name."""
    command, name, values = typer.main.get_command(build_app(words[0])), "windtunnel", list(words)
    while hasattr(command, "commands"):
        context = command.make_context(name, values)
        name, command, values = command.resolve_command(context, [*context._protected_args, *context.args])
    return command, values


def _parse(words):
    """Return the name of the command and the values it would be called with."""
    command, values = _find(words)
    return command.name, command.make_context(command.name, values).params


COMMANDS = _cases(_in_blocks())
MENTIONS = _cases(_in_passing())


@pytest.mark.parametrize("words", COMMANDS)
def test_a_documented_command_can_be_typed(words):
    given = [word for word in words[1:] if not OPTIONAL_PART.fullmatch(word)]
    assert given[0] in VERB_NAMES or given[0] == "--version"
    if "--help" in given or len(words) == 2:
        return
    verb, values = _parse(given)
    _check_settings(given[0], verb, values)


@pytest.mark.parametrize("words", MENTIONS)
def test_a_command_named_in_passing_exists_and_has_its_options(words):
    if words[1].startswith("-"):
        assert words[1] in ("--help", "--version")
        return
    assert words[1] in VERB_NAMES | {"VERB", "..."}
    options = [word.partition("=")[0] for word in words[2:] if word.startswith("--") and word != "--help"]
    if options:
        command, _ = _find([word for word in words[1:] if not word.startswith("-")])
        assert set(options) <= {spelling for each in command.params for spelling in [*each.opts, *each.secondary_opts]}


def _check_settings(group, verb, values):
    if group in ("train", "show", "estimate"):
        _load(values["reference"], values.get("overrides") or [])
    elif group == "compare" or (group, verb) == ("bench", "time-to"):
        words = values["references"]
        for reference in (word for word in words if "=" not in word):
            _load(reference, [word for word in words if "=" in word])
    elif (group, verb) == ("sweep", "run"):
        _load_sweep(values["reference"], values.get("overrides") or [])


def _load(reference, overrides):
    """Check a recipe, or what stands in for the reader's own file, with its overrides."""
    own = PLACEHOLDER.fullmatch(reference) or reference.endswith((".yaml", ".yml"))
    given = [word for word in overrides if "=" in word and not PLACEHOLDER.fullmatch(word.partition("=")[2])]
    if not own and is_sweep_reference(reference):
        _load_sweep(reference, given)
    else:
        load_experiment(STAND_IN if own else reference, given)


def _load_sweep(reference, overrides):
    own = PLACEHOLDER.fullmatch(reference) or reference.endswith((".yaml", ".yml")) or reference.startswith("runs/")
    load_definition(SWEEP_STAND_IN if own else reference, overrides)


def test_commands_are_found():
    assert len(COMMANDS) > 30
    assert len(MENTIONS) > 20


@pytest.mark.parametrize(
    "line",
    [
        "windtunnel train cifar10/airbench94 optim.momentumm=0.9",
        "windtunnel train cifar10/no_such_recipe",
        "windtunnel sweep quickstart_sweep space.optim.lr=fast",
    ],
)
def test_a_wrong_setting_is_noticed(line):
    (command,) = parse_commands(line)
    with pytest.raises(UsageError):
        _check_settings(command.words[1], *_parse(command.words[1:]))


@pytest.mark.parametrize("line", ["windtunnel train quickstart --sed 1", "windtunnel sweep results"])
def test_a_wrong_option_is_noticed(line):
    (command,) = parse_commands(line)
    with pytest.raises(Exception, match=r"(?i)no such option|missing"):
        _parse(command.words[1:])
