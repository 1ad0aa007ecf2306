"""Names of classes as pictures show them."""

_LONGEST = 16


def shorten(name: str) -> str:
    """Return ``name`` cut to the room a picture has for it.

    >>> shorten("cat"), shorten("a very long name of a class")
    ('cat', 'a very long nam…')
    """
    return name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"
