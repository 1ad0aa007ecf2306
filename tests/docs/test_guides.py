"""The guides are run: each from its first block to its last, in an empty folder, on tiny data.

Shell blocks go through the command line in this process; Python blocks share one namespace a guide; a YAML block with
`<!-- file: NAME -->` above it is written there. Further remarks: `<!-- output -->`: the block is what the one above
printed, `...` for what varies; `<!-- run with: WORDS -->`: appended to the block's commands, to keep the test short;
`<!-- fails: CODE -->`: the exit code of the last command; `<!-- not run: WHY -->`.
"""

import doctest
import os
import subprocess
import sys

import pytest

from docs.fences import ROOT, read_fences
from docs.shell import parse_commands
from windtunnel.cli.main import main

GUIDES = sorted((ROOT / "docs" / "guides").glob("*.md"))
LIKE_OUTPUT = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


class Reader:
    """Does what a guide says, and remembers what the last block printed."""

    def __init__(self, capsys, monkeypatch):
        self._capsys = capsys
        self._monkeypatch = monkeypatch
        self._names = {"__name__": "__main__"}
        self.printed = ""

    def follow(self, fence):
        """Run, write or compare one block."""
        remarks = fence.remarks
        if "not run" in remarks:
            assert remarks["not run"], f"{fence.place}: say why it is not run"
        elif "output" in remarks:
            assert doctest.OutputChecker().check_output(fence.text, self.printed, LIKE_OUTPUT), self.printed
        elif "file" in remarks:
            self._write(remarks["file"], fence.text)
        elif fence.language == "sh":
            self._type(fence)
        elif fence.language == "python":
            exec(compile(fence.text, fence.place, "exec"), self._names)
            self.printed = self._capsys.readouterr().out
        else:
            pytest.fail(f"{fence.place}: a block in {fence.language!r} needs a remark: file, output or not run")

    def _write(self, name, text):
        with open(name, "w", encoding="utf-8") as file:
            file.write(text)

    def _type(self, fence):
        commands = parse_commands(fence.text)
        more = tuple(fence.remarks.get("run with", "").split())
        codes = [self._call(command, more if command.is_ours else ()) for command in commands]
        expected = int(fence.remarks.get("fails", 0))
        assert codes == [0] * (len(codes) - 1) + [expected], f"{fence.place}: {codes}\n{self.printed}"

    def _call(self, command, more):
        for name, value in command.variables.items():
            self._monkeypatch.setenv(name, value)
        if not command.is_ours:
            return subprocess.run(command.words, check=False).returncode
        with pytest.raises(SystemExit) as ended:
            main([*command.words[1:], *more])
        printed = self._capsys.readouterr()
        self.printed = printed.out + printed.err
        if command.into:
            self._write(command.into, printed.out)
        return ended.value.code or 0


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def reader(capsys, monkeypatch, tmp_path, cache):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    for name in ("WINDTUNNEL_DATA_DIR", "WINDTUNNEL_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    before = set(sys.modules)
    yield Reader(capsys, monkeypatch)
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path) + os.sep):
            del sys.modules[name]


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.stem)
def test_the_guide_works_as_written(guide, reader):
    for fence in read_fences(guide):
        if not fence.language.startswith("{"):
            reader.follow(fence)


def test_there_are_guides():
    assert len(GUIDES) >= 11


def test_a_wrong_guide_is_noticed(reader, tmp_path):
    guide = ROOT / "tests" / "docs" / "broken.md"
    fences = read_fences(guide)
    assert len(fences) == 3
    for fence in fences:
        with pytest.raises((AssertionError, ZeroDivisionError)):
            reader.follow(fence)
