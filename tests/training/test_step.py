import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import nn

from windtunnel.config.experiment import Experiment
from windtunnel.core.types import Batch
from windtunnel.errors import ConfigError, UsageError
from windtunnel.optim.groups import training_groups
from windtunnel.training.assemble import Parts, assemble, initialise_from_data
from windtunnel.training.graph import RecordedUpdate, check_can_compile, check_can_record
from windtunnel.training.state import TrainState
from windtunnel.training.step import train_step, update_weights
from windtunnel.training.weights import judged_weights

CPU = torch.device("cpu")


def with_parts(tiny: Experiment, *, norm: bool = True, **fields: Any) -> Parts:
    tree = tiny.model_dump() | {"averaging": None} | fields
    parts = assemble(Experiment.model_validate(tree))
    if not norm:
        for module in parts.model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.forward = lambda images: images
    return parts


def batches(parts: Parts, count: int) -> list[Batch]:
    return [batch for batch, _ in zip(parts.loader.epoch(0), range(count), strict=False)]


def weights(parts: Parts) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in parts.model.parameters()])


def train_on(parts: Parts, count: int = 3, update: Any = None) -> TrainState:
    state = TrainState.fresh(CPU)
    for batch in batches(parts, count):
        train_step(parts, state, batch, update)
    return state


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_accumulated_parts_make_the_whole_batch_s_update(tiny: Experiment, reduction: str) -> None:
    loss = {"name": "cross_entropy", "reduction": reduction}
    optim = tiny.optim.model_dump() | {"lr": 0.05 if reduction == "mean" else 0.003}
    whole = with_parts(tiny, norm=False, loss=loss, optim=optim)
    divided = with_parts(tiny, norm=False, loss=loss, optim=optim, train=tiny.train.model_dump() | {"accumulate": 3})
    assert train_on(whole).loss_sum.item() == pytest.approx(train_on(divided).loss_sum.item(), rel=1e-5)
    torch.testing.assert_close(weights(whole), weights(divided), rtol=1e-4, atol=1e-6)


def test_accumulation_of_more_parts_than_images_is_refused(tiny: Experiment) -> None:
    with pytest.raises(ValueError, match=r"train\.accumulate 17"):
        with_parts(tiny, train=tiny.train.model_dump() | {"accumulate": 17})


def test_accumulation_and_class_weights_of_the_mean_contradict_each_other(tiny: Experiment) -> None:
    with pytest.raises(ValueError, match="class_weights"):
        with_parts(
            tiny,
            train=tiny.train.model_dump() | {"accumulate": 2},
            loss={"name": "cross_entropy", "class_weights": [1.0] * 10},
        )


@pytest.mark.parametrize("adaptive", [False, True])
def test_sam_steps_along_the_gradient_at_the_worst_point(tiny: Experiment, adaptive: bool) -> None:
    sam = {"rho": 0.1, "adaptive": adaptive}
    parts = with_parts(tiny, norm=False, train=tiny.train.model_dump() | {"sam": sam})
    plain = with_parts(tiny, norm=False)
    batch = batches(parts, 1)[0]
    start = copy.deepcopy(plain.model.state_dict())
    plain.loss(plain.model(batch.images), batch.labels).backward()
    tensors = [parameter for parameter in plain.model.parameters() if parameter.grad is not None]
    scale = [p.detach().abs() if adaptive else torch.ones_like(p) for p in tensors]
    norm = torch.cat([(s * p.grad).flatten() for s, p in zip(scale, tensors, strict=True)]).norm()
    with torch.no_grad():
        for size, tensor in zip(scale, tensors, strict=True):
            tensor += 0.1 * size**2 * tensor.grad / norm
            tensor.grad = None
    plain.loss(plain.model(batch.images), batch.labels).backward()
    plain.model.load_state_dict(start)
    plain.optimizer.step()
    train_step(parts, TrainState.fresh(CPU), batch)
    torch.testing.assert_close(weights(parts), weights(plain), rtol=1e-4, atol=1e-6)


def test_sam_counts_a_batch_once_in_the_running_statistics(tiny: Experiment) -> None:
    sam, plain = with_parts(tiny, train=tiny.train.model_dump() | {"sam": {}}), with_parts(tiny)
    for parts in (sam, plain):
        train_on(parts, 1)
    for name, buffer in plain.model.named_buffers():
        if "running" in name:
            assert torch.equal(buffer, sam.model.get_buffer(name))


