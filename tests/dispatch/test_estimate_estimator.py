"""Estimates put together from traces, contexts and history; the tracing child is replaced by fixed answers."""

import sys
from pathlib import Path

import pytest

from windtunnel.dispatch.estimate import estimator as module
from windtunnel.dispatch.estimate.estimator import Estimator
from windtunnel.dispatch.estimate.traced import Traced
from windtunnel.dispatch.types import Job, Outcome
from windtunnel.errors import RunError, UsageError
from windtunnel.recipes import load_experiment

MIB = 2**20
TRACED = Traced(
    parameters=10 * MIB,
    gradients=10 * MIB,
    optimizer_state=10 * MIB,
    averaging=0,
    activations=60 * MIB,
    train_peak=84 * MIB,
    evaluation_peak=100 * MIB,
    checkpoint_peak=40 * MIB,
    reserved=130 * MIB,
    data=5 * MIB,
    step_flops=10**9,
    evaluation_flops=10**9,
    steps_per_epoch=20,
)


class Children:
    """Stands for the child processes and counts what they were asked."""

    def __init__(self):
        self.traced, self.contexts, self.answer = [], 0, TRACED

    def traces(self, experiments):
        self.traced.append([experiment.name for experiment in experiments])
        return [self.answer for _ in experiments]

    def context(self, wanted):
        self.contexts += 1
        return 300 * MIB


