"""Muon: the momentum of every matrix, orthogonalised before it becomes the update.

Source: Jordan 2024, "Muon" and airbench94_muon; quintic Newton-Schulz coefficients from there. Filters of one shape are
orthogonalised together in one batched product.
"""

import fnmatch
import glob
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, overload

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.optim import Optimizer

from windtunnel.config.optim import ParameterGroup
from windtunnel.optim.groups import group_parameters

_QUINTIC = (3.4445, -4.7750, 2.0315)
_SMALLEST_NORM = 1e-7
_GRAM_PAYS = (
    1.5  # columns over rows from which on iterating on the Gram matrix takes fewer products, for any step count
)


def build_muon(
    model: nn.Module,
    *,
    lr: float,
    momentum: float,
    newton_schulz_steps: int,
    renormalize: bool,
    match: str,
    exclude: str | None,
    sgd_lr: float,
    sgd_momentum: float,
    weight_decay: float,
    groups: Sequence[ParameterGroup],
) -> "Muon":
    """Return Muon over ``model``'s matrices and filters whose names match, with momentum SGD over the rest.

    Without ``exclude`` the last linear layer belongs to the rest: its rows are classes, which are no directions to keep
    at right angles (Jordan 2024 leaves it out, too).
    """
    left_out = _find_last_linear(model) if exclude is None else exclude

    def is_matrix(name: str, parameter: nn.Parameter) -> bool:
        matched = fnmatch.fnmatchcase(name, match) and not fnmatch.fnmatchcase(name, left_out)
        return parameter.ndim >= 2 and matched

    matrices = group_parameters(model, groups, lr=lr, weight_decay=weight_decay, only=is_matrix)
    rest = group_parameters(
        model, groups, lr=sgd_lr, weight_decay=weight_decay, only=lambda *item: not is_matrix(*item)
    )
    orthogonal = [group | {"orthogonal": True, "momentum": momentum} for group in matrices]
    plain = [group | {"orthogonal": False, "momentum": sgd_momentum} for group in rest]
    return Muon([*orthogonal, *plain], newton_schulz_steps=newton_schulz_steps, renormalize=renormalize)


def _find_last_linear(model: nn.Module) -> str:
    """Return the pattern of the names of the last linear layer's parameters; of a network without one, of none."""
    names = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    return glob.escape(f"{names[-1]}.") + "*" if names else ""


