"""Optimizers and their parameter groups."""

from typing import Annotated, ClassVar, Literal

from pydantic import model_validator

from windtunnel.config.base import (
    Component,
    ComponentOf,
    Count,
    Flag,
    FrozenConfig,
    NonNegativeInt,
    NonNegativeReal,
    OpenFraction,
    PositiveReal,
    Text,
)


class ParameterGroup(FrozenConfig):
    """What is different for the parameters whose name matches; the first group that matches wins."""

    match: Text
    """Shell pattern on the parameter's dotted name, e.g. ``*.bias``; ``@norm`` and ``@bias`` mean the kind."""
    lr_scale: NonNegativeReal = 1.0
    """Learning rate relative to the optimizer's."""
    weight_decay: NonNegativeReal | None = None
    """Weight decay of the group; ``null`` keeps the optimizer's."""
    train_epochs: NonNegativeReal | None = None
    """Frozen after this many epochs; 0 freezes from the start, ``null`` trains throughout."""
    fades: Flag = False
    """Until it is frozen its rate falls in a line from its peak to 0, in place of the schedule (airbench94_muon)."""

    @model_validator(mode="after")
    def _fading_needs_an_end(self) -> "ParameterGroup":
        if self.fades and not self.train_epochs:
            raise ValueError("fades needs train_epochs above 0, the epochs until the rate is 0")
        return self


class _Optimizer(Component):
    weight_decay: NonNegativeReal = 0.0
    """Weight decay; coupled (L2) or decoupled as the optimizer has it."""
    groups: tuple[ParameterGroup, ...] = ()
    """Exceptions by parameter name."""

    def peak_rates(self) -> dict[str, float]:
        """Return the peak learning rates by field name, groups' scales left out."""
        return {field: getattr(self, field) for field in ("lr", "sgd_lr") if field in type(self).model_fields}


class Sgd(_Optimizer):
    """Stochastic gradient descent with momentum (torch.optim.SGD)."""

    target: ClassVar[str] = "windtunnel.optim.optimizers:build_sgd"
    name: Literal["sgd"] = "sgd"
    lr: PositiveReal = 0.1
    """Peak learning rate."""
    momentum: OpenFraction = 0.9
    """Momentum."""
    nesterov: Flag = True
    """Nesterov's form."""
    weight_decay: NonNegativeReal = 5e-4
    """L2 penalty, coupled as in torch."""

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> "Sgd":
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov needs momentum above 0; set nesterov: false or raise momentum")
        return self


class _AdamFamily(_Optimizer):
    lr: PositiveReal = 1e-3
    """Peak learning rate."""
    betas: tuple[OpenFraction, OpenFraction] = (0.9, 0.999)
    """Decay of the gradient's and of its square's running mean."""
    eps: PositiveReal = 1e-8
    """Added to the denominator."""


class Adam(_AdamFamily):
    """Adam with L2 penalty (torch.optim.Adam). Source: Kingma and Ba 2015."""

    target: ClassVar[str] = "windtunnel.optim.optimizers:build_adam"
    name: Literal["adam"] = "adam"


class AdamW(_AdamFamily):
    """Adam with decoupled weight decay (torch.optim.AdamW). Source: Loshchilov and Hutter 2019."""

    target: ClassVar[str] = "windtunnel.optim.optimizers:build_adamw"
    name: Literal["adamw"] = "adamw"
    weight_decay: NonNegativeReal = 1e-2
    """Weight decay, decoupled."""


class ScheduleFreeAdamW(_AdamFamily):
    """AdamW that averages instead of lowering its rate; wants ``schedule: constant``, with a warm-up.

    Evaluated and saved at its average. Package schedulefree. Source: Defazio et al. 2024.
    """

    target: ClassVar[str] = "windtunnel.optim.schedule_free:build_schedule_free_adamw"
    name: Literal["schedule_free_adamw"] = "schedule_free_adamw"
    lr: PositiveReal = 2.5e-3
    """Learning rate."""
    weight_decay: NonNegativeReal = 1e-2
    """Weight decay, decoupled."""
    norm_batches: NonNegativeInt = 50
    """Training batches that batch norm's statistics are measured on before an evaluation, since those gathered while
    training belong to other weights; 0 keeps them."""


class RmsProp(_Optimizer):
    """RMSProp (torch.optim.RMSprop). Source: Hinton 2012, lecture 6."""

    target: ClassVar[str] = "windtunnel.optim.optimizers:build_rmsprop"
    name: Literal["rmsprop"] = "rmsprop"
    lr: PositiveReal = 1e-3
    """Peak learning rate."""
    alpha: OpenFraction = 0.99
    """Decay of the squared gradient's running mean."""
    momentum: OpenFraction = 0.0
    """Momentum."""
    eps: PositiveReal = 1e-8
    """Added to the denominator."""


class Muon(_Optimizer):
    """Orthogonalised momentum for filters and matrices; momentum SGD for everything else.

    A filter bank counts as a matrix of (out, in * h * w). Source: Jordan 2024 (airbench94_muon).
    """

    target: ClassVar[str] = "windtunnel.optim.muon:build_muon"
    name: Literal["muon"] = "muon"
    lr: PositiveReal = 0.24
    """Peak learning rate of the orthogonalised update."""
    momentum: OpenFraction = 0.6
    """Nesterov momentum of the orthogonalised update."""
    newton_schulz_steps: Count = 3
    """Iterations of the orthogonalisation."""
    renormalize: Flag = True
    """Scale each matrix to norm sqrt(rows) before the update."""
    match: Text = "*"
    """Pattern of the parameter names that are orthogonalised, of those with two or more dimensions."""
    exclude: Text | None = None
    """Pattern of names that are not, although they match; null leaves out the last linear layer."""
    sgd_lr: PositiveReal = 0.05
    """Peak learning rate of the rest."""
    sgd_momentum: OpenFraction = 0.85
    """Nesterov momentum of the rest."""


OptimConfig = Annotated[Sgd | Adam | AdamW | ScheduleFreeAdamW | RmsProp | Muon, ComponentOf("optimizer")]
