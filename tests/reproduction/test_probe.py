import json
import sys
from pathlib import Path

import pytest

from windtunnel.dispatch.devices import Device
from windtunnel.errors import RunError, UsageError
from windtunnel.recipes import load_experiment
from windtunnel.reproduction import probe, probe_child

CPU = Device("cpu", "cpu", 2**33, threads=1, cores=2)
GPU = Device("cuda:0", "cuda", 2**36)


def answer_in_process(monkeypatch, capsys, tmp_path, trees):
    """Return the lines the measuring process prints for experiments."""
    order = tmp_path / "probes.json"
    order.write_text(json.dumps(trees))
    monkeypatch.setattr(sys, "argv", ["probe_child", str(order)])
    monkeypatch.setattr(probe_child, "_LONG_ENOUGH_S", 0.0)
    probe_child.main()
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_network_s_pace_and_its_images_are_measured(monkeypatch, capsys, tmp_path):
    experiment = load_experiment("quickstart", ["data.train_limit=100"])
    tree = probe._as_probe(experiment, CPU)
    [answer] = answer_in_process(monkeypatch, capsys, tmp_path, [tree])
    assert 0 < answer["evaluate_seconds"]
    assert 0 < answer["train_seconds"] < 1
    assert answer["train"] + answer["validation"] + answer["test"] == 1797, "all there are, whatever the limit"


def test_missing_data_are_told_in_words(monkeypatch, capsys, tmp_path):
    experiment = load_experiment("quickstart", [f"data.source={{name: npz, path: {tmp_path / 'none.npz'}}}"])
    [answer] = answer_in_process(monkeypatch, capsys, tmp_path, [probe._as_probe(experiment, CPU)])
    assert "none.npz" in answer["error"]


@pytest.fixture
def asked(monkeypatch):
    """What measuring processes were asked, each answering with a pace of its number."""
    orders = []

    class Child:
        def __init__(self, command, environment):
            orders.append(json.loads(Path(command[-1]).read_text()))
            self.number = len(orders)

        def wait(self):
            pace = {"train_seconds": float(self.number), "evaluate_seconds": 1.0, "ready": 10.0}
            return [pace | {"train": 5, "validation": 2, "test": 1} for _ in orders[-1]]

        def end(self):
            pass

    monkeypatch.setattr(probe, "_Child", Child)
    return orders


def test_networks_that_are_alike_are_measured_once_by_as_many_as_will_run(asked):
    same = [load_experiment("quickstart", [f"seed={seed}", f"optim.lr={0.1 / (1 + seed)}"]) for seed in range(3)]
    other = load_experiment("quickstart", ["model=lenet"])
    paces = probe.measure_paces([*same, other], CPU, parallel=2, threads=1)
    assert [len(order) for order in asked] == [2, 2]
    assert len(paces) == 4
    assert paces[0].train_seconds == 1.5, "the mean of both"
    assert (paces[0].sizes.train, paces[0].sizes.validation, paces[0].sizes.test) == (5, 2, 1)


def test_a_large_batch_is_measured_by_a_small_one_on_the_cpu_alone(asked):
    experiment = load_experiment("cifar10/slim_resnet", ["data.batch_size=512", "train.epochs=3"])
    probe.measure_paces([experiment], CPU, parallel=1, threads=1)
    probe.measure_paces([experiment], GPU, parallel=1, threads=1)
    assert [order[0]["data"]["batch_size"] for order in asked] == [32, 512]


@pytest.mark.parametrize(
    ("program", "error", "said"),
    [
        ('print(\'{"error": "no such set"}\')', UsageError, "no such set"),
        ("import sys; sys.exit('out of paper')", RunError, "out of paper"),
    ],
)
def test_a_process_that_cannot_measure_says_why(program, error, said):
    child = probe._Child([sys.executable, "-c", program], {})
    with pytest.raises(error, match=said):
        child.wait()
    child.end()
