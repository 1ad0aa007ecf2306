"""S2: its grid, its named runs, and the page made of what came of them."""

import pytest

from reproduction.made_runs import cut_all, find_blocks, make_reproduction, make_run
from windtunnel.models.hub import RESNET18
from windtunnel.report.document import Picture, Table
from windtunnel.reproduction.beside import build_table, explain
from windtunnel.reproduction.cutting import Sizes
from windtunnel.reproduction.narrowing import narrow_network
from windtunnel.reproduction.s2 import REPORT, build_grid, build_runs
from windtunnel.reproduction.s2_figures import AZURE, EXTENDED, FEARLESS, PRETRAINED, RICH, list_settings
from windtunnel.reproduction.s2_tables import present_s2, read_figures
from windtunnel.reproduction.types import Beside, Cut


@pytest.fixture(autouse=True)
def weights(tmp_path, monkeypatch):
    """Where ImageNet weights would lie; there are none."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return RESNET18.local_path()


def rows(best):
    """Return epochs that end with one whose gain is too small for early stopping to keep it."""
    return ((0.1, best - 0.1, 4.0), (0.3, best, 3.0), (0.4, best + 0.05, 2.995))


@pytest.fixture
def found(tmp_path):
    """The grid, where cosine is 2 points better than plateau and mixing on 1 better than off; all else is the same."""
    runs = {
        each.id: make_run(tmp_path, rows(0.3 + 0.02 * (each.schedule == "cosine") + 0.01 * each.mixing))
        for each in list_settings()
        if each != RICH
    }
    return make_reproduction(REPORT, tmp_path, runs)


def named(found):
    return find_blocks(present_s2(found), Beside)[0]


def test_every_setting_s_id_stands_for_the_sweep_s_run_of_that_setting():
    grid = build_grid()
    assert list(grid) == [setting.id for setting in list_settings()]
    assert len(set(grid)) == 32
    for setting, experiment in zip(list_settings(), grid.values(), strict=True):
        mixing = experiment.augment[-1].name == "mix_choice"
        model = {"preact_resnet": "preact_resnet18"}.get(experiment.model.name, experiment.model.name)
        optim, schedule = experiment.optim, experiment.schedule
        assert (model, mixing, optim.name, optim.lr, schedule.name) == setting
        assert not experiment.evaluate.test, "the report has no test figures"


def test_runs_the_report_names_are_points_of_the_grid():
    assert {FEARLESS, AZURE, RICH} <= set(list_settings())
    assert AZURE.id == "preact_resnet18-mix-sgd-1e-02-cosine"


def test_the_pretrained_run_is_made_only_where_its_weights_are(weights):
    assert [run.id for run in build_runs()][32:] == [EXTENDED.name]
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"weights")
    last = build_runs()[-1]
    assert (last.id, last.optional, last.experiment.model.pretrained) == (PRETRAINED.name, True, True)
    assert last.experiment.model.upsample == 224


def test_without_weights_the_pretrained_row_says_so_and_has_no_figure(found):
    table = named(found)
    line = table.lines[-1]
    assert line.labels[0] == "snowy-frog-185"
    assert line.theirs[1] == 82.69
    assert set(line.ours) == {None}
    why = explain(line, table.measures, found)
    assert why.cause == "not run"
    assert "no ImageNet weights" in why.sentence


def test_figures_are_those_of_the_epoch_that_early_stopping_keeps(found):
    train, validation, loss, _, epochs = read_figures(found, AZURE.id)
    assert (train, validation, loss, epochs) == pytest.approx((30.0, 33.0, 3.0, 3))
    assert read_figures(found, RICH.id) == (None,) * 5


def test_the_named_runs_stand_beside_ours_and_once_more_without_mixing(found):
    lines = named(found).lines
    assert [line.labels[0] for line in lines[:3]] == ["fearless-sweep-24", "azure-sweep-28", "rich-sweep-7"]
    assert [line.run for line in lines[3:6]] == [
        setting._replace(mixing=False).id for setting in (FEARLESS, AZURE, RICH)
    ]
    assert lines[1].theirs == (86.31, 68.49, 1.22456, 0.44401, 34)
    assert lines[1].ours[1] == pytest.approx(33.0)
    assert lines[4].ours[1] == pytest.approx(32.0)
    why = explain(lines[0], named(found).measures, found)
    assert why.cause == "our fix"
    assert "entropy of 0.5 nats" in why.sentence


def test_the_sweep_table_has_all_runs_best_first_and_says_what_failed(found):
    table = next(block for block in find_blocks(present_s2(found), Table) if block.name == "sweep")
    texts = table.texts()
    assert len(texts) == 32
    assert texts[0][1:5] == ["on", "sgd", "0.0001", "cosine"]
    assert texts[-1][:2] == ["ResNet-18", "on"]
    assert texts[-1][-1] == "no result: failed: no reason"
    assert sum("fearless-sweep-24, 67.97%" in row[-1] for row in texts) == 1


def test_settings_are_compared_in_pairs_that_differ_in_them_alone(found):
    table = next(block for block in find_blocks(present_s2(found), Table) if block.name == "settings")
    effects = {row[0]: row[2:] for row in table.rows}
    assert effects["schedule"] == pytest.approx((2.0, 0.0, 15.0, 15.0))
    assert effects["mixing"] == pytest.approx((1.0, 0.0, 15.0, 15.0))
    assert effects["lr"][0] == pytest.approx(0.0)


def test_pictures_show_both_networks_and_the_named_runs_there_are(found):
    names = [picture.name for picture in find_blocks(present_s2(found), Picture)]
    assert names == [
        "curves-fearless-sweep-24",
        "curves-azure-sweep-28",
        "curves-resnet18",
        "curves-preact-resnet18",
    ]


def test_a_page_without_any_result_can_be_written(tmp_path):
    nothing = make_reproduction(REPORT, tmp_path, {})
    chapters = present_s2(nothing)
    assert find_blocks(chapters, Picture) == []
    assert len(build_table(named(nothing), nothing).texts()) == 8


def test_every_run_can_be_cut():
    *grid, longer = cut_all(REPORT, Cut(epochs=0.16, images=3000, width=0.25), Sizes(45_000, 5_000, 0))
    assert {one.train.epochs for one in grid} == {8.0}
    assert {one.schedule.t_max for one in grid if one.schedule.name == "cosine"} == {8.0}
    assert (longer.train.epochs, longer.schedule.t_max, longer.model.stem) == (16.0, 16.0, 16)
    assert {round(one.data.split.validation, 6) for one in (*grid, longer)} == {0.02}


def test_only_the_pre_activation_network_has_a_width_to_narrow():
    grid = build_grid()
    narrow = narrow_network(grid[AZURE.id], 0.25)
    assert (narrow.model.stem, narrow.model.widths) == (16, (16, 32, 64, 128))
    assert narrow_network(grid[RICH.id], 0.25) == grid[RICH.id]
