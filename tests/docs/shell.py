"""The lines of documented shell blocks, as words."""

import re
import shlex
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Command:
    """One command: its words, the variables set in front of it, the file its output goes to."""

    words: tuple[str, ...]
    variables: dict[str, str] = field(default_factory=dict)
    into: str | None = None

    @property
    def is_ours(self) -> bool:
        """Whether it calls windtunnel."""
        return bool(self.words) and self.words[0] == "windtunnel"


def parse_commands(text: str) -> list[Command]:
    """Return the commands of a block, comments left out; what a line sends through a pipe ends at the pipe."""
    joined = re.sub(r"\\\n\s*", " ", text)
    commands = []
    for line in joined.splitlines():
        for part in re.split(r"\s&&\s|\s\|\s|;\s", line):
            words = shlex.split(part, comments=True)
            if words:
                commands.append(_command(words))
    return commands


def _command(words: list[str]) -> Command:
    variables = {}
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        name, _, value = words.pop(0).partition("=")
        variables[name] = value
    into = words[words.index(">") + 1] if ">" in words else None
    words = words[: words.index(">")] if into else words
    if words[:1] in (["srun"], ["nohup"]):
        words = words[1:]
    return Command(tuple(word for word in words if word != "&"), variables, into)