def test_sam_keeps_the_running_statistics_when_the_scaled_loss_overflows(tiny: Experiment) -> None:
    runtime = tiny.runtime.model_dump() | {"precision": "float16"}
    parts = with_parts(tiny, train=tiny.train.model_dump() | {"sam": {}}, runtime=runtime)
    scale_loss(parts, 2.0**120)
    train_on(parts, 1)
    assert parts.scaler.get_scale() < 2.0**120
    assert all(bool(buffer.isfinite().all()) for buffer in parts.model.buffers())


def test_momentum_begins_at_zero_when_the_loss_scaler_skips_the_first_update(
    tiny: Experiment, uninitialized_memory_is_nan: None
) -> None:
    parts = with_parts(tiny, runtime=tiny.runtime.model_dump() | {"precision": "float16"})
    before = weights(parts)
    scale_loss(parts, 2.0**120)
    train_on(parts, 1)
    assert torch.equal(weights(parts), before)
    assert not any(state["momentum_buffer"].any() for state in parts.optimizer.state.values())


@pytest.fixture
def uninitialized_memory_is_nan() -> Iterator[None]:
    """Let torch fill memory that nobody has written, as it does while it is asked to be deterministic."""
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


def scale_loss(parts: Parts, scale: float) -> None:
    parts.scaler.scale(torch.zeros(()))  # which makes the scale
    parts.scaler.update(scale)


@pytest.mark.parametrize("train", [{"accumulate": 2}, {"sam": {}}], ids=["accumulate", "sam"])
def test_answers_are_read_before_the_next_pass_writes_over_them(tiny: Experiment, train: dict[str, Any]) -> None:
    plain, captured = (with_parts(tiny, train=tiny.train.model_dump() | train) for _ in range(2))
    answers: list[torch.Tensor] = []

    def write_over(module: nn.Module, inputs: Any, output: torch.Tensor) -> None:
        for answer in answers:
            answer.detach().fill_(float("nan"))
        answers[:] = [output]

    captured.model.register_forward_hook(write_over)
    assert train_on(captured).right_sum == train_on(plain).right_sum


@pytest.mark.parametrize("mode", ["reduce-overhead", "max-autotune"])
def test_compiled_graphs_do_not_go_with_recorded_ones_or_added_up_gradients(tiny: Experiment, mode: str) -> None:
    def on(device: str, **fields: Any) -> None:
        experiment = tiny.model_copy(
            update={
                "runtime": tiny.runtime.model_copy(update={"compile": mode} | fields.get("runtime", {})),
                "train": tiny.train.model_copy(update=fields.get("train", {})),
            }
        )
        check_can_compile(experiment, torch.device(device))

    on("cuda")
    on("cpu", train={"accumulate": 2})
    with pytest.raises(UsageError, match=r"train\.accumulate"):
        on("cuda", train={"accumulate": 2})
    with pytest.raises(UsageError, match=r"runtime\.cuda_graph"):
        on("cuda", runtime={"cuda_graph": True})


def test_resizing_trains_low_precision_weights(tiny: Experiment) -> None:
    runtime = tiny.runtime.model_dump() | {"precision": "bfloat16", "low_precision_weights": True}
    parts = with_parts(tiny, train=tiny.train.model_dump() | {"resize": [[0.0, 6]]}, runtime=runtime)
    assert train_on(parts, 1).step == 1


def test_freezing_everything_on_the_way_is_refused(tiny: Experiment) -> None:
    groups = [{"match": "*.weight", "train_epochs": 1.0}, {"match": "*", "train_epochs": 3.5}]
    with pytest.raises(ConfigError, match=r"optim\.groups: freeze every parameter before train\.epochs=4"):
        with_parts(tiny, optim={"name": "sgd", "groups": groups})
    groups[1]["train_epochs"] = 4.0
    with_parts(tiny, optim={"name": "sgd", "groups": groups})


def test_a_single_image_for_batch_norm_is_refused_where_it_has_no_statistics(tiny: Experiment) -> None:
    data = tiny.data.model_dump() | {"train_limit": 97, "drop_last": False}
    with pytest.raises(ConfigError, match=r"data\.batch_size: leaves a single image to a pass"):
        with_parts(tiny, model={"name": "resnet18"}, data=data)
    with_parts(tiny, data=data)  # its batch norms see more than one pixel


