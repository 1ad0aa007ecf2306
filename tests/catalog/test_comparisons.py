import json

import pytest

from catalog.folders import make_ablation, make_comparison, make_time_to
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


def test_a_diverged_trial_counts_as_its_comparison_counts_it(tmp_path):
    """Its last validation may have been fine; the answer takes 0 for it, so points and mean have to, too."""
    folder, _ = make_comparison(tmp_path)
    summary = json.loads((folder / "runs/0001-B/summary.json").read_text())
    write_json(folder / "runs/0001-B/summary.json", summary | {"status": "diverged"})
    catalog = Catalog(tmp_path)
    catalog.refresh()
    _, view = catalog.comparison(catalog.comparison_rows()[0].id)
    assert view.designs[1].accuracies == pytest.approx((40, 0, 40))


def test_the_answer_changes_the_row(tmp_path):
    folder, _ = make_comparison(tmp_path, answered=False)
    catalog = Catalog(tmp_path)
    catalog.refresh()
    write_json(folder / "comparison.json", {"answers": [{"sentence": "B is faster."}], "figures": [], "pairs": 3})
    assert [row.verdict for row in catalog.refresh().comparisons] == ["B is faster."]
    assert not catalog.refresh()


@pytest.mark.parametrize("name", ["comparison.json", "ablation.json", "time_to.json"])
@pytest.mark.parametrize(
    "answer",
    [
        "{",
        "[]",
        '{"answers": 3, "effects": 3, "figures": 3, "finishes": 3}',
        '{"effects": [{}], "rules": 1, "finishes": [{"letter": "A", "name": "a", "attempts": [{}]}]}',
        '{"effects": [{"changes": 1}], "goal": {"target": "x"}, "finishes": [1]}',
    ],
)
def test_a_damaged_answer_breaks_nothing(tmp_path, name, answer):
    folder, _ = make_comparison(tmp_path, answered=False)
    (folder / name).write_text(answer)
    catalog = Catalog(tmp_path)
    catalog.refresh()
    _, view = catalog.comparison(f"comparisons/{folder.name}")
    assert sum(len(design.runs) for design in view.designs) in (3, 6), "designs are the answer's where it names some"
    assert (view.effects, view.attempts) == ((), ())


def test_an_ablations_effects_are_its_verdicts(tmp_path):
    folder = make_ablation(tmp_path)
    catalog = Catalog(tmp_path)
    catalog.refresh()
    _, view = catalog.comparison(f"comparisons/{folder.name}")
    assert view.verdicts[0] == "crop: +0.50 points (+0.25 to +0.75), -1.0% time (-2.0 to +0.0%)."
    assert [(one.label, one.is_interaction) for one in view.effects] == [
        ("crop", False),
        ("<i>ema</i>", False),
        ("crop x <i>ema</i>", True),
    ]
    assert view.effects[0].points == (0.25, 0.5, 0.75)
    assert view.effects[1].percent[1] == pytest.approx(22.14, abs=0.01)
    assert [one.points_p for one in view.effects] == [0.01, 1.0, None]
    assert [design.name for design in view.designs] == ["base", "<b>short</b>"]
    assert (view.kind, view.designs[0].flops) == ("ablation", 3e12)


def test_times_to_an_accuracy_are_told_trial_by_trial(tmp_path):
    make_time_to(tmp_path)
    catalog = Catalog(tmp_path)
    catalog.refresh()
    [row] = catalog.comparison_rows()
    assert (row.id, row.designs, row.trials) == ("comparisons/time-to-0a1b2c3d", ("base", "<b>fast</b>"), 3)
    _, view = catalog.comparison(row.id)
    assert view.verdicts == (
        "B takes 0.500 of the time of A base (95% interval 0.400 to 0.600, 2 pairs).",
        "A base reached 90% in 2 of 2 trials, median 11.00 s.",
        "B <b>fast</b> never reached 90% in 1 trials: 88.00% at best.",
    )
    assert [(one.letter, one.seed, one.reached, one.seconds) for one in view.attempts] == [
        ("A", 0, True, 10.0),
        ("A", 1, True, 12.0),
        ("B", 0, False, 4.0),
    ]
    base, fast = view.designs
    assert (base.seconds, base.seconds_interval, base.seconds_mean) == ((10.0, 12.0), (10.0, 12.0), 11.0)
    assert (fast.seconds, fast.seconds_interval, fast.flops) == ((), None, None)
    assert "until 90% on images held out of training" in view.note
    assert "1 trials are still to come" in view.note


def test_another_trial_of_a_time_to_an_accuracy_changes_the_row(tmp_path):
    folder = make_time_to(tmp_path)
    catalog = Catalog(tmp_path)
    catalog.refresh()
    answer = json.loads((folder / "time_to.json").read_text())
    answer["finishes"][1]["attempts"] *= 2
    write_json(folder / "time_to.json", answer)
    assert [row.trials for row in catalog.refresh().comparisons] == [4]
    assert not catalog.refresh()
