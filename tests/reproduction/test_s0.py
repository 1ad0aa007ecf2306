"""S0: its figures, its runs at full protocol, and the page made of what came of them."""

import json
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reproduction.made_runs import cut_all, find_blocks, make_reproduction, make_run
from windtunnel.catalog.timeline import DeviceLane, MemorySteps, QueueSteps, Span, Timeline
from windtunnel.config.data import DataConfig, Digits
from windtunnel.recipes.s0 import build_s0
from windtunnel.report.document import Picture, Table
from windtunnel.reproduction import s0_files
from windtunnel.reproduction.beside import build_table, explain
from windtunnel.reproduction.cutting import Sizes
from windtunnel.reproduction.narrowing import narrow_network
from windtunnel.reproduction.s0 import REPORT, build_runs
from windtunnel.reproduction.s0_figures import TABLES, list_cells
from windtunnel.reproduction.s0_files import count_cost, read_costs, write_s0_files
from windtunnel.reproduction.s0_packing import describe_packing, measure_packing
from windtunnel.reproduction.s0_tables import best_percent, present_s0
from windtunnel.reproduction.types import Beside, Cut

ROWS = ((0.5, 0.6, 1.0), (0.9, 0.8, 0.5), (0.95, 0.7, 0.7))


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """All runs of S0 but those of DBN, which failed."""
    folder = tmp_path_factory.mktemp("S0")
    runs = {
        cell.id: make_run(folder, ROWS, test=0.7, seconds=120.0 if cell.model == "res_v1" else 60.0)
        for cell in list_cells()
        if cell.model != "dbn"
    }
    return make_reproduction(REPORT, folder, runs)


def tables(found):
    return {block.name: block for block in find_blocks(present_s0(found), Beside)}


def test_the_report_has_nine_tables_of_forty_networks():
    assert [table.number for table in TABLES] == list(range(1, 10))
    assert len({cell.id for cell in list_cells()}) == 40
    assert Counter(cell.policy for cell in list_cells()) == {"none": 4, "easy": 13, "hard2": 10, "hard3": 13}


def test_figures_quoted_in_the_report_s_text_agree_with_its_tables():
    figures = {cell.id: cell for cell in list_cells()}
    assert figures["hwy_v1-hard3"].validation - figures["bn4-hard3"].validation == pytest.approx(3.4)  # "3.5% higher"
    assert (figures["cnn_large-none"].train, figures["cnn_large-none"].validation) == (99.9, 80.9)
    assert max(cell.validation for cell in list_cells()) == figures["res_v1-easy"].validation == 90.4
    assert [cell.id for cell in list_cells() if cell.test is None] == [
        f"{model}-{policy}" for model in ("bnv1", "bnv2") for policy in ("easy", "hard2", "hard3")
    ]


def test_every_cell_is_trained_by_the_report_s_protocol_and_hard2_may_be_left_out():
    for run, cell in zip(build_runs(), list_cells(), strict=True):
        assert (run.id, run.experiment) == (cell.id, build_s0(cell.model, cell.policy))
        assert run.optional == (cell.policy == "hard2")
        assert run.experiment.evaluate.test, "the report reads the test images once"


@pytest.mark.parametrize("model", ["cnn_large", "res_v1", "dbn", "bv1"])
def test_half_as_wide_networks_have_about_a_quarter_of_the_parameters(model):
    whole = build_s0(model, "easy")
    half = narrow_network(whole, 0.5)
    assert half.model_copy(update={"model": whole.model}) == whole
    assert 0.2 < _count(half) / _count(whole) < 0.35


def _count(experiment):
    import torch

    with torch.device("meta"):
        network = experiment.model.build(num_classes=10, in_channels=3, image_size=(32, 32))
    return sum(one.numel() for one in network.parameters())


def test_every_run_can_be_cut():
    cut = cut_all(REPORT, Cut(epochs=0.04, images=2000, width=0.5), Sizes(40_000, 5_000, 5_000))
    assert {(one.train.epochs, one.data.train_limit, one.data.split.test) for one in cut} == {(8.0, 2000, 0.1)}
    assert {round(one.schedule.warmup_epochs, 6) for one in cut} == {0.2}
    assert len({one.model.model_dump_json() for one in cut}) == 13


def test_training_and_validation_are_the_best_of_any_epoch_and_test_is_the_end_s(found):
    assert best_percent(found, "res_v1-none", "train") == pytest.approx(95)
    line = tables(found)["table-3"].lines[0]
    assert line.theirs == (99.9, 87.7, 88.4)
    assert line.ours == pytest.approx((95.0, 80.0, 70.0))


def test_a_run_without_a_result_leaves_its_cells_empty_and_says_why(found):
    table = tables(found)["table-4"]
    line = next(line for line in table.lines if line.labels == ("DBN", "Hard2"))
    assert line.ours == (None, None, None)
    assert explain(line, table.measures, found).sentence == "The run has no result: failed: no reason."


def test_what_the_report_could_not_measure_is_no_difference(found):
    table = tables(found)["table-9"]
    cells = build_table(table, found).texts()[0]
    heads = [column.label for column in build_table(table, found).columns]
    assert cells[heads.index("test %, report")] == "" and cells[heads.index("test %, ours")] == "70.0"