def test_averages_begin_with_the_weights_that_were_set_from_the_data(tiny: Experiment) -> None:
    ema = {"decay": 0.99, "warmup": False}
    parts = with_parts(tiny, ema=ema, averaging={"name": "lookahead", "every": 1, "alpha": 0.0})
    parameter = next(parts.model.parameters())
    parts.model.initialise_from = lambda images: parameter.fill_(images.mean() + 3.0)
    initialise_from_data(parts)
    expected = parameter.detach().clone()
    assert expected.unique().numel() == 1
    assert parts.averaging is not None
    assert parts.ema is not None
    parts.averaging.update(1, 10)
    assert torch.equal(parameter, expected)
    with parts.ema.swapped_in():
        assert torch.equal(parameter, expected)


def test_ema_of_low_precision_weights_moves_as_far_as_that_of_float32(tiny: Experiment) -> None:
    runtime = tiny.runtime.model_dump() | {"precision": "bfloat16", "low_precision_weights": True}
    parts = with_parts(tiny, ema={"decay": 0.999, "warmup": False}, runtime=runtime)
    parameter = next(parts.model.parameters())
    assert parts.ema is not None
    with torch.no_grad():
        parameter.fill_(1.0)
        parts.ema.restart()
        parameter.fill_(2.0)
    for step in range(1, 501):
        parts.ema.update(step)
    with parts.ema.swapped_in():
        assert parameter.flatten()[0].item() == pytest.approx(2 - 0.999**500, abs=0.01)
    assert parameter.flatten()[0] == 2.0


def test_resizing_trains_on_the_size_of_the_epoch(tiny: Experiment) -> None:
    parts = with_parts(tiny, train=tiny.train.model_dump() | {"resize": [[0.0, 6], [1.0, 7], [2.0, 8]]})
    seen: list[int] = []
    parts.model.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].shape[-1]))
    state = TrainState.fresh(CPU)
    for step in (0, 7, 8, 16, 31):
        state.step = step
        train_step(parts, state, batches(parts, 1)[0])
    assert seen == [6, 6, 7, 8, 8]


def test_a_size_the_network_cannot_take_is_named_before_training(tiny: Experiment) -> None:
    with pytest.raises(ConfigError, match=r"train\.resize\.0"):
        with_parts(tiny, model={"name": "mlp"}, train=tiny.train.model_dump() | {"resize": [[0.0, 6]]})


def test_ema_is_the_recursive_mean_of_weights_and_statistics(tiny: Experiment) -> None:
    parts = with_parts(tiny, ema={"decay": 0.8, "warmup": False})
    average = {name: tensor.clone() for name, tensor in parts.model.state_dict().items()}
    state = TrainState.fresh(CPU)
    for batch in batches(parts, 4):
        train_step(parts, state, batch)
        for name, tensor in parts.model.state_dict().items():
            average[name] = 0.8 * average[name] + 0.2 * tensor if tensor.is_floating_point() else tensor.clone()
    raw = weights(parts)
    assert parts.ema is not None
    with parts.ema.swapped_in():
        for name, tensor in parts.model.state_dict().items():
            torch.testing.assert_close(tensor, average[name])
    assert torch.equal(weights(parts), raw)


def test_learning_rates_scale_linearly_with_the_batch(tiny: Experiment) -> None:
    train = tiny.train.model_dump() | {"lr_scaling": {"rule": "linear", "reference": 64}}
    parts = with_parts(tiny, train=train, schedule={"name": "constant"})
    train_on(parts, 1)
    assert parts.optimizer.param_groups[0]["lr"] == pytest.approx(0.05 * 16 / 64)


class Recorder:
    """Stands for CUDA's: replaying does the same again on the same tensors."""

    def __init__(self) -> None:
        self.usual = self.recorded = 0

    def run(self, function: Callable[[], None]) -> None:
        self.usual += 1
        function()

    def record(self, function: Callable[[], None]) -> Callable[[], None]:
        self.recorded += 1
        return function


def record(parts: Parts, state: TrainState, recorder: Recorder) -> RecordedUpdate:
    return RecordedUpdate(
        lambda batch: update_weights(parts, state, batch), lambda: training_groups(parts.optimizer), recorder
    )


