"""Overrides, YAML, sweeps and changes of any kind are taken or refused with the field that is wrong.

The campaign: WINDTUNNEL_FUZZ_EXAMPLES=2000 python -m pytest tests/fuzz/test_settings.py --timeout=7200
"""

import itertools
import os

import pytest
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from fuzz.experiments import components
from windtunnel.cli.main import main
from windtunnel.config.experiment import Experiment, check_folder_name
from windtunnel.config.files import dump_tree, dump_yaml, parse_yaml
from windtunnel.config.problems import validate_tree
from windtunnel.config.sweep import PruningConfig, StrategyConfig, SweepConfig
from windtunnel.errors import ConfigError, UsageError
from windtunnel.recipes.load import load_experiment, load_recipe
from windtunnel.registry import import_object

EXAMPLES = int(os.environ.get("WINDTUNNEL_FUZZ_EXAMPLES", "60"))
CAMPAIGN = settings(
    max_examples=EXAMPLES,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
    derandomize=EXAMPLES < 1000,
)


def paths_of(tree, above=""):
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
        yield f"{above}{key}"
        if isinstance(value, dict | list):
            yield from paths_of(value, f"{above}{key}.")


FIELDS = [*paths_of(load_recipe("quickstart").model_dump(mode="json"))]
PATHS = st.one_of(
    st.sampled_from(FIELDS),
    st.sampled_from(
        ["augment.0.name", "augment.9", "augment.-1", "augment." + "9" * 5000, "name.x", "seed.0", "a..b", ".", ""]
    ),
    st.lists(st.sampled_from(FIELDS), min_size=2, max_size=3).map(".".join),
)
VALUES = st.one_of(
    st.sampled_from(
        [
            "1",
            "-1",
            "0.5",
            "1e400",
            ".nan",
            "true",
            "~",
            "[]",
            "{}",
            "{name: adam}",
            "adam",
            "s2_mix",
            "airbench",
            "flip",
            "[crop_flip]",
            "[{name: mixup}]",
            "[[1]]",
            "&a [*a]",
            "{a: 1, a: 2}",
            "!!int x",
            "!!float x",
            "!!timestamp x",
            "!!bool x",
            "!!python/object/apply:os.mkdir [/tmp/never]",
            "!!binary x",
            "!!set {a, b}",
            "'",
            "{",
            "'5'",
            "9" * 5000,
            "0o9",
            "1__0",
            "[" * 2000,
            "a:b",
            ".a:b",
            "a..b:c",
            "x.py:y",
            "{name: 'os:getcwd'}",
            "{name: timm/}",
            "{name: 1}",
            "../x",
            "con",
            "a.",
        ]
    ),
    st.text(max_size=12),
)


FITTING = st.sampled_from(
    [
        "seed=3",
        "optim=adam",
        "optim.lr=0.02",
        "augment=s2_mix",
        "augment=[{name: random_crop, padding: 2}]",
        "evaluate.tta=flip",
        "schedule=one_cycle",
        "train.epochs=0.5",
        "ema={decay: 0.9}",
        "loss={name: cross_entropy, label_smoothing: 0.1}",
        "model=cnn",
        "name=other",
    ]
)
OVERRIDES = st.lists(FITTING, max_size=4) | st.lists(FITTING | st.tuples(PATHS, VALUES).map("=".join), max_size=4)


@CAMPAIGN
@given(overrides=OVERRIDES)
def test_any_overrides_give_an_experiment_or_name_what_is_wrong(overrides):
    try:
        experiment = load_experiment("quickstart", overrides)
    except UsageError as error:
        event("refused")
        assert error.exit_code == 2
        assert str(error)
    else:
        event("taken")
        assert validate_tree(Experiment, parse_yaml(dump_yaml(experiment), "written"), "written") == experiment


YAML = st.lists(
    st.sampled_from(
        [
            "a: ",
            "b: ",
            "- ",
            "[",
            "]",
            "{",
            "}",
            "&x ",
            "*x",
            "!!int ",
            "!!map ",
            "<<: ",
            "|\n",
            "\n",
            "  ",
            "'",
            "1",
            ",",
            "? ",
            "x",
        ]
    )
    | st.text(max_size=3),
    max_size=20,
).map("".join)


@CAMPAIGN
@given(text=YAML)
def test_any_text_is_yaml_or_is_refused(text):
    try:
        value = parse_yaml(text, "any.yaml")
    except ConfigError as error:
        assert "any.yaml" in str(error)
    else:
        assert parse_yaml(dump_tree(value), "again") == value or value != value


LAUGHS = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 12))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"l0: &l0 [ha]\n{LAUGHS}seed: *l11", "holds more than 100,000 values"),
        ("a: &a [*a]", "holds more than 100,000 values"),
        ("[" * 5_000, "nested too deeply"),
        ("seed: " + "9" * 5000, "4300"),
        ("a: !!timestamp x", "not valid YAML"),
        ("a: !!python/object/apply:os.mkdir [/tmp/never]", "not valid YAML"),
    ],
)
def test_yaml_that_would_take_for_ever_is_refused(text, told):
    with pytest.raises(ConfigError, match=told):
        parse_yaml(text, "any.yaml")


