import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from windtunnel.core.cells import plain_cell
from windtunnel.report.document import Column, Document, Section, Table
from windtunnel.report.tables import format_csv, format_for_paper, format_latex, format_markdown

_TABLE = Table(
    "designs",
    (
        Column("design", align="left"),
        Column("accuracy", "{:.2%}".format),
        Column("interval", lambda ends: f"{ends[0]:.1f}"),
    ),
    (("a|b <i>", 0.98765432101, (0.5, 0.75)), ("[x](y)", None, None)),
)


def test_csv_holds_the_values_themselves():
    assert format_csv(_TABLE) == (
        "design,accuracy,interval low,interval high\na|b <i>,0.98765432101,0.5,0.75\n[x](y),,,\n"
    )


def test_markdown_holds_what_people_read_and_names_stay_names():
    assert format_markdown(_TABLE).splitlines() == [
        "| design | accuracy | interval |",
        "| :-- | --: | --: |",
        r"| a\|b &lt;i&gt; | 98.77% | 0.5 |",
        r"| \[x\](y) |  |  |",
    ]


def test_latex_is_escaped():
    table = Table("one", (Column("a_b %", align="left"),), ((r"\x{y}~^#&$",),))
    body = format_latex(table).splitlines()
    assert body[2] == r"a\_b \% \\"
    assert body[4] == r"\textbackslash{}x\{y\}\textasciitilde{}\textasciicircum{}\#\&\$ \\"


def test_a_list_at_the_beginning_of_a_row_is_no_argument_of_the_row_before():
    table = Table("widths", (Column("widths", align="left"),), (([64, 128],), ([32],)))
    assert format_latex(table).splitlines()[4:6] == [r"{[}64, 128] \\", r"{[}32] \\"]


def test_only_tables_for_papers_are_printed():
    chosen = Table("one", (Column("n"),), ((1,),), for_paper=True)
    document = Document("t", "s", "finished", "", (), (Section("a", (_TABLE, chosen)), Section("b", (chosen,))))
    assert format_for_paper(document, "markdown") == "\n\n".join([format_markdown(chosen)] * 2)


@given(st.lists(st.tuples(st.text(), st.floats(allow_nan=False)), min_size=1))
def test_csv_reads_back(rows):
    text = format_csv(Table("any", (Column("name"), Column("value")), tuple(rows)))
    read = list(csv.reader(io.StringIO(text, newline="")))[1:]
    assert [(name, float(value)) for name, value in read] == [
        (plain_cell(name.replace("\r", " ")), value) for name, value in rows
    ]


@given(st.text())
def test_any_name_stays_one_cell_of_markdown(name):
    lines = format_markdown(Table("any", (Column("a"), Column("b")), ((name, 1),))).split("\n")
    assert len(lines) == 3
    assert lines[2].replace("\\\\", "").replace("\\|", "").count("|") == 3