@pytest.mark.parametrize("optim", ["sgd", "adam", "adamw", "muon"])
def test_recorded_updates_train_like_ordinary_ones(tiny: Experiment, optim: str) -> None:
    ordinary, recorded = with_parts(tiny, optim={"name": optim}), with_parts(tiny, optim={"name": optim})
    for group in recorded.optimizer.param_groups:
        group["lr"] = torch.tensor(group["peak_lr"])
    state = TrainState.fresh(CPU)
    recorder = Recorder()
    update = record(recorded, state, recorder)
    for batch in batches(recorded, 6):
        train_step(recorded, state, batch, update)
    train_on(ordinary, 6)
    assert (recorder.usual, recorder.recorded) == (3, 1)
    # a rate on the device is a float32 number, on the host a float64 one; Muon makes the most of the difference
    torch.testing.assert_close(weights(recorded), weights(ordinary), rtol=1e-4, atol=1e-5)


def test_cuda_graphs_need_cuda() -> None:
    with pytest.raises(UsageError, match="needs a CUDA device"):
        check_can_record(CPU)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_graph_trains_like_ordinary_updates(tiny: Experiment) -> None:
    import windtunnel

    runtime = {"device": "cuda"}
    runs = [
        windtunnel.train(Experiment.model_validate(tiny.model_dump() | {"runtime": runtime | {"cuda_graph": graph}}))
        for graph in (False, True)
    ]
    losses = [run.summary["metrics"]["train_loss"] for run in runs]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_schedule_free_judges_its_average_and_trains_on_to_the_same_bits(tiny: Experiment) -> None:
    pytest.importorskip("schedulefree")
    fields = {"optim": {"name": "schedule_free_adamw", "norm_batches": 2}, "schedule": {"name": "constant"}}
    looked_at, left_alone = with_parts(tiny, **fields), with_parts(tiny, **fields)
    for parts in (looked_at, left_alone):
        train_on(parts, 3)
    training = weights(looked_at)
    with judged_weights(looked_at):
        assert not torch.equal(weights(looked_at), training)
    for parts in (looked_at, left_alone):
        train_on(parts, 3)
    for mine, theirs in zip(looked_at.model.state_dict().values(), left_alone.model.state_dict().values(), strict=True):
        assert torch.equal(mine, theirs)


def test_schedule_free_measures_batch_norm_for_its_average(tiny: Experiment) -> None:
    pytest.importorskip("schedulefree")
    fields = {"optim": {"name": "schedule_free_adamw", "norm_batches": 8}, "schedule": {"name": "constant"}}
    parts = with_parts(tiny, augment=[], **fields)
    train_on(parts, 5)
    first = next(module for module in parts.model.modules() if isinstance(module, nn.BatchNorm2d))
    inputs: list[torch.Tensor] = []
    with judged_weights(parts):
        hook = first.register_forward_pre_hook(lambda module, args: inputs.append(args[0]))
        with torch.no_grad():
            parts.model.eval()(torch.cat([batch.images for batch in parts.loader.epoch(0)]))
        hook.remove()
        torch.testing.assert_close(first.running_mean, inputs[0].mean((0, 2, 3)), rtol=1e-4, atol=1e-5)


def test_schedule_free_refuses_a_falling_rate(tiny: Experiment) -> None:
    with pytest.raises(ValueError, match="schedule: constant"):
        with_parts(tiny, optim={"name": "schedule_free_adamw"}, schedule={"name": "cosine"})


def test_a_group_that_freezes_on_the_way_gets_a_recording_of_its_own(tiny: Experiment) -> None:
    optim = {"name": "sgd", "groups": [{"match": "*.bias", "train_epochs": 0.5}]}
    ordinary, recorded = with_parts(tiny, optim=optim), with_parts(tiny, optim=optim)
    for group in recorded.optimizer.param_groups:
        group["lr"] = torch.tensor(group["peak_lr"])
    state, recorder = TrainState.fresh(CPU), Recorder()
    update = record(recorded, state, recorder)
    for parts, replayed in ((ordinary, None), (recorded, update)):
        mine = TrainState.fresh(CPU) if replayed is None else state
        for batch in batches(parts, 8):
            train_step(parts, mine, batch, replayed)
    assert (recorder.usual, recorder.recorded) == (6, 2)
    torch.testing.assert_close(weights(recorded), weights(ordinary), rtol=1e-4, atol=1e-5)


def test_a_graph_of_loss_scaling_is_refused(tiny: Experiment) -> None:
    with pytest.raises(ValueError, match="float16"):
        with_parts(tiny, runtime={"device": "cpu", "cuda_graph": True, "precision": "float16"})
