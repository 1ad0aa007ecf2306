"""Logits of every image a loader holds."""

from contextlib import AbstractContextManager, nullcontext

import torch
from jaxtyping import Float
from torch import Tensor, nn

from windtunnel.core.types import Loader
from windtunnel.evaluation.tta import Views


@torch.no_grad()  # not inference_mode: its tensors would poison graphs compiled later
def predict_logits(
    model: nn.Module, loader: Loader, views: Views, *, autocast: AbstractContextManager[None] | None = None
) -> Float[Tensor, "n k"]:
    """Return float32 logits of the loader's images in its order, the model in eval mode meanwhile."""
    was_training = model.training
    model.eval()
    try:
        with autocast or nullcontext():
            return torch.cat([views(model, batch.images).float() for batch in loader.epoch(0)])
    finally:
        model.train(was_training)
