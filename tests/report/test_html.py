import re
from html.parser import HTMLParser

from windtunnel.report.html import render_report, write_report
from windtunnel.report.load import load_run


class _Page(HTMLParser):
    """Collects what the page holds, and checks that its tags close in order."""

    void = {"meta", "path", "use", "rect", "image", "br"}

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.text, self.links = [], [], "", []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href", "xlink:href")]
        if tag not in self.void:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href", "xlink:href")]

    def handle_endtag(self, tag):
        if tag not in self.void:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def _read(text):
    page = _Page()
    page.feed(text)
    assert page.open == []
    return page


def test_the_page_is_written_beside_the_run_and_holds_its_figures(run_folder):
    path = write_report(run_folder)
    assert path == run_folder / "report.html"
    page = _read(path.read_text())
    for text in ("tiny", "finished", "43.75%", "6,298", "2.8 s", "37.50%", "seed: 3", "seed=3", "packages.torch"):
        assert text in page.text


def test_the_page_needs_nothing_but_itself(run_folder):
    page = _read(render_report(load_run(run_folder)))
    assert "script" not in page.tags and "link" not in page.tags and "img" not in page.tags
    assert "svg" in page.tags
    assert [link for link in page.links if not link.startswith("#")] == []


def test_what_the_user_wrote_is_escaped(run_folder):
    (run_folder / "config.yaml").write_text("name: tiny\nnote: <script>alert(1)</script>\n")
    (run_folder / "overrides.txt").write_text("name=<img src=x>\n")
    page = _read(render_report(load_run(run_folder)))
    assert "script" not in page.tags and "img" not in page.tags
    assert "<script>alert(1)</script>" in page.text


def test_test_accuracy_comes_first(run_folder):
    text = render_report(load_run(run_folder))
    assert re.findall(r"<dt>(.*?)</dt>", text)[0] == "test accuracy"


def test_a_run_that_crashed_before_its_first_epoch_has_a_page(tmp_path):
    (tmp_path / "config.yaml").write_text("name: new\n")
    page = _read(render_report(load_run(tmp_path)))
    assert "unfinished" in page.text
    assert "No epoch has finished." in page.text


def test_the_same_run_gives_the_same_page(run_folder):
    run = load_run(run_folder)
    assert render_report(run) == render_report(run)
