"""Several networks of one architecture as one: weights and statistics stacked, the step vectorised over them."""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.func import functional_call, grad_and_value, vmap

from windtunnel.core.types import Batch
from windtunnel.dispatch.fused.update import Rates, Stacked, StackedUpdate, build_update
from windtunnel.optim.losses import CrossEntropy
from windtunnel.training.assemble import Parts
from windtunnel.training.state import TrainState

_TINY_NORM = 1e-6  # torch.nn.utils.clip_grad_norm_'s

LossOf = Callable[[Tensor, Tensor, Tensor], Tensor]


class Stack:
    """Trains the networks of several runs by one update a step.

    The runs' own models and optimizers stay as they were until :meth:`unstack` brings them up to date.

    Args:
        runs: assembled runs whose experiments :func:`windtunnel.dispatch.fused.plan.fuse` took.
        states: their states, whose sums an update adds to.
        one_order: every run has the same batches, so that the first one's serve all.
    """

    def __init__(self, runs: Sequence[Parts], states: Sequence[TrainState], *, one_order: bool) -> None:
        self._runs, self._states, self._one_order = runs, states, one_order
        named = [dict(run.model.named_parameters()) for run in runs]
        trained = [name for name, parameter in named[0].items() if parameter.requires_grad]
        self._weights = {name: torch.stack([own[name].detach() for own in named]) for name in trained}
        self._fixed = {
            name: torch.stack([own[name].detach() for own in named]) for name in named[0] if name not in trained
        }
        buffers = [dict(run.model.named_buffers()) for run in runs]
        self._buffers = {name: torch.stack([own[name] for own in buffers]) for name in buffers[0]}
        self._template = copy.deepcopy(runs[0].model).to("meta").train()
        self._update = self._build_update()
        self._smoothing = torch.tensor([_smoothing_of(run) for run in runs], device=runs[0].device)
        self._step = self._build_step()

    def update(self, batches: Sequence[Batch]) -> None:
        """Update every network, each by its own batch, and add losses and hits to the states' sums.

        Raises:
            RuntimeError: the network draws random numbers or looks at values while it trains, which cannot be stacked.
        """
        if self._one_order:
            images, labels = batches[0].images, batches[0].labels
        else:
            images, labels = (torch.stack(column) for column in list(zip(*batches, strict=True))[:2])
        gradients, (losses, logits) = self._step(
            self._weights, self._fixed, self._buffers, images, labels, self._smoothing
        )
        self._clip(gradients)
        self._update.step(self._weights, gradients)
        self._add_to_sums(losses, logits, labels)

    def unstack(self) -> None:
        """Copy weights, statistics and optimizer states into the runs' own models and optimizers."""
        with torch.no_grad():
            for index, run in enumerate(self._runs):
                for name, parameter in run.model.named_parameters():
                    if name in self._weights:
                        parameter.copy_(self._weights[name][index])
                        run.optimizer.state[parameter] = self._update.state_of(name, index)
                for name, buffer in run.model.named_buffers():
                    buffer.copy_(self._buffers[name][index])

    def _build_update(self) -> StackedUpdate:
        first = self._runs[0]
        name_of = {id(parameter): name for name, parameter in first.model.named_parameters()}
        groups = first.optimizer.param_groups
        members = [[name_of[id(parameter)] for parameter in group["params"]] for group in groups]
        rates = Rates([run.optimizer for run in self._runs], members, first.device)
        return build_update(first.experiment.optim.name, rates, self._weights, groups[0])

    def _build_step(self) -> Callable[..., Any]:
        precision, loss_of = self._runs[0].precision, _loss_of(self._runs)

        def loss_and_logits(
            weights: Stacked, fixed: Stacked, buffers: Stacked, images: Tensor, labels: Tensor, smoothing: Tensor
        ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
            with precision.autocast():
                logits = functional_call(self._template, (weights, fixed, buffers), (images,))
            loss = loss_of(logits, labels, smoothing)
            return loss, (loss.detach(), logits.detach())

        def step(*arguments: Any) -> tuple[Stacked, tuple[Tensor, Tensor]]:
            gradients, (_, seen) = grad_and_value(loss_and_logits, has_aux=True)(*arguments)
            return gradients, seen

        batch = None if self._one_order else 0
        # a network that draws random numbers would not train as it does alone, so it is an error
        return vmap(step, in_dims=(0, 0, 0, batch, batch, 0), randomness="error")

    def _clip(self, gradients: Stacked) -> None:
        limits = [run.experiment.train.clip_norm for run in self._runs]
        if any(limit is None for limit in limits):
            return
        squares = [gradient.flatten(1).square().sum(1) for gradient in gradients.values()]
        norms = torch.stack(squares).sum(0).sqrt()
        factors = (torch.tensor(limits, device=norms.device) / (norms + _TINY_NORM)).clamp(max=1.0)
        for gradient in gradients.values():
            gradient.mul_(factors.view(-1, *[1] * (gradient.ndim - 1)))

    def _add_to_sums(self, losses: Float[Tensor, " k"], logits: Float[Tensor, "k b c"], labels: Tensor) -> None:
        soft = labels.ndim == (2 if self._one_order else 3)
        right = (logits.argmax(2) == (labels.argmax(-1) if soft else labels)).sum(1)
        scale = 1 if self._runs[0].experiment.loss.reduction == "sum" else logits.shape[1]
        for index, state in enumerate(self._states):
            state.loss_sum += losses[index] * scale
            state.right_sum += right[index]


def _smoothing_of(run: Parts) -> float:
    return float(getattr(run.experiment.loss, "label_smoothing", 0.0))


def _loss_of(runs: Sequence[Parts]) -> LossOf:
    """Return the loss of one run given its label smoothing; the runs' own where they all smooth alike."""
    first = runs[0].loss
    if not isinstance(first, CrossEntropy) or len({_smoothing_of(run) for run in runs}) == 1:
        return lambda logits, labels, smoothing: first(logits, labels)
    reduction = first.reduction

    def smoothed(logits: Tensor, labels: Tensor, smoothing: Tensor) -> Tensor:
        log_p = logits.float().log_softmax(1)
        hard = labels.ndim == 1
        hit = log_p.gather(1, labels[:, None]).squeeze(1) if hard else (labels * log_p).sum(1)
        losses = -((1 - smoothing) * hit + smoothing * log_p.mean(1))
        return losses.mean() if reduction == "mean" else losses.sum()

    return smoothed
