"""The pages can be built without a warning and without the network, and their reference follows the code."""

import re
import subprocess
import sys

import pytest

from docs.fences import ROOT
from windtunnel.cli.main import VERBS
from windtunnel.config.experiment import Experiment
from windtunnel.config.run import TrainConfig

sys.path.insert(0, str(ROOT / "docs" / "_ext"))
import cli_pages
import config_pages
import draw_architecture

FROM_ELSEWHERE = re.compile(r"""(?:src=|<link[^>]*href=|url\(|@import\s)["']?(?:https?:)?//""")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Build the pages as `make docs` does and return the folder they are in."""
    pytest.importorskip("sphinx", reason="Sphinx is in the docs extra")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", "-d", folder / "trees"]
    built = subprocess.run([*command, ROOT / "docs", folder / "html"], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return folder / "html"


def test_every_page_is_built(site):
    pages = {path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")}
    assert len(pages) > 30
    assert [page for page in pages if not (site / page).is_file()] == []


def test_pages_load_nothing_from_elsewhere(site):
    files = [path for path in site.rglob("*") if path.suffix in (".html", ".css")]
    assert [path.name for path in files if FROM_ELSEWHERE.search(path.read_text(encoding="utf-8"))] == []


def test_the_reference_names_every_verb_and_its_options():
    text = cli_pages.render()
    assert [verb.name for verb in VERBS if f"## windtunnel {verb.name}" not in text] == []
    assert "`--seed` `NUMBER`" in text
    assert "`--split` `validation/test`" in text
    assert "windtunnel train cifar10/airbench94 --seed 3\n" in text


def test_the_reference_names_every_field_with_what_it_takes():
    pages = config_pages.render()
    for cls, page in ((Experiment, "config_experiment.md"), (TrainConfig, "config_run.md")):
        assert [name for name in cls.model_fields if f"| `{name}` |" not in pages[page]] == []
    assert "| `epochs` | number, above 0 | `10.0` |" in pages["config_run.md"]
    assert "[optimizer](config_optim.md)" in pages["config_experiment.md"]


def test_the_picture_shows_the_layers_of_today():
    assert draw_architecture.PICTURE.read_text(encoding="utf-8") == draw_architecture.draw()
    folders = {path.name for path in (ROOT / "src" / "windtunnel").iterdir() if (path / "__init__.py").is_file()}
    assert folders <= {name for layer in draw_architecture.read_layers() for name in layer}
