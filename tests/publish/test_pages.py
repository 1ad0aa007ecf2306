import csv
import json
import statistics

import pytest

from report.pages import read_page
from windtunnel.dispatch.journal import read_journal
from windtunnel.errors import CheckpointError, UsageError
from windtunnel.publish.find import Subject
from windtunnel.publish.timeline import arrange, plot_timeline
from windtunnel.publish.write import build_document, write_document
from windtunnel.report.page import render_page
from windtunnel.report.tables import format_csv, format_markdown
from windtunnel.sweeps.folder import SweepFolder
from windtunnel.sweeps.results import read_results

KINDS = ("run", "sweep", "comparison", "ablation")


@pytest.fixture(scope="module")
def pages(documents):
    return {kind: render_page(document) for kind, document in documents.items()}


def _table(document, name):
    return next(table for table in document.tables() if table.name == name)


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_needs_nothing_but_itself_and_is_small(pages, kind):
    page = read_page(pages[kind])
    assert page.tags.count("svg") >= 1
    assert len(pages[kind].encode()) < 400_000


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_says_what_ran_on_what_and_how_to_do_it_again(pages, kind):
    text = read_page(pages[kind]).text
    assert "79" * 32 in text, "the data set's digest"
    assert "commit 0123456789abcdef, with changes" in text
    assert "packages.torch" in text
    command = {
        "run": "train quickstart",
        "sweep": "sweep sweep.yaml",
        "comparison": "compare A.yaml",
        "ablation": "ablate base",
    }
    assert f"windtunnel {command[kind]}" in text


def test_a_sweep_names_its_best_settings_what_mattered_and_its_devices(pages, documents):
    text = read_page(pages["sweep"]).text
    for words in ("Best settings", "What mattered", "Permutation importance", "Devices over time", "most set aside"):
        assert words in text
    best = _table(documents["sweep"], "best").rows[0]
    assert best[:3] == (1, 0.1, 0.0)
    assert best[3] == pytest.approx(0.991)


def test_the_tables_of_a_sweep_hold_the_results_themselves(made, documents):
    results = read_results(SweepFolder(made["sweep"]))
    rows = list(csv.DictReader(format_csv(_table(documents["sweep"], "runs")).splitlines()))
    assert [(row["run"], float(row["validation accuracy"])) for row in rows] == [
        (run.id, run.value) for run in results.runs
    ]
    points = {(point.choices["optim.lr"], point.choices["optim.weight_decay"]): point.mean for point in results.points}
    for row in csv.DictReader(format_csv(_table(documents["sweep"], "best")).splitlines()):
        mean = points[float(row["optim.lr"]), float(row["optim.weight_decay"])]
        assert float(row["mean validation accuracy"]) == mean
        assert float(row["95% interval low"]) < mean < float(row["95% interval high"])


def test_the_tables_of_a_comparison_hold_what_was_found(made, documents):
    found = json.loads((made["comparison"] / "comparison.json").read_text())
    rows = list(csv.DictReader(format_csv(_table(documents["comparison"], "designs")).splitlines()))
    assert [float(row["accuracy"]) for row in rows] == [one["accuracy"]["mean"] for one in found["figures"]]
    assert [float(row["seconds 95% interval low"]) for row in rows] == [
        one["seconds"]["low"] for one in found["figures"]
    ]
    answer = _table(documents["comparison"], "differences").rows[0]
    assert answer[1] == found["answers"][0]["accuracy"]["difference"]
    trials = _table(documents["comparison"], "trials").rows
    assert statistics.fmean(row[2] for row in trials if row[0] == "A") == pytest.approx(
        float(rows[0]["accuracy"]) / 100
    )


def test_the_verdict_is_told_in_its_own_words(made, pages):
    sentence = json.loads((made["comparison"] / "comparison.json").read_text())["answers"][0]["sentence"]
    assert sentence in read_page(pages["comparison"]).text


def test_the_designs_differences_are_named(documents):
    assert _table(documents["comparison"], "settings").rows == (("train.epochs", "20.0", "18.0"),)