NUMBERS = st.sampled_from([-1.0, 0.0, 1e-3, 0.1, 0.5, 1.0, 2.0, 8.0, 64.0, 1e9, 1e300, -1e308, 1.7e308])
AXES = st.one_of(
    st.lists(st.sampled_from([0.1, 1, 2, "adam", "sgd", None, {"name": "adam"}, [], True]), max_size=3),
    st.fixed_dictionaries(
        {"min": NUMBERS, "max": NUMBERS},
        optional={"log": st.booleans(), "integer": st.booleans(), "step": NUMBERS, "when": st.just({"optim": "adam"})},
    ),
)
SWEEPS = st.fixed_dictionaries(
    {
        "name": st.just("fuzz"),
        "base": st.just("quickstart"),
        "space": st.dictionaries(st.sampled_from(FIELDS), AXES, max_size=3),
    },
    optional={
        "strategy": components(StrategyConfig, "strategy"),
        "pruning": components(PruningConfig, "pruning"),
        "fixed": st.dictionaries(PATHS, st.sampled_from([0.1, 1, "adam", None]), max_size=1),
        "metric": st.sampled_from(["val_accuracy", "val_loss", "test_accuracy"]),
        "seeds": st.lists(st.integers(-1, 3), max_size=3),
        "repeats": st.integers(-1, 3),
        "constraints": st.sampled_from([None, {"parameters": 10**6}, {"nothing": 1}]),
    },
)


@CAMPAIGN
@given(tree=SWEEPS)
def test_any_sweep_gives_points_or_names_what_is_wrong(tree):
    from windtunnel.sweeps.definition import build_definition
    from windtunnel.sweeps.listed import GridPoints, RandomPoints

    try:
        definition = build_definition(validate_tree(SweepConfig, tree, "sweep.yaml"))
        space = definition.config.space
        listed = definition.config.strategy.name == "grid"
        points = GridPoints(runs=None, space=space) if listed else RandomPoints(runs=2, seed=0, space=space)
        for number in itertools.takewhile(points.has, range(2)):
            definition.experiment(points.propose(number), seed=0, name="fuzz")
    except UsageError as error:
        event("refused")
        assert str(error)
    else:
        event("taken")


@CAMPAIGN
@given(
    changes=st.dictionaries(
        st.text(max_size=5),
        st.lists(st.tuples(PATHS, VALUES).map("=".join), max_size=2)
        | st.dictionaries(PATHS, st.just(1), max_size=2)
        | VALUES,
        max_size=3,
    ),
    design=st.sampled_from(["one_at_a_time", "leave_one_out", "factorial"]),
)
def test_any_changes_make_variants_or_name_what_is_wrong(tmp_path_factory, changes, design):
    from windtunnel.comparison.ablation import plan_variants
    from windtunnel.comparison.changes import load_changes

    path = tmp_path_factory.getbasetemp() / "changes.yaml"
    path.write_text(dump_tree(changes), encoding="utf-8", errors="surrogateescape")
    try:
        base = load_recipe("quickstart").model_dump(mode="json")
        assert plan_variants(base, load_changes(str(path)), design)
    except UsageError as error:
        assert str(error)


WORDS = st.sampled_from(
    ["quickstart", "s2_sweep", "nothing", "--json", "--plot-schedule", "--", "-x", "a=b", "seed=x", "", "=", "x.yaml"]
)


@CAMPAIGN
@given(words=st.lists(WORDS | st.tuples(PATHS, VALUES).map("=".join), max_size=4))
def test_any_command_line_is_done_or_refused(capsys, words):
    with pytest.raises(SystemExit) as ended:
        main(["show", *words])
        raise SystemExit(0)
    assert ended.value.code in (0, 2)
    assert "Traceback" not in capsys.readouterr().err


NO_NAMES = [
    "",
    ".",
    "..",
    "a/b",
    "a\\b",
    "/etc",
    "a\0b",
    "a\nb",
    "a\n",
    "\x1b[31m",
    "x" * 81,
    "-x",
    "_x",
    ".x",
    "a b",
    "é",
    "<b>",
    "=1",
    "con",
    "NUL",
    "Aux.txt",
    "com1",
    "lpt9.log",
    "a.",
    "a..",
    "\ud800",
]


@pytest.mark.parametrize("name", NO_NAMES)
def test_what_is_no_name_of_a_folder_is_refused_everywhere(name):
    tree = load_recipe("quickstart").model_dump(mode="json")
    for field in ("name", "project"):
        with pytest.raises(ConfigError, match=field):
            validate_tree(Experiment, {**tree, field: name}, "run")
        with pytest.raises(ConfigError, match=field):
            validate_tree(SweepConfig, {"name": "a", "base": "quickstart", "repeats": 2, field: name}, "sweep")
    with pytest.raises(UsageError, match="--name: "):
        check_folder_name(name, "--name")


@pytest.mark.parametrize("verb", ["compare", "ablate"])
def test_a_comparison_stays_below_its_folder(verb, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    designs = ["quickstart", "quickstart"] if verb == "compare" else ["quickstart", "--changes", "s1_ablation"]
    with pytest.raises(SystemExit) as ended:
        main([verb, *designs, "--name", "../../outside", "--runs-dir", str(tmp_path / "runs")])
    assert ended.value.code == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "path", [".a:b", "a..b:c", ":", "a:", "x y:z", "\0.py:x", "x" * 5000 + ".py:y", "~no such/a.py:b", "1:2"]
)
def test_what_is_no_import_path_is_refused(path):
    with pytest.raises(UsageError):
        import_object(path)
