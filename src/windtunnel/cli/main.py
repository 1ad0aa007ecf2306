"""The ``windtunnel`` command: finds the verb, imports only that one, turns errors into exit codes."""

import errno
import inspect
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from io import TextIOWrapper
from typing import Annotated, Any

import typer

from windtunnel import __version__
from windtunnel.errors import UsageError, WindtunnelError


@dataclass(frozen=True)
class Verb:
    """One verb of the command line, in ``windtunnel.cli.<name>``.

    Args:
        name: what the user types; the function or, with ``group``, the module that holds ``app``.
        summary: its line in ``windtunnel --help``.
        group: whether it has verbs of its own.
    """

    name: str
    summary: str
    group: bool = False

    def load(self) -> Any:
        """Import and return the verb's function, or its typer app."""
        return getattr(import_module(f"windtunnel.cli.{self.name}"), "app" if self.group else self.name)


VERBS = (
    Verb("train", "Train a recipe or a YAML file."),
    Verb("resume", "Continue a run that was interrupted or killed."),
    Verb("compare", "Say whether B really beats A."),
    Verb("ablate", "Say what each of several changes does to accuracy and time."),
    Verb("reproduce", "Run a source report's experiments again, beside its figures."),
    Verb("bench", "Run the benchmarks, or time a recipe to an accuracy.", group=True),
    Verb("eval", "Measure a trained run on its validation or test images."),
    Verb("predict", "Write the classes of new images as CSV."),
    Verb("export", "Write a trained network for use elsewhere."),
    Verb("recipes", "List the recipes."),
    Verb("show", "Print an experiment's complete settings as YAML."),
    Verb("schema", "Print the JSON schema of an experiment."),
    Verb("models", "List the models."),
    Verb("summary", "Show a model's layers, parameters, multiply-adds and memory."),
    Verb("estimate", "Show how much memory and time a run will need."),
    Verb("sweep", "Run many settings of an experiment, as many at once as fit.", group=True),
    Verb("data", "List, fetch and check data sets.", group=True),
    Verb("augment", "Look at augmented images.", group=True),
    Verb("report", "Write a run, sweep or comparison as one page, or as tables.", group=True),
    Verb("ui", "Follow runs, sweeps and comparisons in the browser."),
    Verb("queue", "Look at a sweep's runs, or change their queue."),
    Verb("worker", "Pull runs of a sweep and pack them on this machine's devices."),
    Verb("doctor", "Check this machine: device, torch, data, threads."),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 ok, 1 the run failed, 2 usage or config, 130 Ctrl-C, 143 SIGTERM.

    Args:
        arguments: words after ``windtunnel``; ``None`` takes the process's own.
    """
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a class or path the terminal's encoding lacks ends no run
    words = list(sys.argv[1:] if arguments is None else arguments)
    chosen = next((word for word in words if not word.startswith("-")), None)
    try:
        build_app(chosen)(words, prog_name="windtunnel")
    except WindtunnelError as error:
        print(f"windtunnel: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:  # while a verb was being imported; within one it is the verb's own to answer
        sys.exit(128 + signal.SIGINT)
    except SystemExit as ended:
        if ended.code == UsageError.exit_code:
            _explain_usage(chosen, words)
        raise
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            print(f"windtunnel: {str(error.filename)[:80]!r}...: no file has so long a name", file=sys.stderr)
            sys.exit(2)
        _explain_disk(error)
        sys.exit(1)


def build_app(chosen: str | None) -> typer.Typer:
    """Return the app with the verb ``chosen`` imported and every other one as its line of help only."""
    app = typer.Typer(
        help="Train, compare and sweep small-image classifiers.\n\nStart with: windtunnel train quickstart",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_main_options)
    for verb in VERBS:
        _register(app, verb, imported=verb.name == chosen)
    return app


def help_text(function: Callable[..., object]) -> str:
    """Return a verb's docstring with its indented blocks marked so that their lines stay apart."""
    blocks = (inspect.getdoc(function) or "").split("\n\n")
    return "\n\n".join(f"\b\n{block}" if "\n " in block else block for block in blocks)


def _summarise(function: Callable[..., object]) -> str:
    """Return the first sentence of a verb's docstring, whole: typer would cut it off at 45 letters."""
    return " ".join((inspect.getdoc(function) or "").partition("\n\n")[0].split())


def _register(app: typer.Typer, verb: Verb, *, imported: bool) -> None:
    if not imported:
        app.command(verb.name, help=verb.summary)(_not_imported)
    elif verb.group:
        group: typer.Typer = verb.load()
        for command in group.registered_commands:
            if command.callback:
                command.help, command.short_help = help_text(command.callback), _summarise(command.callback)
        app.add_typer(group, name=verb.name, help=verb.summary, no_args_is_help=True)
    else:
        function = verb.load()
        app.command(verb.name, help=help_text(function), no_args_is_help=_has_arguments(function))(function)


def _has_arguments(function: Callable[..., object]) -> bool:
    return any(parameter.default is parameter.empty for parameter in inspect.signature(function).parameters.values())


def _not_imported() -> None:
    """Stand for a verb that was not called."""


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"windtunnel {__version__}")
        raise typer.Exit()


def _explain_usage(chosen: str | None, words: Sequence[str]) -> None:
    """Name the fields that are meant where the words hold settings in the form of options, as other tools have them."""
    from windtunnel.cli.dashes import explain_dashes

    verb = next((verb for verb in VERBS if verb.name == chosen and not verb.group), None)
    hint = explain_dashes(verb.load(), words) if verb else ""
    if hint:
        print(hint, file=sys.stderr)


def _explain_disk(error: OSError) -> None:
    """Say which file could not be written and what to do.

    Raises:
        OSError: it is no matter of the disk, so it is a fault of ours.
    """
    from windtunnel.core.files import find_remedy

    remedy = find_remedy(error)
    if remedy is None:
        raise error
    print(f"windtunnel: {error}; {remedy}, then give the same command again to go on", file=sys.stderr)


def _main_options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Train, compare and sweep small-image classifiers."""


if __name__ == "__main__":
    main()
