import pytest

from windtunnel.config.files import dump_tree
from windtunnel.errors import ConfigError, UsageError
from windtunnel.recipes import load_recipe
from windtunnel.sweeps.definition import describe_choices, dump_definition, load_definition
from windtunnel.sweeps.folder import create_sweep, find_sweep
from windtunnel.sweeps.space import list_grid


def test_s2s_grid_is_as_its_report_describes_it():
    definition = load_definition("s2_sweep")
    points = [definition.experiment(choices, seed=0, name="run") for choices in list_grid(definition.config.space)]
    assert len({point.model_dump_json() for point in points}) == 32
    for point in points:
        assert (point.data.source.name, point.data.batch_size, point.train.epochs) == ("cifar100", 256, 50)
        assert (point.train.early_stopping.patience, point.train.early_stopping.min_delta) == (3, 0.01)
        assert point.optim.weight_decay == 1e-3
        assert point.optim.lr in (1e-4, 1e-2)
        assert point.optim.name == "adam" or (point.optim.momentum, point.optim.nesterov) == (0.9, True)
        assert point.schedule.name == "cosine" or (point.schedule.patience, point.schedule.factor) == (5, 0.1)
        assert point.schedule.name == "plateau" or point.schedule.t_max == 50
    assert {point.model.name for point in points} == {"resnet18", "preact_resnet"}
    assert {any(op.name == "mix_choice" for op in point.augment) for point in points} == {True, False}


def test_overrides_reach_the_sweep_the_space_or_every_run():
    overrides = ["repeats=3", "space.optim.momentum=[0.8]", "space.optim.lr=null", "train.epochs=2", "base.seed=5"]
    definition = load_definition("quickstart_sweep", overrides)
    assert definition.seeds == (5, 6, 7)
    assert list(definition.config.space) == ["optim.momentum"]
    experiment = definition.experiment({"optim.momentum": 0.8}, seed=5, name="run")
    assert (experiment.train.epochs, experiment.optim.momentum) == (2, 0.8)
    assert experiment.optim.lr == load_recipe("quickstart").optim.lr


def test_an_override_may_reach_into_a_strategy_that_the_file_leaves_out(tmp_path):
    (tmp_path / "tried.yaml").write_text("base: quickstart\nspace: {optim.lr: [0.1, 0.2]}\n")
    strategy = load_definition(str(tmp_path / "tried.yaml"), ["strategy.runs=1"]).config.strategy
    assert (strategy.name, strategy.runs) == ("grid", 1)


def test_a_file_may_lie_beside_its_base(tmp_path):
    (tmp_path / "mine.yaml").write_text("base: quickstart\noptim: {lr: 0.5}\nproject: mine\n")
    (tmp_path / "tried.yaml").write_text("base: mine.yaml\nspace: {optim.momentum: [0.5, 0.9]}\n")
    definition = load_definition(str(tmp_path / "tried.yaml"))
    assert (definition.config.name, definition.config.project) == ("tried", "mine")
    assert definition.experiment({}, seed=0, name="run").optim.lr == 0.5


@pytest.mark.parametrize("tree", [{"space": {"optim.lr": [1]}}, {"base": "nowhere", "space": {"optim.lr": [1]}}])
def test_a_file_without_a_usable_base_is_refused(tmp_path, tree):
    path = tmp_path / "tried.yaml"
    path.write_text(dump_tree(tree))
    with pytest.raises((ConfigError, UsageError), match=r"base: is required|there is no recipe 'nowhere'"):
        load_definition(str(path))


def test_one_experiment_is_no_sweep():
    with pytest.raises(UsageError, match="is one experiment, not a sweep"):
        load_definition("mnist/lenet")


def test_the_folder_reads_back_to_the_same_sweep(tmp_path):
    definition = load_definition("s2_sweep", ["strategy=random"])
    folder = create_sweep(definition, tmp_path)
    assert dump_definition(load_definition(str(folder.path))) == dump_definition(definition)
    assert create_sweep(load_definition(str(folder.path)), tmp_path).path == folder.path
    assert find_sweep("s2_sweep", tmp_path).path == folder.path


def test_another_sweep_under_the_same_name_is_refused_and_says_where_it_differs(tmp_path):
    create_sweep(load_definition("quickstart_sweep"), tmp_path)
    with pytest.raises(UsageError) as raised:
        create_sweep(load_definition("quickstart_sweep", ["repeats=3", "train.epochs=9"]), tmp_path)
    assert "repeats: 2 there, 3 here" in str(raised.value)
    assert "fixed.train.epochs: 6 there, 9 here" in str(raised.value)
    assert "name=quickstart_sweep_2" in str(raised.value)


def test_a_sweep_that_is_not_there_gets_a_near_name(tmp_path):
    create_sweep(load_definition("quickstart_sweep"), tmp_path)
    with pytest.raises(UsageError, match="did you mean 'quickstart_sweep'"):
        find_sweep("quickstart_swep", tmp_path)


def test_a_point_in_one_line():
    assert describe_choices({"augment": "none", "optim": {"name": "sgd"}, "a.b": None}) == (
        "augment=none optim={name: sgd} a.b=null"
    )


def test_building_a_point_leaves_its_choices_as_they_are():
    choices = {"optim": {"name": "sgd", "momentum": 0.5}, "optim.lr": 0.3}
    definition = load_definition("quickstart_sweep")
    first = definition.experiment(choices, seed=0, name="run")
    assert choices == {"optim": {"name": "sgd", "momentum": 0.5}, "optim.lr": 0.3}
    assert definition.experiment(choices, seed=0, name="run") == first
