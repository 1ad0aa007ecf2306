import pytest

from catalog.folders import make_comparison
from windtunnel.catalog.catalog import Catalog
from windtunnel.core.files import write_json


def test_a_comparison_is_told_with_its_answer_and_trials(tmp_path):
    folder, found = make_comparison(tmp_path)
    catalog = Catalog(tmp_path)
    catalog.refresh()
    [row] = catalog.comparison_rows()
    assert (row.id, row.designs, row.trials) == (f"comparisons/{folder.name}", ("base", "<b>short</b>"), 6)
    assert row.verdict == found.answers[0].sentence
    _, view = catalog.comparison(row.id)
    base, short = view.designs
    assert base.seconds == pytest.approx((6.0, 6.1, 6.2))
    assert short.accuracies == pytest.approx((40, 40, 40))
    assert base.seconds_interval == (found.figures[0].seconds.low, found.figures[0].seconds.high)
    assert base.runs == tuple(f"{row.id}/runs/{seed:04d}-A" for seed in range(3))
    assert "3 trials" in view.note


def test_a_comparison_under_way_has_intervals_of_what_there_is(tmp_path):
    make_comparison(tmp_path, answered=False)
    catalog = Catalog(tmp_path)
    catalog.refresh()
    [row] = catalog.comparison_rows()
    assert (row.designs, row.trials, row.verdict) == (("A", "B"), 6, "under way: 6 trials have ended")
    _, view = catalog.comparison(row.id)
    low, high = view.designs[0].seconds_interval
    assert 6.0 <= low < view.designs[0].seconds_mean < high <= 6.2


def test_the_answer_changes_the_row(tmp_path):
    folder, _ = make_comparison(tmp_path, answered=False)
    catalog = Catalog(tmp_path)
    catalog.refresh()
    write_json(folder / "comparison.json", {"answers": [{"sentence": "B is faster."}], "figures": [], "pairs": 3})
    assert [row.verdict for row in catalog.refresh().comparisons] == ["B is faster."]
    assert not catalog.refresh()


@pytest.mark.parametrize("name", ["comparison.json", "ablation.json"])
@pytest.mark.parametrize(
    "answer", ["{", "[]", '{"answers": 3, "effects": 3, "figures": 3}', '{"effects": [{}], "rules": 1}']
)
def test_a_damaged_answer_breaks_nothing(tmp_path, name, answer):
    folder, _ = make_comparison(tmp_path, answered=False)
    (folder / name).write_text(answer)
    catalog = Catalog(tmp_path)
    catalog.refresh()
    _, view = catalog.comparison(f"comparisons/{folder.name}")
    assert [len(design.runs) for design in view.designs] == [3, 3]


def test_an_ablations_effects_are_its_verdicts(tmp_path):
    folder, found = make_comparison(tmp_path, answered=False)
    effect = {"mean": 0.5, "low": 0.25, "high": 0.75}
    effects = [{"changes": ["crop", "ema"], "points": effect, "time": {"mean": 0.0, "low": 0.0, "high": 0.0}}]
    figures = [{"letter": each.letter, "name": each.name} for each in found.figures]
    variants = {"metric": "val_accuracy", "pairs": 3, "figures": figures}
    write_json(folder / "ablation.json", {"design": "factorial", "effects": effects, "variants": variants})
    catalog = Catalog(tmp_path)
    catalog.refresh()
    _, view = catalog.comparison(f"comparisons/{folder.name}")
    assert view.verdicts == ("crop x ema: +0.50 points (+0.25 to +0.75), +0.0% time (+0.0 to +0.0%).",)
    assert [design.name for design in view.designs] == ["base", "<b>short</b>"]
