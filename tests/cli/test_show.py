import json

import yaml

from windtunnel.recipes import list_recipes, list_sweeps


def test_show_prints_yaml_that_trains_the_same(cli, tmp_path):
    shown = cli("show", "quickstart", "optim.lr=0.05")
    assert shown.code == 0
    (tmp_path / "mine.yaml").write_text(shown.out)
    assert cli("show", "mine.yaml").out == shown.out
    assert yaml.safe_load(shown.out)["optim"]["lr"] == 0.05


def test_show_prints_json(cli):
    assert json.loads(cli("show", "quickstart", "--json").out)["data"]["source"]["name"] == "digits"


def test_a_mistyped_setting_gets_a_near_name_and_code_2(cli):
    shown = cli("show", "quickstart", "optim.momentumm=0.9", "data.batch_size=-1")
    assert shown.code == 2
    assert shown.out == ""
    assert "momentum" in shown.err and "data.batch_size" in shown.err and "Traceback" not in shown.err


def test_a_mistyped_recipe_gets_a_near_name_and_code_2(cli):
    shown = cli("show", "quikstart")
    assert shown.code == 2
    assert "did you mean 'quickstart'?" in shown.err


def test_schema_is_a_json_schema_of_an_experiment(cli):
    schema = json.loads(cli("schema").out)
    assert {"data", "model", "optim"} <= set(schema["properties"])


def test_show_prints_a_sweep_that_reads_back(cli, tmp_path):
    shown = cli("show", "s2_sweep", "seeds=[1,2]")
    (tmp_path / "mine.yaml").write_text(shown.out)
    assert cli("show", "mine.yaml").out == shown.out
    assert yaml.safe_load(shown.out)["seeds"] == [1, 2]


def test_recipes_lists_them_all(cli):
    assert [row["recipe"] for row in json.loads(cli("recipes", "--json").out)] == [*list_recipes(), *list_sweeps()]
    assert "quickstart  " in cli("recipes").out


def test_doctor_says_what_is_there_and_what_is_missing(cli, tmp_path):
    findings = {row["check"]: row for row in json.loads(cli("doctor", "--json").out)}
    assert findings["data: digits"]["state"] == "ok"
    assert findings["data: cifar10"] == {
        "check": "data: cifar10",
        "state": "missing",
        "about": "windtunnel data fetch cifar10",
    }
    assert findings["runs folder"]["state"] == "ok"
    assert str(tmp_path) in findings["cache folder"]["about"]
    assert {"windtunnel", "torch", "allocator", "cpu", "memory"} <= set(findings)


def test_doctor_prints_one_table(cli):
    lines = cli("doctor").out.splitlines()
    assert lines[0].split() == ["check", "state", "about"]
    assert len(lines) > 10


def test_show_draws_the_schedule(cli, tmp_path):
    path = tmp_path / "rate.png"
    out = cli("show", "quickstart", "schedule=one_cycle", "--plot-schedule", str(path)).out
    assert out.strip() == str(path)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_show_refuses_a_picture_of_another_kind(cli, tmp_path):
    result = cli("show", "quickstart", "--plot-schedule", str(tmp_path / "rate.txt"))
    assert result.code == 2
    assert "rate.txt" in result.err


def test_doctor_refuses_changes_without_a_recipe(cli):
    result = cli("doctor", "optim.lr=1")
    assert result.code == 2
    assert "--tune" in result.err
