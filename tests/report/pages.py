"""Reading a page as a browser does, and what has to hold for each."""

import re
from html.parser import HTMLParser

_VOID = {"meta", "path", "use", "rect", "image", "br", "img", "link", "input"}
_LOADED = {"src", "href", "xlink:href", "data", "poster", "srcset", "action"}


class Page(HTMLParser):
    """Collects what the page holds, and checks that its tags close in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.text, self.links, self.ids, self.references = [], [], "", [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self._collect(tag, attrs)
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self._collect(tag, attrs)

    def handle_endtag(self, tag):
        if tag not in _VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def _collect(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            if name in _LOADED:
                self.links.append(value)
            if name == "id":
                self.ids.append(value)
            assert not name.startswith("on"), f"{tag} has a handler: {name}={value}"
            self.references += re.findall(r"url\(([^)]*)\)", value or "")


def read_page(text):
    """Return the page, checked: nothing is loaded from elsewhere, no id comes twice, each reference leads somewhere."""
    page = Page(text)
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    assert "@import" not in text
    inner = [link for link in page.links if not link.startswith("data:image/png;base64,")] + page.references
    assert [link for link in inner if not link.startswith("#")] == []
    assert len(set(page.ids)) == len(page.ids)
    assert {link.removeprefix("#") for link in inner} <= set(page.ids)
    return page
