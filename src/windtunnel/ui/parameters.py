"""What a request asks for, read from its query; what does not fit is told by name."""

from starlette.requests import Request

from windtunnel.errors import UsageError

MOST_IDS = 500
_MOST_DIGITS = 20


class BadParameterError(UsageError):
    """A parameter of a request is missing or cannot be used."""


def one_text(request: Request, name: str) -> str:
    """Return a parameter that has to be given once.

    Raises:
        BadParameterError: it is missing, empty or given more than once.
    """
    values = request.query_params.getlist(name)
    if len(values) != 1 or not values[0]:
        raise BadParameterError(f"{name}: give it once, not {len(values)} times")
    return values[0]


def many_texts(request: Request, name: str) -> list[str]:
    """Return a parameter that is given once or more.

    Raises:
        BadParameterError: it is missing, or given more than 500 times.
    """
    values = request.query_params.getlist(name)
    if not 1 <= len(values) <= MOST_IDS:
        raise BadParameterError(f"{name}: give it 1 to {MOST_IDS} times, not {len(values)} times")
    return values


def one_count(request: Request, name: str, default: int, *, most: int) -> int:
    """Return a whole number from 0 to ``most``, or ``default`` when it is not given.

    Raises:
        BadParameterError: it is something else.
    """
    text = request.query_params.get(name)
    return default if text is None else _count(name, text, most)


def counts_beside(request: Request, name: str, number: int, *, most: int = 10**9) -> list[int]:
    """Return a whole number for each of ``number`` ids; zeros when none are given.

    Raises:
        BadParameterError: there are more or fewer, or one is no such number.
    """
    texts = texts_beside(request, name, number)
    return [_count(name, text, most) if text else 0 for text in texts]


def texts_beside(request: Request, name: str, number: int) -> list[str]:
    """Return a text for each of ``number`` ids; empty ones when none are given.

    Raises:
        BadParameterError: there are more or fewer.
    """
    texts = request.query_params.getlist(name)
    if texts and len(texts) != number:
        raise BadParameterError(f"{name}: give it as often as id, {number} times, not {len(texts)} times")
    return texts or [""] * number


def _count(name: str, text: str, most: int) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > _MOST_DIGITS or int(text) > most:
        raise BadParameterError(f"{name}: {text[:80]!r} is no whole number from 0 to {most}")
    return int(text)
