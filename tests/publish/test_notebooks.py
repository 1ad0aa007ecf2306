"""The notebooks of the documentation run from top to bottom, and what they show is there."""

import json
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "docs" / "notebooks").glob("*.ipynb"))


def test_there_are_notebooks():
    assert [path.stem for path in NOTEBOOKS] == ["first_run"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_without_outputs(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    assert all(not cell.get("outputs") for cell in cells)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_the_first_run_shows_itself(tmp_path):
    pytest.importorskip("ipykernel", reason="notebooks need ipykernel")
    nbclient = pytest.importorskip("nbclient", reason="notebooks need nbclient")
    nbformat = pytest.importorskip("nbformat", reason="notebooks need nbformat")
    notebook = nbformat.read(NOTEBOOKS[0], as_version=4)
    nbclient.NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [cell.get("outputs", []) for cell in notebook.cells if cell.cell_type == "code"]
    trained, evaluated, drawn, listed = shown[1:]
    assert [output.output_type for output in trained] == ["display_data", "execute_result"]
    assert "finished: all epochs trained" in trained[0].data["text/html"]
    assert "<svg" in trained[1].data["text/html"]
    assert "calibration error" in evaluated[0].data["text/html"]
    assert "image/png" in drawn[-1].data
    assert "'report.html'" in listed[0].data["text/plain"]
