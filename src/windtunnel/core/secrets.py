"""Keeping passwords and keys out of what is written down: command lines, error messages, logs."""

import os
import re
import sys
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType

HIDDEN = "***"
# A shorter value is a word that may come up anywhere.
_SHORTEST = 8
_NAMES_A_SECRET = re.compile(r"key|token|secret|passw|passphrase|credential", re.IGNORECASE)
_IN_ADDRESS = re.compile(r"(?<=://)[^/?#\s'\"<>]*@")
_AFTER_NAME = re.compile(rf"^([^=\s]*(?:{_NAMES_A_SECRET.pattern})[^=\s]*)=.+$", re.IGNORECASE | re.DOTALL)


def hide_secrets(text: str, environment: Mapping[str, str] | None = None) -> str:
    """Return ``text`` without the user and password of any address in it, nor any secret of the environment.

    A variable holds a secret when its name says so: key, token, secret, password, passphrase, credential.

    Args:
        text: an error message, a log, a word of a command line.
        environment: None takes this process's.

    >>> hide_secrets("no answer from https://me:pa55@hub.example/x", {})
    'no answer from https://***@hub.example/x'
    >>> hide_secrets("key 0123456789 was refused", {"WANDB_API_KEY": "0123456789"})
    'key *** was refused'
    """
    text = _IN_ADDRESS.sub(f"{HIDDEN}@", text)
    for value in _secret_values(os.environ if environment is None else environment):
        text = text.replace(value, HIDDEN)
    return text


def hide_in_words(words: Sequence[str], environment: Mapping[str, str] | None = None) -> list[str]:
    """Return a command line without secrets, nor what follows an option or field that is named after one.

    >>> hide_in_words(["train", "--api-key", "abc", "tracker.token=abc", "optim.lr=0.1"], {})
    ['train', '--api-key', '***', 'tracker.token=***', 'optim.lr=0.1']
    """
    shown: list[str] = []
    for before, word in zip(("", *words), words, strict=False):
        named = before.startswith("-") and "=" not in before and _NAMES_A_SECRET.search(before) is not None
        shown.append(HIDDEN if named else _AFTER_NAME.sub(rf"\1={HIDDEN}", hide_secrets(word, environment)))
    return shown


def print_failure() -> None:
    """Write the exception being handled, with its traceback, to standard error, without secrets.

    Standard error may be a file on the disk that is full: what it does not take is lost, and raises nothing more.
    """
    with suppress(OSError):
        sys.stderr.write(hide_secrets(traceback.format_exc()))
        sys.stderr.flush()


def hide_in_tracebacks() -> None:
    """Let this process print the exception that ends it without secrets: what it prints is kept in a file."""

    def tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        sys.stderr.write(hide_secrets("".join(traceback.format_exception(kind, error, trace))))

    sys.excepthook = tell


def _secret_values(environment: Mapping[str, str]) -> list[str]:
    """Return the values to hide, the longest first, since one may hold another."""
    values = {value for name, value in environment.items() if _NAMES_A_SECRET.search(name)}
    return sorted((value for value in values if len(value) >= _SHORTEST), key=len, reverse=True)