def test_claims_are_differences_of_the_best_validation_accuracies(found):
    lines = {line.labels[0]: line for line in tables(found)["claims"].lines}
    assert lines["Easy over no augmentation, ResV1"].theirs == pytest.approx((2.7,))
    assert lines["Easy over no augmentation, ResV1"].ours == pytest.approx((0.0,))
    assert lines["DBN over BN8, Easy"].ours == (None,)
    assert lines["DBN over BN8, Easy"].run == "dbn-easy"


def test_times_are_means_over_the_policies_that_both_families_were_trained_with(found):
    bottleneck, residual = tables(found)["times"].lines
    assert bottleneck.ours == pytest.approx((1.0, 0.5))
    assert residual.ours == pytest.approx((2.0, 1.0))


def test_a_reduced_budget_explains_what_it_moves(found):
    cut = replace(found, plan=replace(found.plan, reductions=("8 of 200 epochs",)))
    table = tables(cut)["table-1"]
    why = explain(table.lines[0], table.measures, cut)
    assert why.cause == "reduced budget"
    assert why.sentence.startswith("Reduced budget: 8 of 200 epochs.")
    assert "8 of 200 epochs" in build_table(table, cut).caption


def test_curves_are_drawn_for_the_runs_there_are(found):
    names = [picture.name for picture in find_blocks(present_s0(found), Picture)]
    assert names == ["curves-res-v1", "curves-easy"]
    nothing = make_reproduction(REPORT, found.folder, {})
    assert find_blocks(present_s0(nothing), Picture) == []


def test_costs_samples_and_grid_are_written_once_and_shown(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(s0_files, "S0_MODELS", ("cnn_130k", "cnn_430k", "res_v1", "bnv2"))  # those told of, for time
    found = make_reproduction(REPORT, tmp_path, {})
    first = found.plan.runs[0]
    digits = first.experiment.model_copy(update={"data": DataConfig(source=Digits(), batch_size=8)})
    found = replace(found, plan=replace(found.plan, runs=(replace(first, experiment=digits),)))
    write_s0_files(found)
    assert {path.name for path in tmp_path.glob("*.*")} == {"samples.png", "deb_flops.png", "costs.json"}
    cost = read_costs(tmp_path)["res_v1"]
    assert cost == count_cost("res_v1")
    assert (cost["parameters"], round(cost["macs"] / 1e6)) == (9_623_786, 110)
    shown = [block.name for block in find_blocks(present_s0(found), Table)]
    assert shown == ["costs", "deb-grid"]
    assert {line.labels[0]: line.ours for line in tables(found)["block-costs"].lines} == {
        "Bottleneck(8)": (25 / 64,),
        "DEB(4, 2)": (45 / 64,),
    }


def make_timeline(spans):
    lane = DeviceLane("cpu", 4 * 2**30, tuple(spans), MemorySteps((0.0, 1.0), (2**30, 2**29), (0, 0)))
    return Timeline(0.0, 10.0, (lane,), QueueSteps((), (), ()), None, None, paused=False)


def make_span(start, end, held=None):
    return Span("a", 1, start, end, 2**30, held, "finished")


def test_packing_is_read_from_the_journal_s_spans():
    spans = [make_span(0, 4, 2**29), make_span(0, 3), make_span(3, 6), make_span(5, 6), make_span(5, None)]
    packing = measure_packing(make_timeline(spans), packed_s=6.0, alone_s=9.0)
    assert (packing.runs, packing.most_at_once, packing.worked_s) == (4, 2, 11.0)
    assert packing.held == (0.5,)
    assert packing.most_bytes == 2**30


def test_the_packing_chapter_reads_the_dispatcher_s_journal(tmp_path):
    found = make_reproduction(REPORT, tmp_path, {})
    assert describe_packing(found) == []
    job = {"id": "bn4-easy", "folder": "runs/bn4-easy", "priority": 0}
    lines = [
        {"journal": "windtunnel dispatch", "version": 1},
        {"event": "taken", "time": 1.0, "jobs": [job]},
        {"event": "estimated", "time": 1.0, "job": "bn4-easy", "estimate": {"bytes": 2**30, "seconds": 7.0}},
        {"event": "admitted", "time": 2.0, "job": "bn4-easy", "attempt": 1, "device": "cpu", "pid": 1, "identity": "1",
         "reserved_bytes": 2**30},
        {"event": "ended", "time": 12.0, "job": "bn4-easy", "status": "finished", "reason": "", "summary": {},
         "attempts": 1, "peak_bytes": 2**29, "worker_seconds": 10.0},
    ]  # fmt: skip
    (tmp_path / "dispatch").mkdir()
    (tmp_path / "dispatch" / "journal.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    rows = {row[0]: row[2] for row in describe_packing(found)[0].rows}
    assert rows["the whole queue, packed"] == "10 s for 1 runs"
    assert rows["one after another, as expected of each run alone"] == "7 s"
    assert rows["memory held over memory set aside"] == "0.50 to 0.50, median 0.50"


times = st.integers(0, 12)


@given(st.lists(st.tuples(times, times).map(sorted).filter(lambda pair: pair[0] < pair[1]), max_size=8))
def test_most_at_once_is_what_counting_at_every_moment_gives(pairs):
    packing = measure_packing(make_timeline([make_span(*pair) for pair in pairs]), packed_s=1.0, alone_s=None)
    moments = [moment + 0.5 for moment in range(13)]
    assert packing.most_at_once == max(sum(start < now < end for start, end in pairs) for now in moments)
