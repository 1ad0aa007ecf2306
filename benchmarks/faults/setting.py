"""What both campaigns stand on: a folder, a file server, undisturbed references, and the look at a command's end."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

from examine import find_damage
from processes import TAG, Command, start, wait_until_gone
from verbs import Verb, list_verbs, write_pixels

_NEEDED = ("cli.train", "cli.sweep", "cli.compare", "cli.report", "cli.data", "publish.write", "training.run")
LONGEST_S = 900.0
GONE_S = 60.0
_BETWEEN_LOOKS_S = 0.01


@dataclass
class Setting:
    """A campaign's folder.

    Args:
        folder: where everything lies; one left by a stopped campaign is gone on with.
        port: the file server's.
        seconds: how long each command takes undisturbed.
        writing_seconds: how long of that from its first write on.
    """

    folder: Path
    port: int
    seconds: dict[str, float] = field(default_factory=dict)
    writing_seconds: dict[str, float] = field(default_factory=dict)

    def list_verbs(self) -> list[Verb]:
        """Return the commands."""
        source = self.folder / "pixels.npz"
        if not source.exists():
            write_pixels(source)
        return list_verbs(self.folder, port=self.port, source=source, run=self._find_run)

    def refer(self, verb: Verb) -> Path:
        """Return the folder of the command's undisturbed life, made on first use.

        Raises:
            SystemExit: it failed.
        """
        life = self.folder / "references" / verb.name.replace(" ", "-")
        shutil.rmtree(life, ignore_errors=True)
        said = life.with_name(f"{life.name}.txt")
        said.unlink(missing_ok=True)
        life.mkdir(parents=True)
        verb.begin(life)
        command = self.start(verb, life, said, tag=f"reference-{life.name}")
        code = wait_for_write(command, life)
        written = time.monotonic()
        code = command.wait(LONGEST_S) if code is None else code
        self.seconds[verb.name] = time.monotonic() - command.begun
        self.writing_seconds[verb.name] = time.monotonic() - written
        if code != 0:
            sys.exit(f"undisturbed, {verb.name} ended with {code}:\n{said.read_text()}")
        wait_until_gone(f"reference-{life.name}", GONE_S)
        return life

    def expect(self, verb: Verb, seconds: float) -> None:
        """Take note of how long the command takes now, undisturbed."""
        self.seconds[verb.name] = seconds
        self.writing_seconds[verb.name] = min(self.writing_seconds[verb.name], seconds)

    def begin(self, verb: Verb, name: str) -> Path:
        """Return a new life of the command, with what is there before it."""
        life = self.folder / "lives" / name
        shutil.rmtree(life.parent, ignore_errors=True)
        life.mkdir(parents=True)
        verb.begin(life)
        return life

    def start(
        self,
        verb: Verb,
        life: Path,
        said: Path,
        *,
        tag: str,
        environment: Mapping[str, str] | None = None,
        before: Callable[[], None] | None = None,
    ) -> Command:
        """Start the command that is next in the life; what it prints goes to the file ``said``."""

        def prepare() -> None:
            verb.before()
            if before is not None:
                before()

        told = {**verb.environment(life), **(environment or {}), TAG: tag}
        return start(verb.words(life), folder=life, log=said, environment=told, before=prepare)

    def _find_run(self) -> Path:
        return next((self.folder / "references" / "train").glob("runs/faults/*/config.yaml")).parent


def snapshot(life: Path) -> dict[str, tuple[int, int]]:
    """Return what lies in the folder, by size and time of writing."""
    found = {}
    for path in life.rglob("*"):
        try:
            state = path.stat()
        except FileNotFoundError:
            continue
        found[str(path)] = (state.st_size, state.st_mtime_ns)
    return found


def wait_for_write(command: Command, life: Path) -> int | None:
    """Wait until something in the folder changes; return the command's exit code if it has ended before."""
    before, code = snapshot(life), None
    while code is None and snapshot(life) == before:
        code = command.wait(_BETWEEN_LOOKS_S)
    return code


def judge_end(verb: Verb, life: Path, reference: Path, code: int | None, said: str) -> list[str]:
    """Return in words what is wrong with the end of a life."""
    if code is None:
        return ["it hung"]
    if code != 0:
        return [f"exit code {code}: {said.strip().splitlines()[-1] if said.strip() else 'it said nothing'}"]
    return [*verb.find_faults(life, reference, said), *find_damage(life)]


@contextmanager
def open_setting(folder: Path) -> Iterator[Setting]:
    """Yield the campaign's folder, with its file server up."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, str(Path(__file__).with_name("file_server.py"))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        if server.stdin is None or server.stdout is None:
            sys.exit("the file server has no pipes")
        yield Setting(folder, int(server.stdout.readline()))
        server.stdin.close()


def load_torch() -> None:
    """Import what commands need, so that their forks start at once; nothing is computed, so no threads come to be."""
    import torch

    for module in _NEEDED:
        import_module(f"windtunnel.{module}")
    torch.set_num_threads(1)