@pytest.fixture
def children(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    fake = Children()
    monkeypatch.setattr(module, "ask_for_traces", fake.traces)
    monkeypatch.setattr(module, "ask_for_context", fake.context)
    return fake


def quickstart(*overrides):
    return load_experiment("quickstart", overrides)


def test_parts_add_up_and_hold_the_larger_of_training_and_evaluation(children):
    found = Estimator("cpu").estimate(quickstart())
    assert sum(found.parts.values()) == found.bytes
    live = sum(found.parts[part] for part in ("parameters", "optimizer_state", "activations", "gradients"))
    assert live + found.parts["beyond_training"] == TRACED.evaluation_peak
    assert (found.parts["context"], found.parts["data"], found.source) == (300 * MIB, 5 * MIB, "traced")
    assert found.parts["margin"] == pytest.approx(0.1 * (found.bytes - found.parts["margin"]), abs=1)


def test_a_gpu_is_priced_by_what_its_allocator_reserves(children):
    parts = Estimator("cuda:0").estimate(quickstart()).parts
    kept = ("data", "context", "margin")
    assert sum(size for part, size in parts.items() if part not in kept) == TRACED.reserved


def test_a_sweep_over_rates_and_seeds_costs_one_trace_and_one_context(children):
    experiments = [quickstart(f"optim.lr={0.01 * (run + 1)}", f"seed={run}") for run in range(32)]
    found = Estimator("cpu").estimate_all(experiments)
    assert len(set(map(str, found))) == 1
    assert (children.traced, children.contexts) == ([["quickstart"]], 1)


def test_traces_and_contexts_are_kept_for_later_processes(children):
    first = Estimator("cpu").estimate(quickstart())
    assert Estimator("cpu").estimate(quickstart("optim.lr=0.5")) == first
    assert (len(children.traced), children.contexts) == (1, 1)


def test_another_kind_is_traced_anew(children):
    estimator = Estimator("cpu")
    estimator.estimate_all([quickstart(), quickstart("data.batch_size=128"), quickstart()])
    assert children.traced == [["quickstart", "quickstart"]]


def test_a_damaged_cache_file_is_made_again(children, tmp_path):
    Estimator("cpu").estimate(quickstart())
    for path in (tmp_path / "cache" / "windtunnel" / "estimates").glob("*.json"):
        path.write_text("{")
    Estimator("cpu").estimate(quickstart())
    assert (len(children.traced), children.contexts) == (2, 2)


def test_a_measured_peak_replaces_the_trace(children, tmp_path):
    estimator = Estimator("cpu", tmp_path / "history.jsonl")
    estimator.record(quickstart(), peak_bytes=500 * MIB)
    found = estimator.estimate(quickstart("seed=9"))
    assert found.source == "measured"
    assert 500 * MIB <= found.bytes <= 1.05 * 500 * MIB
    assert children.traced == []


def test_a_peak_measured_on_another_device_is_not_believed(children, tmp_path):
    Estimator("cpu", tmp_path / "history.jsonl").record(quickstart(), peak_bytes=500 * MIB)
    assert Estimator("cuda:7", tmp_path / "history.jsonl").estimate(quickstart()).source == "traced"


def test_time_is_unknown_before_anything_was_measured(children):
    found = Estimator("cpu").estimate(quickstart())
    assert (found.seconds, found.low_seconds, found.high_seconds) == (None, None, None)


def test_time_of_a_measured_kind_scales_with_epochs(children, tmp_path):
    estimator = Estimator("cpu", tmp_path / "history.jsonl")
    estimator.record(quickstart("train.epochs=20"), peak_bytes=None, seconds=100.0, step_seconds=0.1)
    found = estimator.estimate(quickstart("train.epochs=40"))
    assert found.seconds == pytest.approx(200.0)
    assert found.low_seconds < 200.0 < found.high_seconds


def test_time_of_an_unmeasured_kind_comes_from_its_work_with_a_wide_range(children, tmp_path):
    estimator = Estimator("cpu", tmp_path / "history.jsonl")
    estimator.estimate(quickstart())
    estimator.record(quickstart(), peak_bytes=None, seconds=40.0, step_seconds=0.1)
    found = estimator.estimate(quickstart("model.hidden=32", "train.epochs=10"))
    # 21e9 operations an epoch at 1e10 a second
    assert found.seconds == pytest.approx(21.0)
    assert found.high_seconds / found.low_seconds > 4


def test_threads_decide_the_share_of_a_cpu_and_which_times_count(children, tmp_path):
    history = tmp_path / "history.jsonl"
    one = Estimator("cpu", history, threads=1)
    one.record(quickstart(), peak_bytes=None, seconds=40.0)
    assert one.estimate(quickstart()).compute_share == pytest.approx(1 / module.count_cores())
    assert one.estimate(quickstart()).seconds is not None
    assert Estimator("cpu", history, threads=2).estimate(quickstart()).seconds is None


def test_only_finished_jobs_are_remembered(children, tmp_path):
    estimator = Estimator("cpu", tmp_path / "history.jsonl")
    job = Job("a", quickstart(), tmp_path)
    summary = {"seconds": {"train": 8.0, "validate": 2.0}, "steps": 80}
    estimator.record_outcome(job, Outcome("a", "pruned", "", summary, peak_bytes=9 * MIB))
    assert estimator.estimate(quickstart()).source == "traced"
    estimator.record_outcome(job, Outcome("a", "finished", "", summary, peak_bytes=90 * MIB))
    found = estimator.estimate(quickstart())
    assert (found.source, found.seconds) == ("measured", 10.0)


def test_what_a_worker_takes_besides_its_run_is_part_of_the_time(children, tmp_path):
    estimator = Estimator("cpu", tmp_path / "history.jsonl")
    summary = {"seconds": {"train": 8.0, "validate": 2.0}, "steps": 80}
    for whole in (12.0, 13.0, 19.0):
        ended = Outcome("a", "finished", "", summary, peak_bytes=MIB, worker_seconds=whole)
        estimator.record_outcome(Job("a", quickstart(), tmp_path), ended)
    found = estimator.estimate(quickstart("train.epochs=40"))  # twice as many as were measured
    assert (found.seconds, found.startup_seconds) == (23.0, 3.0)
    assert found.low_seconds > 18.0 + 2.9


def test_a_run_that_another_machine_had_begun_says_nothing_of_a_workers_start(children, tmp_path):
    estimator = Estimator("cpu", tmp_path / "history.jsonl")
    summary = {"seconds": {"train": 80.0}, "steps": 80}
    ended = Outcome("a", "finished", "", summary, peak_bytes=MIB, worker_seconds=12.0)
    estimator.record_outcome(Job("a", quickstart(), tmp_path), ended)
    (kept,) = estimator._history.read(estimator._machine)
    assert (kept.seconds, kept.startup_seconds) == (80.0, None)


def test_a_measured_peak_on_a_gpu_tells_the_images_which_may_be_shared(children, tmp_path):
    estimator = Estimator("cuda", tmp_path / "history.jsonl")
    estimator.estimate(quickstart())  # traces
    estimator.record(quickstart(), peak_bytes=490 * MIB)
    parts = estimator.estimate(quickstart()).parts
    assert (parts["measured"], parts["data"], parts["context"]) == (85 * MIB, 5 * MIB, 400 * MIB)


def on_a_gpu(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "has_gpu", lambda: True)
    return Estimator("cuda", tmp_path / "history.jsonl")


def test_a_measured_peak_on_a_gpu_tells_the_context_which_no_allocator_counts(children, monkeypatch, tmp_path):
    estimator = on_a_gpu(monkeypatch, tmp_path)
    first = estimator.estimate(quickstart())
    estimator.record(quickstart(), peak_bytes=500 * MIB)
    second = estimator.estimate(quickstart())
    assert (first.parts["context"], second.parts["context"]) == (300 * MIB, 300 * MIB)
    assert second.bytes == 515 * MIB


def test_a_context_that_finds_no_room_on_the_gpu_is_assumed_and_measured_later(children, monkeypatch, tmp_path):
    def refuse(wanted):
        raise RunError("the process ended with exit code 1: torch.OutOfMemoryError: CUDA out of memory")

    with monkeypatch.context() as full:
        full.setattr(module, "ask_for_context", refuse)
        assert on_a_gpu(monkeypatch, tmp_path).estimate(quickstart()).parts["context"] == 400 * MIB
    assert on_a_gpu(monkeypatch, tmp_path).estimate(quickstart()).parts["context"] == 300 * MIB


def test_other_peoples_memory_is_not_taken_for_the_context(children, monkeypatch, tmp_path):
    monkeypatch.setattr(module, "ask_for_context", lambda wanted: 60_000 * MIB)
    assert on_a_gpu(monkeypatch, tmp_path).estimate(quickstart()).parts["context"] == 400 * MIB


def test_a_gpu_that_does_not_work_is_an_error_at_once(children, monkeypatch, tmp_path):
    def refuse(wanted):
        raise RunError("the process ended with exit code 1: CUDA driver version is insufficient")

    monkeypatch.setattr(module, "ask_for_context", refuse)
    with pytest.raises(RunError, match="insufficient"):
        on_a_gpu(monkeypatch, tmp_path).estimate(quickstart())


def test_an_experiment_that_cannot_be_built_is_named(children):
    children.answer = "no such data"
    with pytest.raises(UsageError, match=r"quickstart.*no such data"):
        Estimator("cpu").estimate(quickstart())


def test_many_kinds_are_shared_out_over_a_few_children(children):
    found = Estimator("cpu").estimate_all([quickstart(f"data.batch_size={size}") for size in range(2, 52)])
    assert [len(names) for names in children.traced] == [32, 18]
    assert len(found) == 50


def test_a_device_that_is_none_is_refused():
    with pytest.raises(UsageError, match="'tpu' is not"):
        Estimator("tpu")


def test_a_child_that_crashes_is_an_error_that_says_how(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    crash = Path(tmp_path / "crash.sh")
    crash.write_text('#!/bin/sh\necho "first words" >&2\nkill -SEGV $$\n')
    crash.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(crash))
    with pytest.raises(RunError, match=r"quickstart(.|\n)*signal 11(.|\n)*first words"):
        Estimator("cpu").estimate(quickstart())
