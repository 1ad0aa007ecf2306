import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windtunnel.cli.sweep import _as_csv
from windtunnel.core.cells import plain_cell
from windtunnel.report.document import Column, Table
from windtunnel.report.tables import format_csv
from windtunnel.training.evaluation_files import _format_csv

WRITERS = {
    "report": lambda text: format_csv(Table("any", (Column(text), Column("n")), ((text, 1),))),
    "evaluation": lambda text: _format_csv((text, "n"), [(text, 1)]),
    "sweep": lambda text: "\n" + _as_csv([{"name": text, "n": 1}]),
}


@pytest.mark.parametrize("writer", WRITERS)
@given(
    begin=st.sampled_from(["=", "+", "-", "@", "\t", "\r", "=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0"]),
    rest=st.text(max_size=8),
)
def test_no_text_is_a_formula(writer, begin, rest):
    rows = csv.reader(io.StringIO(WRITERS[writer](begin + rest), newline=""))
    for row in rows:
        if row and not is_number(row[0]):
            assert not row[0].startswith(("=", "+", "-", "@", "\t", "\r"))


def is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True


@given(st.floats(allow_nan=False) | st.integers() | st.none() | st.text("abc 0123=-", max_size=6).map("a".__add__))
def test_numbers_and_other_text_stay_as_they_are(value):
    assert plain_cell(value) == value
    assert isinstance(value, str) or plain_cell(str(value)) == str(value)
