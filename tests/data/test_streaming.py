"""Streamed batches are the resident ones, bit for bit."""

import threading
import time

import pytest
import torch

from windtunnel.augment.engine import build_transform
from windtunnel.augment.standalone import parse_policy
from windtunnel.core.types import ImageBytes
from windtunnel.data.part import Part
from windtunnel.data.planning import WHOLE, Batching, Share
from windtunnel.data.resident import ResidentLoader
from windtunnel.data.streaming import StreamingLoader

BATCH = 8
POLICIES = ["none", "crop_flip", [{"name": "random_crop", "padding": 2}, {"name": "rotation"}, {"name": "mixup"}]]


def make_part(cut: bool) -> Part:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (60, 8, 8, 3), dtype=torch.uint8, generator=generator)
    whole = ImageBytes(pixels.permute(0, 3, 1, 2), torch.arange(60) % 3)
    return Part(whole, torch.arange(60)[::2] if cut else torch.arange(60))


def make_transform(policy, images, backend="torch"):
    options = {"mean": (0.5,) * 3, "std": (0.25,) * 3, "num_classes": 3, "seed": 5, "backend": backend}
    return build_transform(() if policy == "none" else parse_policy(policy), images, **options)


def make_loader(kind, *, policy="crop_flip", cut=True, share=WHOLE, backend="torch"):
    part = make_part(cut)
    batching = Batching(part.indices * 7, BATCH, seed=5, shuffle=True, drop_last=False, share=share)
    if kind == "resident":
        held = part.load(torch.device("cpu"))
        return ResidentLoader(held, make_transform(policy, held.images, backend), batching)
    nothing = torch.empty((0, *part.image_shape), dtype=torch.uint8)
    transform = make_transform(policy, nothing, backend)
    return StreamingLoader(part, transform, batching, device=torch.device("cpu"), workers=2)


def assert_same_batches(left, right):
    left, right = list(left), list(right)
    assert len(left) == len(right) > 0
    for one, other in zip(left, right, strict=True):
        assert all(a.equal(b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("backend", ["torch", "numba"])
@pytest.mark.parametrize("policy", POLICIES, ids=["none", "crop_flip", "mixup"])
@pytest.mark.parametrize("cut", [True, False])
def test_streamed_batches_are_the_resident_ones(policy, cut, backend):
    resident, streamed = (
        make_loader(kind, policy=policy, cut=cut, backend=backend) for kind in ("resident", "streaming")
    )
    assert len(resident) == len(streamed)
    for epoch in (0, 1):
        assert_same_batches(resident.epoch(epoch), streamed.epoch(epoch))


@pytest.mark.parametrize("start", [1, 3])
def test_streaming_from_any_step_goes_on_with_the_same_batches(start):
    loader = make_loader("streaming")
    assert_same_batches(loader.epoch(2, start), list(loader.epoch(2))[start:])


@pytest.mark.parametrize("kind", ["resident", "streaming"])
@pytest.mark.parametrize("policy", POLICIES, ids=["none", "crop_flip", "mixup"])
def test_the_shares_of_all_processes_make_up_each_batch(kind, policy):
    whole = make_loader(kind, policy=policy).epoch(1)
    shares = [make_loader(kind, policy=policy, share=Share(rank, 3)).epoch(1) for rank in range(3)]
    for batch, *parts in zip(whole, *shares, strict=True):
        assert all(torch.cat(pieces).equal(field) for field, *pieces in zip(batch, *parts, strict=True))


def streaming_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("windtunnel-stream")]


def test_leaving_an_epoch_early_ends_its_threads():
    batches = make_loader("streaming").epoch(0)
    next(batches)
    assert streaming_threads()
    batches.close()
    assert not streaming_threads()


def test_reading_stays_a_few_batches_ahead(monkeypatch):
    gathered = []
    gather = Part.gather
    monkeypatch.setattr(Part, "gather", lambda part, rows, **options: gathered.append(len(rows)) or gather(part, rows))
    batches = make_loader("streaming", cut=False).epoch(0)
    next(batches)
    deadline = time.monotonic() + 60
    while len(gathered) < 4 and time.monotonic() < deadline:
        time.sleep(0.01)
    batches.close()
    assert 4 <= len(gathered) <= 5


def test_a_failed_read_reaches_the_training_thread(monkeypatch):
    def fail(part, rows, **options):
        raise OSError("the disk is gone")

    monkeypatch.setattr(Part, "gather", fail)
    with pytest.raises(OSError, match="the disk is gone"):
        list(make_loader("streaming").epoch(0))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_streaming_to_the_gpu_gives_the_resident_batches():
    part, device = make_part(cut=True), torch.device("cuda", 0)
    batching = Batching(part.indices, BATCH, seed=5, shuffle=True, drop_last=False)
    held = part.load(device)
    resident = ResidentLoader(held, make_transform("crop_flip", held.images), batching)
    transform = make_transform("crop_flip", held.images[:0])
    assert_same_batches(
        resident.epoch(0), StreamingLoader(part, transform, batching, device=device, workers=2).epoch(0)
    )
