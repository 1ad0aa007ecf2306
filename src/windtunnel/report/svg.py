"""Figures as SVG inside a page: no ids that collide, no styles that leak, colours that follow the page."""

import io
import re

from markupsafe import Markup
from matplotlib.figure import Figure

from windtunnel.report.theme import PAGE_COLOURS, house_style

_POINTS_PER_INCH = 72
_PIXELS_PER_INCH = 96
_LEAST_SCALE, _MOST_SCALE = 0.75, 1.3
_WIDE_PIXELS = 560  # pictures that are wider than this by themselves are not blown up

_TAG = re.compile(r"<[^>]+>")
_LONG_NUMBER = re.compile(r"-?\d+\.\d{3,}")
_ID = re.compile(r' id="([^"]*)"')
_REFERENCE = re.compile(r'(url\(#|href="#)([^)"]+)')
_FONT = re.compile(r"font-family: [^;\"]*")
_COLOUR = re.compile(r"#[0-9a-f]{6}\b")
# the preamble, drawing programs' metadata, comments (which repeat texts) and a style that would apply to the whole page
_NOISE = re.compile(r"<metadata>.*?</metadata>|<!--.*?-->|<style.*?</style>|<defs>\s*</defs>", re.DOTALL)


def draw_svg(figure: Figure, key: str, *, label: str, follows_theme: bool) -> Markup:
    """Return ``figure`` as an SVG element for a page.

    Args:
        figure: what is drawn.
        key: letters and digits that no other figure of the page has; begins each of its ids.
        label: what it shows, for those who cannot see it.
        follows_theme: whether black, white and the house colours become the page's own (``PAGE_COLOURS``).
    """
    buffer = io.StringIO()
    with house_style():
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, transparent=follows_theme)
    text = buffer.getvalue()
    body = _NOISE.sub("", text[text.index(">", text.index("<svg")) + 1 :])
    body = _rename_ids(body, key)
    body = _TAG.sub(lambda tag: _simplify(tag[0], follows_theme=follows_theme), body)
    return Markup("{}{}").format(_open(figure, label), Markup(re.sub(r">\s+<", "><", body)))


def _open(figure: Figure, label: str) -> Markup:
    """Return the opening tag: text is never drawn so small that it cannot be read, nor blown up."""
    width, height = figure.get_size_inches()
    natural = _PIXELS_PER_INCH * width
    return Markup(
        '<svg role="img" aria-label="{}" viewBox="0 0 {} {}" preserveAspectRatio="xMinYMid" '
        'style="min-width: {:.0f}px; max-width: {:.0f}px">'
    ).format(
        label,
        round(_POINTS_PER_INCH * width, 2),
        round(_POINTS_PER_INCH * height, 2),
        _LEAST_SCALE * natural,
        min(_MOST_SCALE * natural, max(natural, _WIDE_PIXELS)),
    )


def _rename_ids(body: str, key: str) -> str:
    """Drop ids that nothing refers to and begin the others with ``key``."""
    body = body.replace("xlink:href", "href")
    used = {name for _, name in _REFERENCE.findall(body)}
    body = _ID.sub(lambda found: f' id="{key}-{found[1]}"' if found[1] in used else "", body)
    return _REFERENCE.sub(lambda found: f"{found[1]}{key}-{found[2]}", body)


def _simplify(tag: str, *, follows_theme: bool) -> str:
    if "base64" in tag:
        return tag
    tag = _LONG_NUMBER.sub(lambda number: f"{float(number[0]):.2f}".rstrip("0").rstrip("."), tag)
    tag = _FONT.sub("font-family: var(--drawing-font, sans-serif)", tag)
    if not follows_theme:
        return tag
    return _COLOUR.sub(lambda colour: PAGE_COLOURS.get(colour[0], colour[0]), tag)
