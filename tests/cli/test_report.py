import importlib.util
import json
from pathlib import Path

import pytest

from report.pages import read_page

_MAKER = Path(__file__).parents[2] / "benchmarks" / "_made_runs.py"


@pytest.fixture
def comparison(tmp_path):
    spec = importlib.util.spec_from_file_location("made_runs", _MAKER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.make_comparison(tmp_path / "runs", trials=2)


def test_a_page_is_written_into_the_folder_and_its_path_printed(cli, comparison):
    done = cli("report", "made")
    assert (done.code, done.out.strip()) == (0, str(Path("runs") / "comparisons" / comparison.name / "report.html"))
    assert "Verdict" in read_page((comparison / "report.html").read_text()).text


def test_pictures_and_tables_are_listed(cli, comparison, tmp_path):
    done = cli("report", str(comparison), "--out", str(tmp_path / "page.html"), "--png", "--csv", "--json")
    listed = json.loads(done.out)
    assert listed["page"] == str(tmp_path / "page.html")
    assert {Path(path).suffix for path in listed["files"]} == {".png", ".csv"}
    assert all(Path(path).parent == tmp_path / "page" for path in listed["files"])


@pytest.mark.parametrize(("option", "begins"), [("--markdown", "| design |"), ("--latex", "\\begin{tabular}")])
def test_tables_are_printed_and_nothing_is_written(cli, comparison, option, begins):
    done = cli("report", "last", option)
    assert done.code == 0
    assert done.out.startswith(begins)
    assert not (comparison / "report.html").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("made", "--markdown", "--latex"), "choose one"),
        (("made", "--markdown", "--png"), "leave out --out"),
        (("made", "--out", "a.txt"), "does not end with .html"),
        (("made", "--out", "nowhere/a.html"), "there is no folder nowhere"),
        (("maed",), "did you mean 'made'"),
    ],
)
def test_bad_wishes_are_refused_before_anything_is_written(cli, comparison, words, said):
    done = cli("report", *words)
    assert done.code == 2
    assert said in done.err
    assert not (comparison / "report.html").exists()


def test_pictures_that_need_no_run_are_still_drawn(cli, tmp_path):
    assert cli("report", "deb-flops").code == 0
    assert (tmp_path / "deb-flops.svg").read_text().startswith("<?xml")
