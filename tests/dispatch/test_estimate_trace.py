"""Traces of real experiments against what can be counted by hand, torch's own tracker and torch's own allocator."""

import pytest
import torch
from torch._C._profiler import _EventType
from torch.distributed._tools.mem_tracker import MemTracker
from torch.nn import functional

from windtunnel.config.data import DataConfig, Digits, OfficialSplit
from windtunnel.config.experiment import Experiment
from windtunnel.dispatch.estimate.child import answer_traces
from windtunnel.dispatch.estimate.trace import trace
from windtunnel.training.assemble import assemble
from windtunnel.training.state import TrainState
from windtunnel.training.step import train_step


@pytest.fixture(scope="module", autouse=True)
def one_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def experiment(**fields):
    data = DataConfig(source=Digits(), split=OfficialSplit(validation=0.1), batch_size=64).model_dump()
    tree = {
        "name": "small",
        "data": data,
        "model": {"name": "cnn", "widths": [16, 16], "hidden": 16},
        "runtime": {"device": "cpu", "tune_allocator": False, "augment_backend": "torch"},
    }
    return Experiment.model_validate(tree | fields)


def weight_bytes(wanted):
    return sum(parameter.nbytes for parameter in assemble(wanted).model.parameters())


@pytest.mark.parametrize(("optim", "copies"), [("sgd", 1), ("adamw", 2)])
def test_weights_gradients_and_optimizer_state_are_counted_exactly(optim, copies):
    wanted = experiment(optim={"name": optim})
    traced, weights = trace(wanted), weight_bytes(wanted)
    assert traced.gradients == weights
    assert traced.optimizer_state == pytest.approx(copies * weights, abs=8 * 30)  # and a step counter each
    assert traced.train_peak > traced.parameters + traced.optimizer_state


def test_averages_and_accumulation_are_seen():
    plain = trace(experiment())
    averaged = trace(experiment(ema={}, averaging={"name": "lookahead_ema"}))
    assert averaged.averaging >= 2 * plain.gradients
    divided = trace(experiment(train={"accumulate": 4}))
    assert divided.activations < 0.5 * plain.activations


# torch 2.11 says so of every profile without a schedule, of which nothing is lost
@pytest.mark.filterwarnings("ignore:Warning. Profiler clears events:UserWarning")
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_training_peak_is_what_the_allocator_hands_out(precision):
    wanted = experiment(
        runtime={"device": "cpu", "tune_allocator": False, "augment_backend": "torch", "precision": precision}
    )
    assert trace(wanted).train_peak == pytest.approx(allocated_in_training(wanted), rel=0.05)


def allocated_in_training(wanted):
    """Return the most bytes torch's CPU allocator handed out, from its own events."""
    parts = assemble(wanted)
    state, live, peak = TrainState.fresh(parts.device), 0, 0
    with torch.profiler.profile(profile_memory=True) as profile:
        for _, batch in zip(range(3), parts.loader.epoch(0), strict=False):
            train_step(parts, state, batch)
    for _, size in sorted(allocations(profile.profiler.kineto_results.experimental_event_tree())):
        live += size
        peak = max(peak, live)
    return peak + sum(tensor.nbytes for tensor in parts.model.state_dict().values())


def allocations(events):
    for event in events:
        if event.tag == _EventType.Allocation:
            yield event.start_time_ns, event.extra_fields.alloc_size
        yield from allocations(event.children)


def test_training_peak_agrees_with_torchs_memory_tracker():
    wanted = experiment(optim={"name": "sgd", "momentum": 0.9})
    channels, classes, size = 1, 10, 64
    with torch.device("meta"):
        model = wanted.model.build(num_classes=classes, in_channels=channels, image_size=(8, 8))
        images, labels = torch.empty(size, channels, 8, 8), torch.zeros(size, dtype=torch.int64)
    optimizer, tracker = torch.optim.SGD(model.parameters(), momentum=0.9), MemTracker()
    tracker.track_external(model, optimizer, images, labels)
    with tracker:
        for _ in range(3):
            functional.cross_entropy(model(images), labels).backward()
            optimizer.step()
            optimizer.zero_grad()
            tracker.reset_mod_stats()
    theirs = tracker.get_tracker_snapshot("peak")[torch.device("meta")]["Total"]
    assert trace(wanted).train_peak == pytest.approx(theirs, rel=0.03)


def test_a_larger_evaluation_batch_raises_its_peak_only():
    small, large = (trace(experiment(evaluate={"batch_size": size})) for size in (16, 300))
    assert small.train_peak == large.train_peak
    assert large.evaluation_peak > 2 * small.evaluation_peak


def test_work_of_a_step_is_three_forward_passes_but_for_the_first_layer():
    traced = trace(experiment())
    images = 1438 - 1438 // 10
    forward = traced.evaluation_flops / (1438 - images) * 64
    assert 2.5 * forward < traced.step_flops <= 3 * forward


@pytest.mark.parametrize(("tta", "precision"), [("flip", "float16"), ("flip_translate", "bfloat16")])
def test_views_low_precision_muon_mixing_and_sam_can_be_traced_together(tta, precision):
    runtime = {"device": "cpu", "tune_allocator": False, "precision": precision, "low_precision_weights": True}
    fields = {"evaluate": {"tta": tta}, "augment": [{"name": "mixup"}], "train": {"clip_norm": 1.0, "sam": {}}}
    traced = trace(experiment(runtime=runtime, optim="muon", **fields))
    assert traced.evaluation_peak > 0


def test_a_child_answers_for_each_experiment_and_goes_on_after_one_that_fails(capsys, tmp_path):
    missing = experiment(data={"source": {"name": "npz", "path": str(tmp_path / "none.npz")}, "batch_size": 8})
    answer_traces([missing.model_dump(mode="json"), experiment().model_dump(mode="json")])
    first, second = capsys.readouterr().out.splitlines()
    assert "none.npz" in first
    assert '"traced"' in second
