from pathlib import Path

import pytest

from windtunnel.report.tables import format_markdown
from windtunnel.reproduction.beside import LONG_HEADINGS, build_table, explain, list_long
from windtunnel.reproduction.types import Beside, Cut, Explanation, Line, Measure, Plan, Reproduced

MEASURES = (Measure("test %", 0.5), Measure("loss", 0.01, decimals=3))
CUT = ("10 of 100 epochs", "5,000 of 45,000 training images")


def found_with(*, reductions=(), overrides=(), left_out=(), troubles=None):
    plan = Plan("S4", 30.0, Cut(), (), left_out, reductions, overrides=overrides)
    return Reproduced(Path("none"), plan, {}, troubles or {})


@pytest.mark.parametrize(
    ("line", "found", "cause", "said"),
    [
        (Line(("a",), (90.0, 0.1), (90.4, 0.105)), found_with(reductions=CUT), "none", "tolerance"),
        (Line(("a",), (None, None), (50.0, 2.0)), found_with(reductions=CUT), "none", "gives no figure"),
        (Line(("a",), (90.0, 0.1), (90.4, 0.2)), found_with(reductions=CUT), "reduced budget", "10 of 100"),
        (
            Line(("a",), (90.0, 0.1), (70.0, 0.1), fix="We shuffle."),
            found_with(reductions=CUT),
            "reduced budget",
            "We",
        ),
        (Line(("a",), (90.0, 0.1), (70.0, 0.1), fix="We shuffle."), found_with(), "our fix", "We shuffle."),
        (Line(("a",), (90.0, 0.1), (70.0, 0.1)), found_with(overrides=("optim.lr=1",)), "set by hand", "optim.lr=1"),
        (Line(("a",), (90.0, 0.1), (70.0, 0.1)), found_with(), "unknown", "Unknown"),
        (Line(("a",), (90.0, 0.1), (70.0, 0.1)), found_with(overrides=("runtime.threads=1",)), "unknown", "Unknown"),
        (Line(("a",), (90.0, 0.1), (None, None)), found_with(), "not run", "no such figure"),
        (Line(("a",), (90.0, 0.1), (None, None), "x"), found_with(left_out=("x",)), "not run", "keep the budget"),
        (Line(("a",), (90.0, 0.1), (None, None), "x"), found_with(troubles={"x": "diverged"}), "not run", "diverged"),
        (Line(("a",), (1.0, None), (9.0, None), why=Explanation("unknown", "So.")), found_with(), "unknown", "So."),
    ],
)
def test_every_row_gets_its_cause_by_the_rule(line, found, cause, said):
    why = explain(line, MEASURES, found)
    assert why.cause == cause
    assert said in why.sentence


def test_no_difference_is_explained_away_where_one_figure_is_missing():
    line = Line(("a",), (90.0, 0.1), (70.0, None))
    assert explain(line, MEASURES, found_with(reductions=CUT)).cause == "reduced budget"


def test_a_table_shows_theirs_ours_the_difference_and_why_under_a_head_that_says_what_was_cut():
    beside = Beside(
        "accuracy", ("network",), MEASURES, (Line(("slim",), (94.65, 0.0571), (61.2, 1.25)),), "Its table 1"
    )
    table = build_table(beside, found_with(reductions=CUT))
    assert table.caption == f"Its table 1. Reduced to 30 minutes: {', '.join(CUT)}."
    row = format_markdown(table).splitlines()[2]
    assert row.startswith("| slim | 94.65 | 61.20 | -33.45 | 0.057 | 1.250 | +1.193 | reduced budget | Reduced budget:")


def test_a_full_protocol_says_so():
    beside = Beside("accuracy", ("network",), MEASURES, (), "Its table 1")
    assert build_table(beside, found_with()).caption == "Its table 1. Full protocol."
    by_hand = build_table(beside, found_with(overrides=("optim.lr=1",)))
    assert by_hand.caption == "Its table 1. Full protocol; set by hand: optim.lr=1."


def test_long_rows_hold_values_unrounded_one_a_figure():
    beside = Beside("accuracy", ("network", "on"), MEASURES, (Line(("slim", "test"), (94.65, None), (61.25, 1.0)),))
    rows = list_long(beside, found_with())
    assert [tuple(row) for row in rows] == [LONG_HEADINGS] * 2
    assert rows[0]["row"] == "slim / test"
    assert rows[0]["difference"] == pytest.approx(-33.4)
    assert rows[1]["report"] is None
    assert rows[1]["difference"] is None
