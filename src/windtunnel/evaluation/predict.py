"""Logits of every image a loader holds."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from windtunnel.core.types import Loader
from windtunnel.evaluation.tta import PlainView, Views


@torch.no_grad()  # not inference_mode: its tensors would poison graphs compiled later
def predict_logits(
    model: nn.Module, loader: Loader, views: Views, *, autocast: AbstractContextManager[None] | None = None
) -> Float[Tensor, "n k"]:
    """Return float32 logits of the loader's images in its order, the model in eval mode meanwhile.

    Where ``views.only_least_confident`` is below 1 all images get a plain pass, and that fraction of them (rounded
    to whole images) whose two largest probabilities lie closest get the views; the others keep their plain logits.
    """
    was_training = model.training
    model.eval()
    try:
        with autocast or nullcontext():
            if views.only_least_confident == 1:
                return torch.cat([views(model, batch.images) for batch in loader.epoch(0)])
            plain = torch.cat([PlainView()(model, batch.images) for batch in loader.epoch(0)])
            return _refine(model, loader, views, plain)
    finally:
        model.train(was_training)


def find_least_confident(logits: Float[Tensor, "n k"], fraction: float) -> Int64[Tensor, " m"]:
    """Return, ascending, the rows whose two largest probabilities lie closest; of equal ones the first.

    >>> find_least_confident(torch.tensor([[5.0, 0.0], [0.1, 0.0], [0.0, 2.0], [1.0, 1.0]]), 0.5)
    tensor([1, 3])
    """
    first, second = logits.softmax(1).topk(2).values.unbind(1)
    order = (first - second).argsort(stable=True)
    return order[: round(fraction * len(logits))].sort().values


def _refine(model: nn.Module, loader: Loader, views: Views, plain: Float[Tensor, "n k"]) -> Float[Tensor, "n k"]:
    rows = find_least_confident(plain, views.only_least_confident)
    done = 0
    for images in _gather(loader, rows.cpu()):
        chosen = rows[done : done + len(images)]
        plain[chosen] = views(model, images, plain[chosen])
        done += len(images)
    return plain


def _gather(loader: Loader, rows: Int64[Tensor, " m"]) -> Iterator[Float[Tensor, "b c h w"]]:
    """Yield the images at ``rows`` (ascending, on the CPU) in batches as large as the loader's."""
    held: list[Tensor] = []
    waiting = start = size = 0
    for batch in loader.epoch(0):
        size = max(size, len(batch.images))
        inside = rows[(rows >= start) & (rows < start + len(batch.images))] - start
        start += len(batch.images)
        if len(inside):  # joined to nothing, images would lose their layout
            held.append(batch.images[inside.to(batch.images.device)])  # index_select would lose it, too
        waiting += len(inside)
        if waiting >= size:
            merged = torch.cat(held)
            yield merged[:size]
            waiting -= size
            held = [merged[size:]] if waiting else []
    if waiting:
        yield torch.cat(held)