class Muon(Optimizer):
    """``buf = mu buf + g; u = g + mu buf``; matrices move by the orthogonalised ``u``, the rest by ``u`` itself.

    Args:
        params: groups with ``orthogonal``, ``momentum``, ``lr`` and ``weight_decay``; the last decays as L2 where the
            update is plain and decoupled, times the learning rate, where it is orthogonal.
        newton_schulz_steps: iterations of the orthogonalisation.
        renormalize: scale each matrix to norm sqrt(rows) before its update.
    """

    def __init__(self, params: list[dict[str, Any]], *, newton_schulz_steps: int, renormalize: bool) -> None:
        super().__init__(params, {"lr": 0.0, "weight_decay": 0.0})
        self._steps, self._renormalize = newton_schulz_steps, renormalize

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Update every parameter that has a gradient."""
        loss = closure() if closure is not None else None
        for group in self.param_groups:
            parameters: list[Tensor] = [parameter for parameter in group["params"] if parameter.grad is not None]
            if not parameters:
                continue
            updates = self._nesterov(parameters, group)
            if group["orthogonal"]:
                self._move_matrices(parameters, updates, group)
            else:
                _move(parameters, updates, group["lr"])
        return loss

    def _nesterov(self, parameters: list[Tensor], group: dict[str, Any]) -> list[Tensor]:
        gradients: list[Tensor] = [parameter.grad for parameter in parameters if parameter.grad is not None]
        if group["weight_decay"] and not group["orthogonal"]:
            gradients = list(torch._foreach_add(gradients, parameters, alpha=group["weight_decay"]))
        buffers = [self._buffer(parameter) for parameter in parameters]
        torch._foreach_mul_(buffers, group["momentum"])
        torch._foreach_add_(buffers, gradients)
        return list(torch._foreach_add(gradients, buffers, alpha=group["momentum"]))

    def _buffer(self, parameter: Tensor) -> Tensor:
        state: dict[str, Tensor] = self.state[parameter]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(parameter)
        return state["momentum_buffer"]

    def _move_matrices(self, parameters: list[Tensor], updates: list[Tensor], group: dict[str, Any]) -> None:
        if group["weight_decay"]:
            torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])
        if self._renormalize:
            torch._foreach_mul_(parameters, self._scales(parameters))
        by_shape: dict[torch.Size, list[int]] = defaultdict(list)
        for index, update in enumerate(updates):
            by_shape[update.flatten(1).shape].append(index)
        for indices in by_shape.values():
            stacked = torch.stack([updates[index].flatten(1) for index in indices])
            orthogonal = orthogonalize(stacked, steps=self._steps).unbind()
            moved = [parameters[index] for index in indices]
            _move(moved, [update.view_as(to) for update, to in zip(orthogonal, moved, strict=True)], group["lr"])

    def _scales(self, parameters: list[Tensor]) -> list[Tensor]:
        norms = torch._foreach_norm(parameters)
        return [len(p) ** 0.5 / norm.clamp_min(_SMALLEST_NORM) for p, norm in zip(parameters, norms, strict=True)]


def _move(parameters: list[Tensor], updates: list[Tensor], lr: float | Tensor) -> None:
    """Subtract ``lr * updates``; a rate on the device, as a recorded update has it, is never looked at on the host."""
    if isinstance(lr, Tensor):
        torch._foreach_sub_(parameters, torch._foreach_mul(updates, lr))
    else:
        torch._foreach_sub_(parameters, updates, alpha=lr)


def orthogonalize(matrices: Float[Tensor, "n r c"], *, steps: int) -> Float[Tensor, "n r c"]:
    """Return matrices of the same singular vectors with all singular values near 1, by Newton-Schulz iteration.

    Computed in bfloat16 on CUDA, as published, and in float32 on CPUs, where bfloat16 is slower.
    """
    x = matrices.bfloat16() if matrices.is_cuda else matrices.float()
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp_min(_SMALLEST_NORM)
    tall = x.shape[1] > x.shape[2]
    x = x.mT if tall else x
    pays = x.dtype is torch.float32 and x.shape[2] > _GRAM_PAYS * x.shape[1]
    x = _iterate_on_gram(x, steps) if pays else _iterate(x, steps)
    return (x.mT if tall else x).to(matrices.dtype)


def _iterate(x: Float[Tensor, "n r c"], steps: int) -> Float[Tensor, "n r c"]:
    """Iterate ``x <- (a + b G + c G^2) x`` with ``G = x x^T``."""
    a, b, c = _QUINTIC
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x


def _iterate_on_gram(x: Float[Tensor, "n r c"], steps: int) -> Float[Tensor, "n r c"]:
    """Do the same on the small ``G`` alone: its polynomials commute, so ``G <- P^2 G`` and ``x`` is needed twice only.

    Of ``steps * (2 c / r + 1)`` products of r x r matrices it leaves ``2 c / r + 4 * steps - 3``. It squares the
    condition, which float32 has room for and bfloat16 has not.
    """
    a, b, c = _QUINTIC
    gram = x @ x.mT
    product = None
    for step in range(steps):
        polynomial = b * gram + c * gram @ gram
        polynomial.diagonal(dim1=1, dim2=2).add_(a)
        product = polynomial if product is None else polynomial @ product
        if step < steps - 1:
            gram = polynomial @ polynomial @ gram
    return x if product is None else product @ x
