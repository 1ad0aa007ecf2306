import inspect
import resource
import subprocess
import sys

import pytest

import windtunnel
from windtunnel.cli import main as command
from windtunnel.cli.main import VERBS, help_text
from windtunnel.errors import ConfigError, Problem, RunError


def test_help_lists_every_verb_with_its_summary(cli):
    shown = cli("--help")
    assert shown.code == 0
    width = max(len(verb.name) for verb in VERBS)
    for verb in VERBS:
        assert f"  {verb.name:<{width}}  {verb.summary}" in shown.out


def test_no_verb_shows_the_help(cli):
    assert "Commands:" in "".join([(shown := cli()).out, shown.err])


def test_version(cli):
    assert cli("--version").out == f"windtunnel {windtunnel.__version__}\n"


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_every_verb_has_help_with_an_example(cli, verb):
    shown = cli(verb.name, "--help")
    assert shown.code == 0
    assert verb.group or f"windtunnel {verb.name}" in shown.out.partition("Examples:")[2]


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb.group], ids=lambda verb: verb.name)
def test_every_verb_of_a_group_has_help_with_an_example_on_its_own_line(cli, verb):
    commands = [command.name or command.callback.__name__ for command in verb.load().registered_commands]
    assert commands
    for name in commands:
        shown = cli(verb.name, name, "--help").out
        examples = [line.strip() for line in shown.partition("Examples:")[2].splitlines()]
        assert any(line.startswith(f"windtunnel {verb.name} {name}") for line in examples), shown


@pytest.mark.parametrize("verb", [verb for verb in VERBS if not verb.group], ids=lambda verb: verb.name)
def test_the_summary_opens_the_verbs_own_help(verb):
    assert inspect.getdoc(verb.load()).startswith(verb.summary.rstrip("."))


def test_a_mistyped_verb_is_a_usage_error_with_a_near_name(cli):
    shown = cli("trian", "quickstart")
    assert shown.code == 2
    assert "train" in shown.err


def test_an_unknown_option_is_a_usage_error(cli):
    assert cli("show", "quickstart", "--jsno").code == 2


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["--lr", "0.1"], "optim.lr=0.1"),
        (["--epochs=3", "--batch-size", "64"], "train.epochs=3 data.batch_size=64"),
        (["--max_epochs", "3"], "train.epochs=3"),
        (["--device", "cpu", "-q"], "runtime.device=cpu"),
        (["--model", "lenet", "--seed", "1"], "model=lenet"),
    ],
)
def test_settings_written_as_options_are_answered_with_their_fields(cli, words, meant):
    shown = cli("train", "quickstart", *words)
    assert shown.code == 2
    assert f"settings have no dashes; write {meant} (" in shown.err


@pytest.mark.parametrize(
    "words", [["train", "quickstart", "--dryrun"], ["train", "--seed", "x"], ["eval", "--lr", "1"]]
)
def test_a_mistyped_option_is_not_taken_for_a_setting(cli, words):
    shown = cli(*words)
    assert shown.code == 2
    assert "dashes" not in shown.err


@pytest.mark.parametrize("group", [verb.name for verb in VERBS if verb.group])
def test_a_groups_help_shows_the_whole_summary_of_each_verb(cli, group):
    shown = cli(group, "--help")
    assert shown.code == 0
    assert "..." not in shown.out.partition("Commands:")[2]


@pytest.mark.parametrize(
    ("error", "code"),
    [(ConfigError("my.yaml", [Problem("optim.lr", "must be greater than 0", "-1.0")]), 2), (RunError("full disk"), 1)],
)
def test_our_errors_end_with_their_code_and_no_traceback(monkeypatch, capsys, error, code):
    def fail(_chosen):
        raise error

    monkeypatch.setattr(command, "build_app", fail)
    with pytest.raises(SystemExit) as ended:
        command.main(["show"])
    assert ended.value.code == code
    assert capsys.readouterr().err == f"windtunnel: {error}\n"


def test_any_other_error_keeps_its_traceback(monkeypatch):
    def fail(_chosen):
        raise ZeroDivisionError("ours to mend")

    monkeypatch.setattr(command, "build_app", fail)
    with pytest.raises(ZeroDivisionError):
        command.main(["show"])


def test_examples_keep_their_lines():
    def verb():
        """Do it.

        Text that
        may flow.

        Examples:
          one
          two
        """

    assert help_text(verb) == "Do it.\n\nText that\nmay flow.\n\n\b\nExamples:\n  one\n  two"


def test_help_comes_at_once_and_loads_nothing_heavy():
    program = (
        "import sys\nfrom windtunnel.cli.main import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n"
        "    print(sorted({'torch', 'numpy', 'pydantic', 'yaml', 'rich.console'} & set(sys.modules)))"
    )
    seconds = []
    for _ in range(3):
        start = _spent_by_children()
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        seconds.append(_spent_by_children() - start)
    assert done.stdout.splitlines()[-1] == "[]"
    assert min(seconds) < 1.0  # 0.3 s on an idle machine, see benchmarks/startup.py


def _spent_by_children():
    """Return the seconds of processors that ended children took: a loaded machine takes no more of those."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_ctrl_c_while_a_verb_is_imported_ends_without_a_traceback(cli, monkeypatch):
    def stop(chosen):
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "build_app", stop)
    stopped = cli("train", "quickstart")
    assert (stopped.code, stopped.out, stopped.err) == (130, "", "")
