import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windtunnel.config.files import dump_tree, is_yaml, json_schema, parse_yaml, read_yaml
from windtunnel.errors import ConfigError, UsageError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3),
        ("1E5", 1e5),
        ("-.5", -0.5),
        ("5_000_000", 5_000_000),
        ("0x10", 16),
        ("off", "off"),
        ("yes", "yes"),
        ("2026-01-01", "2026-01-01"),
        ("12:30", "12:30"),
        ("007", "007"),
        ("true", True),
        ("~", None),
        ("'1e-3'", "1e-3"),
        ("1.2.3", "1.2.3"),
    ],
)
def test_scalars_follow_yaml_1_2(text: str, value: Any) -> None:
    assert parse_yaml(f"key: {text}", "test") == {"key": value}


def test_key_given_twice_is_an_error_with_its_line() -> None:
    with pytest.raises(ConfigError, match=r"line 2, column 1.*'a' is given twice"):
        parse_yaml("a: 1\na: 2", "test")


@pytest.mark.parametrize(
    "text", ["a: [1", "a: b: c", "\tx: 1", "!!python/object/apply:os.getcwd []", "? [1]\n: 2", "&a [*a, \x00]"]
)
def test_broken_yaml_is_an_error(text: str) -> None:
    with pytest.raises(ConfigError, match="not valid YAML"):
        parse_yaml(text, "test")


def test_a_missing_file_is_answered_with_one_of_a_near_name(tmp_path: Path) -> None:
    (tmp_path / "augment.yaml").write_text("a: 1")
    with pytest.raises(UsageError, match=r"there is no file .*augmnt\.yml in .*; did you mean 'augment\.yaml'"):
        read_yaml(tmp_path / "augmnt.yml")


def test_missing_and_binary_files_are_usage_errors(tmp_path: Path) -> None:
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    for name in ("missing.yaml", "binary.yaml"):
        with pytest.raises(UsageError, match=name):
            read_yaml(tmp_path / name)


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=12),
    lambda children: (
        st.lists(children, max_size=3)
        | st.dictionaries(
            st.text(st.characters(codec="ascii", exclude_categories=("Cc",)), max_size=6), children, max_size=3
        )
    ),
    max_leaves=8,
)


@given(plain)
def test_what_is_written_reads_back(value: Any) -> None:
    assert parse_yaml(dump_tree({"value": value}), "test") == {"value": value}


@given(st.text(max_size=40))
def test_any_text_parses_or_is_a_config_error(text: str) -> None:
    try:
        parse_yaml(text, "fuzz")
    except ConfigError as error:
        assert error.exit_code == 2


def test_schema_describes_every_component_and_field() -> None:
    schema = json_schema()
    assert {"Sgd", "Airbench", "RandomCrop", "Cifar10", "Cosine"} <= set(schema["$defs"])
    fields = [
        field for part in schema["$defs"].values() for name, field in part["properties"].items() if name != "name"
    ]
    assert all("description" in field for field in fields)


def test_infinity_survives() -> None:
    assert parse_yaml(dump_tree({"x": math.inf}), "test") == {"x": math.inf}


@pytest.mark.parametrize(("reference", "is_file"), [("a.yaml", True), ("b/A.YML", True), ("cifar10/s4", False)])
def test_files_are_told_from_names_by_their_ending(reference, is_file):
    assert is_yaml(reference) == is_file
