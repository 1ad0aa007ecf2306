from typing import Any

import pytest

from windtunnel.config.overrides import apply_overrides, merge
from windtunnel.errors import ConfigError

TREE: dict[str, Any] = {
    "data": {"source": {"name": "digits"}, "batch_size": 64},
    "model": {"name": "cnn", "widths": [8, 16]},
    "augment": [{"name": "random_crop", "padding": 4}, {"name": "horizontal_flip", "p": 0.5}],
    "averaging": None,
}


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("data.batch_size=32", ("data", "batch_size"), 32),
        ("model.widths=[4, 4]", ("model", "widths"), [4, 4]),
        ("model.widths.1=32", ("model", "widths"), [8, 32]),
        ("augment.1.p=1e-1", ("augment", 1, "p"), 0.1),
        ("augment=none", ("augment",), "none"),
        ("data.source=mnist", ("data", "source"), "mnist"),
        ("data.source.path=/x", ("data", "source"), {"name": "digits", "path": "/x"}),
        ("model.name=lenet", ("model",), {"name": "lenet"}),
        ("model.name=cnn", ("model",), {"name": "cnn", "widths": [8, 16]}),
        ("model={name: mlp}", ("model",), {"name": "mlp"}),
        ("averaging.decay=0.9", ("averaging",), {"decay": 0.9}),
        ("new.deep.key=1", ("new", "deep", "key"), 1),
        ("data.path=a=b", ("data", "path"), "a=b"),
        ("averaging=null", ("averaging",), None),
        ("augment=[hflip]", ("augment",), ["hflip"]),
    ],
)
def test_override_sets_its_path(override: str, path: tuple[str | int, ...], value: Any) -> None:
    node: Any = apply_overrides(TREE, [override])
    for part in path:
        node = node[part]
    assert node == value


def test_fields_of_a_component_apply_after_it_was_picked_whatever_the_order() -> None:
    wanted = {"name": "mlp", "widths": [1]}
    assert apply_overrides(TREE, ["model.widths=[1]", "model=mlp"])["model"] == wanted
    assert apply_overrides(TREE, ["model.name=mlp", "model.widths=[1]"])["model"] == wanted
    assert apply_overrides(TREE, ["model.widths=[1]", "model.name=mlp"])["model"] == wanted
    worded = apply_overrides(TREE, ["model.activation=gelu", "model.name=mlp"])["model"]
    assert worded == {"name": "mlp", "activation": "gelu"}


@pytest.mark.parametrize("tree", [TREE, {}])
def test_an_op_is_set_within_the_list_given_beside_it_whatever_the_order(tree: dict[str, Any]) -> None:
    given = ["augment=[random_crop, horizontal_flip]", "augment.1=vertical_flip", "augment.0.padding=2"]
    wanted = [{"name": "random_crop", "padding": 2}, "vertical_flip"]
    assert apply_overrides(tree, given)["augment"] == wanted
    assert apply_overrides(tree, given[::-1])["augment"] == wanted


def test_fields_grow_on_a_bare_name() -> None:
    assert apply_overrides({"optim": "adam"}, ["optim={lr: 0.1}"])["optim"] == {"name": "adam", "lr": 0.1}
    assert merge({"optim": "adam"}, {"optim": {"name": "sgd"}})["optim"] == {"name": "sgd"}


def test_the_tree_itself_is_left_alone() -> None:
    before = repr(TREE)
    apply_overrides(TREE, ["model.widths.0=1", "data.batch_size=1"])
    assert repr(TREE) == before


@pytest.mark.parametrize(
    "text", ["data.batch_size", "=3", "a..b=1", "augment.7.p=1", "augment.x.p=1", "data.batch_size.x=1", "a=[1"]
)
def test_malformed_overrides_are_config_errors(text: str) -> None:
    with pytest.raises(ConfigError):
        apply_overrides(TREE, [text])


def test_merge_replaces_lists_and_other_components() -> None:
    merged = merge(TREE, {"augment": [], "model": {"name": "mlp"}, "data": {"batch_size": 1}})
    assert merged["augment"] == []
    assert merged["model"] == {"name": "mlp"}
    assert merged["data"] == {"source": {"name": "digits"}, "batch_size": 1}


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["averaging=null", "averaging=lookahead"], "lookahead"),
        (["averaging=lookahead", "averaging=null"], None),
        (["averaging.decay=0.9", "averaging=null"], {"decay": 0.9}),
    ],
    ids=["set-after-null", "null-after-set", "a-field-outlives-null"],
)
def test_of_two_values_for_one_component_the_later_counts(overrides: list[str], expected: Any) -> None:
    assert apply_overrides(TREE, overrides)["averaging"] == expected
