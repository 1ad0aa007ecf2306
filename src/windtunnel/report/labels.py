"""Names of classes and runs as pictures show them."""

_LONGEST = 16


def shorten(name: str) -> str:
    """Return ``name`` cut to the room a picture has for it.

    >>> shorten("cat"), shorten("a very long name of a class")
    ('cat', 'a very long nam…')
    """
    return plain(name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…")


def plain(name: str) -> str:
    r"""Return ``name`` so that matplotlib draws it as it is: no formulas, no name hidden for its first letter.

    >>> plain("_cost in $"), plain("cat")
    (' _cost in \\$', 'cat')
    """
    return (" " if name.startswith("_") else "") + name.replace("$", r"\$")
