"""The verb's output; tracing and contexts are replaced by fixed answers."""

import json

import pytest

from windtunnel.cli.main import main
from windtunnel.dispatch.estimate import estimator as module
from windtunnel.dispatch.estimate.traced import Traced

MIB = 2**20
TRACED = Traced(
    parameters=10 * MIB,
    gradients=11 * MIB,
    optimizer_state=12 * MIB,
    averaging=0,
    activations=60 * MIB,
    train_peak=84 * MIB,
    evaluation_peak=95 * MIB,
    checkpoint_peak=40 * MIB,
    reserved=130 * MIB,
    data=5 * MIB,
    step_flops=10**9,
    evaluation_flops=10**9,
    steps_per_epoch=20,
)


@pytest.fixture(autouse=True)
def fixed_answers(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(module, "ask_for_traces", lambda experiments: [TRACED for _ in experiments])
    monkeypatch.setattr(module, "ask_for_context", lambda wanted: 300 * MIB)


def run(capsys, *words):
    with pytest.raises(SystemExit) as ended:
        main(["estimate", *words])
    return ended.value.code, capsys.readouterr()


def read_rows(text):
    """Return name -> MiB of the lines that hold both."""
    return {line[:20].strip(): line[20:].split()[0] for line in text.splitlines() if line.startswith("  ")}


def test_every_part_and_the_total_are_printed(capsys):
    code, printed = run(capsys, "quickstart", "--device", "cpu")
    assert code == 0
    tensors, reserved = map(read_rows, printed.out.split("To reserve"))
    assert [tensors[name] for name in ("parameters", "gradients", "optimizer state", "evaluation peak")] == [
        "10.0",
        "11.0",
        "12.0",
        "95.0",
    ]
    assert {"activations", "data", "context", "margin", "total"} <= set(reserved)
    assert "unknown until a run of its kind was measured" in printed.out


def test_time_is_shown_with_its_range_and_source_once_measured(capsys, tmp_path):
    from windtunnel.recipes import load_experiment

    module.Estimator("cpu").record(load_experiment("quickstart"), peak_bytes=400 * MIB, seconds=40.0)
    _, printed = run(capsys, "quickstart", "--device", "cpu")
    assert "Time: 2 s an epoch (1.8 s to 2.3 s), 40 s for 20 epochs; by 1 run of its kind" in printed.out
    assert "measured" in printed.out


def test_json_holds_the_parts_that_add_up(capsys):
    _, printed = run(capsys, "quickstart", "--device", "cpu", "--json")
    tree = json.loads(printed.out)
    assert sum(tree["parts"].values()) == tree["bytes"]
    assert (tree["source"], tree["seconds"], tree["traced"]["gradients"]) == ("traced", None, 11 * MIB)


def test_a_device_that_is_none_is_a_usage_error(capsys):
    code, printed = run(capsys, "quickstart", "--device", "tpu")
    assert code == 2
    assert "'tpu'" in printed.err


def test_a_single_run_teaches_the_estimator(capsys, tmp_path):
    words = ["quickstart", "train.epochs=1", "runtime.device=cpu", "runtime.tune_allocator=false"]
    with pytest.raises(SystemExit) as ended:
        main(["train", *words, "--quiet", "--runs-dir", str(tmp_path / "runs")])
    assert ended.value.code == 0
    capsys.readouterr()
    code, printed = run(capsys, *words, "--json")
    found = json.loads(printed.out)
    assert (code, found["source"]) == (0, "measured")