def test_a_table_for_a_readme_is_exact(documents):
    assert format_markdown(_table(documents["comparison"], "designs")).splitlines() == [
        "| design | trials | validation accuracy (%) | 95% interval | sd | seconds | 95% interval | sd | TFLOP "
        "| diverged |",
        "| :-- | --: | --: | --: | --: | --: | --: | --: | --: | --: |",
        "| A base | 3 | 98.10 | 98.03 to 98.20 | 0.10 | 4.13 | 4.10 to 4.20 | 0.06 | 24 | 0 |",
        "| B faster | 3 | 97.70 | 97.63 to 97.80 | 0.10 | 3.63 | 3.60 to 3.70 | 0.06 | 12 | 0 |",
    ]


def test_effects_of_an_ablation_are_those_of_its_file(made, documents):
    effects = json.loads((made["ablation"] / "ablation.json").read_text())["effects"]
    rows = _table(documents["ablation"], "effects").rows
    assert [(row[0], row[1]) for row in rows] == [(one["changes"][0], one["points"]["mean"]) for one in effects]


def test_pictures_and_tables_lie_beside_the_page(documents, tmp_path):
    written = write_document(documents["comparison"], tmp_path / "c.html", extras=frozenset({"png", "csv"}))
    assert written[0] == tmp_path / "c.html"
    assert {path.name for path in (tmp_path / "c").iterdir()} == {path.name for path in written[1:]}
    assert (tmp_path / "c" / "accuracy-time.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "c" / "designs.csv").read_text() == format_csv(_table(documents["comparison"], "designs"))


def test_designs_with_hostile_names_are_only_names(made_runs, tmp_path):
    name = "<img src=x onerror=alert(1)>$_"
    folder = made_runs.make_comparison(tmp_path, names=(name, "_b"))
    page = read_page(render_page(build_document(Subject("comparison", folder))))
    assert "img" not in page.tags
    assert name in page.text


def test_a_sweep_that_was_killed_half_way_has_a_page(made_runs, tmp_path):
    folder = made_runs.make_sweep(tmp_path, rates=(0.1,), decays=(0.0,), seeds=(0, 1), epochs=2)
    journal = folder / "dispatch" / "journal.jsonl"
    journal.write_text("".join(journal.read_text().splitlines(keepends=True)[:-1]) + '{"event": "en')
    run = sorted((folder / "runs").iterdir())[-1]
    (run / "summary.json").unlink()
    (run / "env.json").unlink()
    page = read_page(render_page(build_document(Subject("sweep", folder))))
    assert "idle: 1 finished, 1 running" in " ".join(page.text.split())
    assert len(read_journal(journal)) > 3


def test_a_sweep_that_has_not_begun_has_a_page(made_runs, tmp_path):
    folder = made_runs.make_sweep(tmp_path, rates=(0.1,), decays=(0.0,), seeds=(0,), epochs=1)
    for path in (folder / "points.jsonl", folder / "dispatch" / "journal.jsonl"):
        path.unlink()
    page = read_page(render_page(build_document(Subject("sweep", folder))))
    assert "No run has measured the metric yet." in page.text
    with pytest.raises(UsageError, match="no timeline"):
        plot_timeline(folder)


def test_a_damaged_answer_is_named(tmp_path):
    (tmp_path / "comparison.json").write_text('{"figures": [{}]}')
    with pytest.raises(CheckpointError, match=r"comparison.json holds no finished comparison"):
        build_document(Subject("comparison", tmp_path))


def test_the_timeline_shows_each_worker_and_the_memory_limit(made):
    figure = plot_timeline(made["sweep"])
    runs, memory, queue = figure.axes
    assert sum(len(bars.get_paths()) for bars in runs.collections) == 16
    assert [axes.get_ylabel() for axes in figure.axes] == ["runs", "GiB", "runs"]
    assert "set aside" in [line.get_label() for line in memory.get_lines()]
    assert max(queue.get_lines()[0].get_ydata()) == 16


def test_workers_that_overlap_stand_in_lanes_of_their_own(made_runs, tmp_path):
    from windtunnel.catalog.timeline import read_timeline

    folder = made_runs.make_sweep(tmp_path, rates=(0.1,), decays=(0.0,), seeds=(0, 1, 2, 3), epochs=1)
    timeline = read_timeline(folder)
    lanes = arrange(timeline.devices[0].spans, until=timeline.now)
    assert [len(lane) for lane in lanes] == [2, 2]
    assert all(first.end <= second.start for first, second in lanes)
