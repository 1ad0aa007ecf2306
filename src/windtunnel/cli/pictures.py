"""Where a picture that an option asks for may go."""

from collections.abc import Sequence
from pathlib import Path

from windtunnel.errors import UsageError

PICTURE_ENDINGS = (".png", ".svg", ".pdf")


def check_picture(option: str, path: Path, endings: Sequence[str] = PICTURE_ENDINGS) -> None:
    """Refuse a file that no picture can be written to.

    Args:
        option: that named it, for the message.
        path: of the picture.
        endings: that can be drawn.

    Raises:
        UsageError: another ending, or no such folder.
    """
    if path.suffix not in endings:
        raise UsageError(f"{option}: {path} does not end with {' or '.join(endings)}, which can be drawn")
    if not path.parent.is_dir():
        raise UsageError(f"{option}: there is no folder {path.parent}")
