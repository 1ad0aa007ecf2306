"""The names splits go by in folders and files."""

SPLIT_NAMES = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing", "eval", "evaluation"),
}


def split_of(name: str) -> str | None:
    """Return ``train``, ``validation`` or ``test`` for a usual name of it, else None.

    >>> split_of("Val")
    'validation'
    >>> split_of("cat") is None
    True
    """
    folded = name.lower()
    return next((split for split, names in SPLIT_NAMES.items() if folded in names), None)
