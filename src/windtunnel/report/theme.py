"""One look for every picture and page."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib
from matplotlib.figure import Figure

# Okabe and Ito 2008, "Color Universal Design": told apart by people with any colour vision; black comes last.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")

GREY = "#767676"  # lines that only lead the eye

# Colours of pictures -> what a page calls them, so that its dark side can have brighter ones; see templates/page.css.
PAGE_COLOURS = {
    **{shade.lower(): f"var(--series-{index}, {shade})" for index, shade in enumerate(COLOURS)},
    "#000000": "var(--ink, #000000)",
    "#ffffff": "var(--paper, #ffffff)",
    "#e4e4e4": "var(--grid, #e4e4e4)",
    "#555555": "var(--soft, #555555)",
    GREY: f"var(--soft, {GREY})",
}


def colour(index: int) -> str:
    """Return the colour of the ``index``-th series; after seven they repeat."""
    return COLOURS[index % len(COLOURS)]


class HouseFigure(Figure):
    """A figure that shows itself in a notebook, whether pyplot was ever imported there or not."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        with house_style():
            self.savefig(buffer, format="png", dpi=110)
        return buffer.getvalue()


@contextmanager
def house_style() -> Iterator[None]:
    """Draw and save pictures in the house style inside the block; the caller's settings come back after it."""
    with matplotlib.rc_context(), warnings.catch_warnings():
        # names in scripts that the font lacks are drawn as boxes; in SVG the reader's own font shows them
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        matplotlib.rcdefaults()
        matplotlib.rc("axes", grid=True, titlesize="medium", axisbelow=True)
        matplotlib.rc("axes.spines", right=False, top=False)
        matplotlib.rc("font", size=10)
        matplotlib.rc("grid", color="#e4e4e4", linewidth=0.8)
        matplotlib.rc("legend", frameon=False, fontsize="small")
        matplotlib.rc("lines", linewidth=1.8, markersize=3.5)
        # text stays text (small, searchable), and the same picture gives the same file
        matplotlib.rc("svg", fonttype="none", hashsalt="windtunnel")
        yield
