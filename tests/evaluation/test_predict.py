from collections.abc import Iterator

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from windtunnel.core.types import Batch
from windtunnel.evaluation.predict import find_least_confident, predict_logits
from windtunnel.evaluation.tta import PlainView, WeightedViews
from windtunnel.evaluation.views import HorizontalFlip, Original, VerticalFlip


class Images:
    """A loader of random images in batches."""

    def __init__(self, seed: int, count: int, batch_size: int) -> None:
        images = torch.randn(count, 2, 2, 3, generator=torch.Generator().manual_seed(seed))
        self.images = images.contiguous(memory_format=torch.channels_last)
        self.batch_size = batch_size

    def __len__(self) -> int:
        return -(-len(self.images) // self.batch_size)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        for images in self.images.split(self.batch_size):
            yield Batch(images, torch.zeros(len(images), dtype=torch.int64), torch.zeros(len(images)))


class Net(nn.Module):
    """A fixed linear map that remembers the sizes of its batches and whether it was training."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []
        self.layouts: set[bool] = set()
        self.modes: set[bool] = set()

    def forward(self, images: Tensor) -> Tensor:
        self.sizes.append(len(images))
        self.modes.add(self.training)
        self.layouts.add(images.stride()[1] == 1)
        return images.flatten(1) @ torch.linspace(-1, 1, 48).view(12, 4).cos()


def _views(fraction: float) -> WeightedViews:
    views = [Original(weight=1), HorizontalFlip(weight=2), VerticalFlip(weight=1)]
    return WeightedViews(views=views, only_least_confident=fraction)


@given(st.integers(0, 999), st.integers(1, 40), st.integers(1, 12), st.floats(0, 1))
def test_exactly_the_least_confident_images_get_all_views(seed: int, count: int, batch: int, fraction: float) -> None:
    loader = Images(seed, count, batch)
    plain, full, mixed = (predict_logits(Net(), loader, views) for views in (PlainView(), _views(1), _views(fraction)))
    probabilities = plain.softmax(1).sort(1).values
    ranked = sorted(range(count), key=lambda row: (probabilities[row, -1] - probabilities[row, -2]).item())
    chosen = set(ranked[: round(fraction * count)])
    for row in range(count):
        assert torch.allclose(mixed[row], full[row] if row in chosen else plain[row], atol=1e-6)


def test_all_is_the_full_mean_and_none_is_the_plain_pass_bit_for_bit() -> None:
    loader = Images(0, 20, 8)
    assert torch.equal(predict_logits(Net(), loader, _views(0)), predict_logits(Net(), loader, PlainView()))
    full = WeightedViews(views=_views(1).views)
    assert torch.equal(predict_logits(Net(), loader, _views(1)), predict_logits(Net(), loader, full))


@pytest.mark.parametrize(("fraction", "passes"), [(0.0, 20), (0.5, 40), (1.0, 60)])
def test_images_cost_the_passes_that_the_views_say(fraction: float, passes: int) -> None:
    net, views = Net(), _views(fraction)
    predict_logits(net, Images(0, 20, 8), views)
    assert sum(net.sizes) == passes == views.passes_per_image * 20


def test_chosen_images_fill_whole_batches() -> None:
    net = Net()
    predict_logits(net, Images(0, 40, 8), _views(0.5))
    assert net.sizes[5:] == [8, 8, 8, 8, 4, 4]
    assert net.layouts == {True}


def test_ties_go_to_the_first() -> None:
    assert find_least_confident(torch.zeros(4, 3), 0.5).tolist() == [0, 1]


def test_model_predicts_in_eval_mode_and_is_left_as_it_was() -> None:
    net = Net().train()
    predict_logits(net, Images(0, 4, 2), PlainView())
    assert net.modes == {False} and net.training
