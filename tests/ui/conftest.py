import pytest

from catalog.folders import make_run


@pytest.fixture
def runs(tmp_path):
    """A runs folder with one run."""
    make_run(tmp_path / "runs/p/one")
    return tmp_path / "runs"


@pytest.fixture
def serve():
    """Serve a folder until the test is over."""
    pytest.importorskip("starlette", reason="the live page is the extra ui")
    pytest.importorskip("uvicorn", reason="the live page is the extra ui")
    from ui.pages import Page

    pages = []

    def start(root, **options):
        pages.append(Page(root, **options))
        return pages[-1]

    yield start
    for page in pages:
        if page.thread.is_alive():
            page.close()


@pytest.fixture
def page(serve, runs):
    return serve(runs)
