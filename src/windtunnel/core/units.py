"""Durations and sizes for people."""


def format_seconds(seconds: float) -> str:
    """Return a duration.

    >>> format_seconds(0.25), format_seconds(17), format_seconds(190), format_seconds(7500)
    ('0.25 s', '17 s', '3.2 min', '2.1 h')
    """
    if seconds < 10:
        return f"{seconds:.2g} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def format_bytes(count: float) -> str:
    """Return a size.

    >>> format_bytes(1610612736), format_bytes(367001600), format_bytes(300000)
    ('1.5 GiB', '350 MiB', '0.3 MiB')
    """
    if count >= 2**30:
        return f"{count / 2**30:.1f} GiB"
    return f"{count / 2**20:.0f} MiB" if count >= 2**20 else f"{count / 2**20:.1f} MiB"
