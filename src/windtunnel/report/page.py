"""A document as one HTML page that needs nothing else: no network, no script, fit for a screen, a phone and print."""

import base64
import itertools

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

import windtunnel
from windtunnel.report.document import Document, Photo, Picture
from windtunnel.report.svg import draw_svg


def render_page(document: Document) -> str:
    """Return the page as text; everything that comes from a run is escaped."""
    loader = PackageLoader("windtunnel.report", "templates")
    pages = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    numbers = itertools.count(1)

    def svg(picture: Picture) -> Markup:
        key = f"f{next(numbers)}"
        return draw_svg(picture.figure, key, label=picture.label, follows_theme=picture.follows_theme)

    pages.filters |= {"svg": svg, "data_uri": _to_data_uri}
    css = pages.loader.get_source(pages, "page.css")[0] if pages.loader else ""
    footer = f"Made by windtunnel {windtunnel.__version__}; this file needs no network."
    return pages.get_template("page.html").render(document=document, css=Markup(css), footer=footer).lstrip()


def _to_data_uri(photo: Photo) -> str:
    return f"data:image/png;base64,{base64.b64encode(photo.path.read_bytes()).decode()}"
