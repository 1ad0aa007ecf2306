import csv
import json
import os
from pathlib import Path

import pytest

from windtunnel.dispatch.types import Estimate, Outcome
from windtunnel.errors import UsageError
from windtunnel.sweeps import dry_run, engines


class Priced:
    """An estimator that knows what every run needs: 4 GiB with a large batch, else 200 MiB; and has no CIFAR-10."""

    def __init__(self, device, threads):
        pass

    def estimate(self, experiment):
        return self.estimate_all([experiment])[0]

    def record_outcome(self, job, outcome):
        pass

    def estimate_all(self, experiments):
        if any(experiment.data.source.name == "cifar10" for experiment in experiments):
            raise UsageError("cifar10: not found")
        return [
            Estimate(2**32 if experiment.data.batch_size > 64 else 200 * 2**20, seconds=10.0)
            for experiment in experiments
        ]


class Dispatched:
    """A dispatcher whose runs end as their learning rate says: 0.3 fails, 0.2 diverges, the others finish."""

    def __init__(self, folder, source, devices, **settings):
        self.source = source

    def run(self):
        outcomes = []
        while not self.source.is_exhausted():
            for job in self.source.take(9):
                status = {0.3: "failed", 0.2: "diverged"}.get(job.experiment.optim.lr, "finished")
                outcomes.append(Outcome(job.id, status, "as told"))
                self.source.finish(outcomes[-1])
        return outcomes


@pytest.fixture(autouse=True)
def _no_training(monkeypatch):
    monkeypatch.setattr(dry_run, "Estimator", Priced)
    monkeypatch.setattr(engines, "Estimator", Priced)
    monkeypatch.setattr(engines, "Dispatcher", Dispatched)


def test_a_dry_run_lists_runs_needs_time_and_bound_and_writes_nothing(cli, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1})
    shown = cli("sweep", "quickstart_sweep", "--dry-run", "--memory", "500MiB", "--top", "2")
    assert shown.code == 0
    assert "8 runs, the first 2 of them:" in shown.out
    assert "0000-a55309-s0  0.01 " in shown.out
    assert "200 MiB" in shown.out
    assert "no packing takes less than 40 s, because of: " in shown.out
    assert not (tmp_path / "runs").exists()


def test_a_dry_run_names_runs_that_no_device_can_hold(cli):
    words = ("space.data.batch_size=[32,128]", "--memory", "1GiB", "--dry-run", "--json")
    plan = json.loads(cli("sweep", "quickstart_sweep", *words).out)
    assert plan["total"] == 16
    assert {run["misfit"] for run in plan["runs"] if run["estimate"]["bytes"] == 2**32} == {
        "needs 4.0 GiB; the largest device holds 1.0 GiB"
    }
    assert all(run["misfit"] == "" for run in plan["runs"] if run["estimate"]["bytes"] < 2**32)


def test_a_dry_run_of_a_search_counts_the_runs_to_come(cli):
    pytest.importorskip("optuna", reason="the extra [optuna] is not installed")
    shown = cli("sweep", "quickstart_sweep", "strategy=tpe", "space.optim.lr={min: 0.1, max: 1}", "--dry-run")
    assert "60 runs" in shown.out
    assert "44 more follow from results" in shown.out


@pytest.mark.parametrize(("values", "code"), [("[0.1, 0.4]", 0), ("[0.1, 0.2]", 0), ("[0.1, 0.3]", 3)])
def test_the_exit_code_says_whether_runs_failed(cli, values, code):
    assert cli("sweep", "quickstart_sweep", f"space.optim.lr={values}", "-q").code == code


def test_results_as_table_csv_and_json(cli):
    cli("sweep", "run", "quickstart_sweep", "-q")
    shown = cli("sweep", "results", "quickstart_sweep")
    assert shown.code == 0
    assert "quickstart_sweep: 8 runs" in shown.out
    rows = list(csv.DictReader(cli("sweep", "results", "quickstart_sweep", "--csv").out.splitlines()))
    assert [(row["optim.lr"], row["seed"]) for row in rows[:3]] == [("0.01", "0"), ("0.01", "1"), ("0.03", "0")]
    tree = json.loads(cli("sweep", "results", "runs/quickstart/quickstart_sweep", "--json", "--top", "2").out)
    assert (tree["metric"], tree["mode"], len(tree["points"])) == ("val_accuracy", "max", 2)


def test_a_search_of_a_space_with_too_few_points_says_so(cli):
    shown = cli("sweep", "quickstart_sweep", "strategy=random", "space.optim.lr=[0.1, 0.4]", "-q")
    assert "2 of 20 points: no others were found" in shown.err


def test_a_sweep_named_by_its_folder_goes_on_there(cli, tmp_path):
    cli("sweep", "run", "quickstart_sweep", "--runs-dir", "elsewhere", "-q")
    shown = cli("sweep", "elsewhere/quickstart/quickstart_sweep", "-q")
    assert shown.code == 3  # as before: 0.3 fails
    assert not (tmp_path / "runs").exists()
    assert "holds a sweep with other settings" in cli("sweep", "elsewhere/quickstart/quickstart_sweep", "repeats=9").err


def test_curves_need_a_known_format_and_a_run(cli):
    cli("sweep", "run", "quickstart_sweep", "-q")
    assert ".svg" in cli("sweep", "results", "quickstart_sweep", "--plot", "curves.gif").err
    assert "no run" in cli("sweep", "results", "quickstart_sweep", "--plot", "curves.svg").err


def test_a_wandb_file_says_what_it_ignores(cli, tmp_path):
    (tmp_path / "w.yaml").write_text(
        "program: train.py\nmethod: grid\nparameters: {optim.lr: {values: [0.1]}, train.epochs: {value: 1}}\n"
    )
    shown = cli("sweep", "w.yaml", "base=quickstart", "-q")
    assert shown.code == 0
    assert shown.err == "note: program is W&B's and means nothing here\n"
    assert (tmp_path / "runs" / "quickstart" / "w" / "sweep.yaml").is_file()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("quickstart_sweep", "space.optim.lr=[0.1,-1]"), "optim.lr: must be greater than 0"),
        (("quickstart_sweep", "data.split.validation=0"), "val_accuracy is never reported"),
        (("quickstart_sweep", "--parallel", "-2"), "parallel: -2 is not above 0"),
        (("quickstart_sweep", "--memory", "0GB"), "memory: '0GB' is no size above 0"),
        (("quickstart_sweep", "--max-runs-per-device", "0"), "max_runs: 0 is not above 0"),
        (("quickstart_sweep", "--policy", "wieghted"), "did you mean 'weighted'"),
        (("quickstart_sweep", "--device", "cdua"), "device: there is no 'cdua'"),
        (("quickstart_swep",), "did you mean 'quickstart_sweep'"),
        (("quickstart_sweep", "data.source=cifar10"), "cifar10: not found"),
        (("results", "nothing"), "no sweep 'nothing'"),
    ],
)
def test_bad_input_ends_with_code_2_and_leaves_nothing(cli, tmp_path, words, said):
    shown = cli("sweep", *words)
    assert (shown.code, said in shown.err) == (2, True), shown.err
    assert not Path(tmp_path / "runs").exists()
