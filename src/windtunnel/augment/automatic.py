"""RandAugment, TrivialAugment and AugMix: each image's own choice of ops, with torchvision's ranges."""

from abc import abstractmethod
from collections.abc import Mapping
from functools import lru_cache
from typing import ClassVar, Literal, NamedTuple

import torch
from jaxtyping import Float, Float64, Int8, Int64
from scipy import special
from torch import Tensor

from windtunnel.augment.geometry import AffineMap, Fill, Interpolation, affine_coefficients, warp_slot
from windtunnel.augment.instruction import Code, Slot, Step
from windtunnel.augment.mix import QUANTILES, quantile
from windtunnel.augment.op import Frame, Op, Params, Stream, check_fill

_WIDTH = 8
_DEEPEST_CHAIN = 3
_LEAST_GAMMA = 1e-300

_COLOURS = {
    "brightness": Code.BRIGHTNESS,
    "saturation": Code.SATURATION,
    "contrast": Code.CONTRAST,
    "sharpness": Code.SHARPNESS,
}


class Space(NamedTuple):
    """The ops an automatic policy chooses from, and their strongest magnitudes.

    Args:
        ops: names, all equally likely.
        shear: tangent of the angle.
        turn: degrees.
        move_x: pixels.
        move_y: pixels.
        colour: distance of a factor from 1.
        bits: kept bits at the weakest and the strongest posterize.
    """

    ops: tuple[str, ...]
    shear: float
    turn: float
    move_x: float
    move_y: float
    colour: float
    bits: tuple[int, int]


_GEOMETRY = ("shear_x", "shear_y", "translate_x", "translate_y", "rotate")
_TONES = ("posterize", "solarize", "autocontrast", "equalize")
_ALL = ("identity", *_GEOMETRY, *_COLOURS, *_TONES)


class AutomaticOp(Op):
    """An op that picks other ops by a table of (op, magnitude, sign)."""

    interpolation: Interpolation
    fill: Fill
    bins: int

    @abstractmethod
    def space(self, frame: Frame) -> Space:
        """Return what there is to choose from."""

    def check(self, frame: Frame) -> None:
        """Raise UsageError when the fill does not fit the channels."""
        super().check(frame)
        check_fill(self.name, self.fill, frame)

    def choose(self, drawn: Float[Tensor, "three *n"], bins: int, frame: Frame) -> Params:
        """Return ``op`` (index), ``bin`` and ``negative`` of n choices, one of the lowest ``bins``."""
        ops = self.space(frame).ops
        return {
            "op": torch.floor(drawn[0] * len(ops)).long(),
            "bin": torch.floor(drawn[1] * bins).long(),
            "negative": drawn[2] < 0.5,
        }

    def choice_slot(self, frame: Frame) -> Slot:
        """Return a slot in which any op of the space may happen."""
        codes, _ = choice_table(self.space(frame), self.bins, frame)
        members = tuple(Code(code) for code in sorted(set(codes.tolist())) if code)
        return warp_slot(frame, interpolation=self.interpolation, fill=self.fill)._replace(codes=members)

    def choice_step(self, op: Tensor, bins: Tensor, negative: Tensor, frame: Frame) -> Step:
        """Return the step of n choices."""
        codes, arguments = choice_table(self.space(frame), self.bins, frame)
        row = (op * self.bins + bins) * 2 + negative
        return Step(codes.to(op.device)[row], arguments.to(op.device)[row])


class RandAugment(AutomaticOp):
    """``num_ops`` random ops one after the other, all at one magnitude."""

    name: ClassVar[str] = "rand_augment"

    def __init__(
        self, *, num_ops: int, magnitude: int, num_magnitude_bins: int, interpolation: Interpolation, fill: Fill
    ) -> None:
        self.num_ops = num_ops
        self.magnitude = magnitude
        self.bins = num_magnitude_bins
        self.interpolation = interpolation
        self.fill = fill

    def space(self, frame: Frame) -> Space:
        """Return RandAugment's ranges."""
        far = 150 / 331
        return Space(_ALL, 0.3, 30, far * frame.width, far * frame.height, 0.9, (8, 4))

    def sample(self, stream: Stream, ids: Int64[Tensor, " n"], frame: Frame) -> Params:
        """Draw ``op``, ``bin`` and ``negative`` (n num_ops)."""
        drawn = stream.uniforms(ids, 3 * self.num_ops).view(self.num_ops, 3, len(ids))
        chosen = self.choose(drawn.transpose(0, 1), 1, frame)
        chosen["bin"] = torch.full_like(chosen["bin"], self.magnitude)
        return {name: values.T.contiguous() for name, values in chosen.items()}

    def slots(self, frame: Frame) -> tuple[Slot, ...]:
        """Return a slot for each op."""
        return (self.choice_slot(frame),) * self.num_ops

    def encode(self, params: Params, frame: Frame) -> tuple[Step, ...]:
        """Return a step for each op."""
        columns = zip(params["op"].T, params["bin"].T, params["negative"].T, strict=True)
        return tuple(self.choice_step(op, bins, negative, frame) for op, bins, negative in columns)


class TrivialAugment(AutomaticOp):
    """One random op at a random magnitude."""

    name: ClassVar[str] = "trivial_augment"

    def __init__(self, *, num_magnitude_bins: int, interpolation: Interpolation, fill: Fill) -> None:
        self.bins = num_magnitude_bins
        self.interpolation = interpolation
        self.fill = fill

    def space(self, frame: Frame) -> Space:
        """Return the wide ranges."""
        return Space(_ALL, 0.99, 135, 32, 32, 0.99, (8, 2))

    def sample(self, stream: Stream, ids: Int64[Tensor, " n"], frame: Frame) -> Params:
        """Draw ``op``, ``bin`` and ``negative``."""
        return self.choose(stream.uniforms(ids, 3), self.bins, frame)

    def slots(self, frame: Frame) -> tuple[Slot, ...]:
        """Return the one slot."""
        return (self.choice_slot(frame),)

    def encode(self, params: Params, frame: Frame) -> tuple[Step, ...]:
        """Return the one step."""
        return (self.choice_step(params["op"], params["bin"], params["negative"], frame),)


class AugMix(AutomaticOp):
    """A weighted mean of the image and ``mixture_width`` chains of ops on it."""

    name: ClassVar[str] = "augmix"
    bins = 10

    def __init__(
        self,
        *,
        severity: int,
        mixture_width: int,
        chain_depth: int,
        alpha: float,
        all_ops: bool,
        interpolation: Interpolation,
        fill: Fill,
    ) -> None:
        self.severity = severity
        self.mixture_width = mixture_width
        self.chain_depth = chain_depth
        self.all_ops = all_ops
        self.interpolation = interpolation
        self.fill = fill
        self._gammas = gamma_quantiles(alpha)

    def space(self, frame: Frame) -> Space:
        """Return AugMix's ranges."""
        ops = (*_GEOMETRY, *_TONES, *(_COLOURS if self.all_ops else ()))
        return Space(ops, 0.3, 30, frame.width / 3, frame.height / 3, 0.9, (4, 0))

    def sample(self, stream: Stream, ids: Int64[Tensor, " n"], frame: Frame) -> Params:
        """Draw ``weights`` (n 1+w: of the image and of each chain), ``depth`` (n w) and the choices (n w d)."""
        width, depth = self.mixture_width, self.chain_depth or _DEEPEST_CHAIN
        drawn = stream.uniforms(ids, 2 + 2 * width + 3 * width * depth)
        gammas = quantile(self._gammas, drawn[: 2 + width])
        image, chains = gammas[:2] / (gammas[0] + gammas[1]), gammas[2:] / gammas[2:].sum(0)
        depths = torch.floor(drawn[2 + width : 2 + 2 * width] * _DEEPEST_CHAIN).long() + 1
        if self.chain_depth:
            depths = torch.full_like(depths, self.chain_depth)
        picks = drawn[2 + 2 * width :].view(3, width, depth, len(ids))
        chosen = self.choose(picks, self.severity, frame)
        return {
            "weights": torch.cat([image[:1], image[1:] * chains]).T.float().contiguous(),
            "depth": depths.T.contiguous(),
            **{name: values.permute(2, 0, 1).contiguous() for name, values in chosen.items()},
        }

    def slots(self, frame: Frame) -> tuple[Slot, ...]:
        """Return the beginning, the chains each with its end, and the end."""
        depth = self.chain_depth or _DEEPEST_CHAIN
        chain = (*[self.choice_slot(frame)] * depth, Slot((Code.CHAIN_END,), 1))
        return (Slot((Code.MIX_BEGIN,), 1), *chain * self.mixture_width, Slot((Code.MIX_END,)))

    def encode(self, params: Params, frame: Frame) -> tuple[Step, ...]:
        """Return the steps of the slots."""
        weights = params["weights"]
        steps = [_always(Code.MIX_BEGIN, weights[:, :1])]
        for chain in range(self.mixture_width):
            for place in range(params["op"].shape[2]):
                op, magnitude, negative = (params[name][:, chain, place] for name in ("op", "bin", "negative"))
                step = self.choice_step(op, magnitude, negative, frame)
                steps.append(step._replace(codes=step.codes * (params["depth"][:, chain] > place)))
            steps.append(_always(Code.CHAIN_END, weights[:, chain + 1, None]))
        return (*steps, _always(Code.MIX_END, weights[:, :0]))


def gamma_quantiles(alpha: float) -> Float64[Tensor, " q"]:
    """Return equally likely values of the Gamma(alpha) distribution, lowest first.

    In double precision and never 0: numbers of a small ``alpha`` are tiny, and a share of a sum needs one above 0.
    """
    middles = (torch.arange(QUANTILES, dtype=torch.float64) + 0.5) / QUANTILES
    return torch.from_numpy(special.gammaincinv(alpha, middles.numpy())).clamp_min(_LEAST_GAMMA)


def _always(code: Code, arguments: Tensor) -> Step:
    return Step(torch.full((len(arguments),), int(code), dtype=torch.int8, device=arguments.device), arguments)


@lru_cache(maxsize=32)
def choice_table(space: Space, bins: int, frame: Frame) -> tuple[Int8[Tensor, " rows"], Float[Tensor, "rows 8"]]:
    """Return code and arguments of every (op, bin, sign), the sign fastest."""
    codes, arguments = [], []
    for op in space.ops:
        strengths = _strengths(op, space, bins)
        signed = torch.stack([strengths, -strengths], 1).flatten()
        code, values = _compile(op, signed, frame)
        codes.append(torch.full((2 * bins,), int(code), dtype=torch.int8))
        arguments.append(values.float())
    return torch.cat(codes), torch.cat(arguments)


def _strengths(op: str, space: Space, bins: int) -> Tensor:
    """Return the magnitude at each bin, as torchvision computes it."""
    highest: Mapping[str, float] = {
        "shear_x": space.shear, "shear_y": space.shear, "rotate": space.turn,
        "translate_x": space.move_x, "translate_y": space.move_y, **dict.fromkeys(_COLOURS, space.colour),
    }  # fmt: skip
    if op in highest:
        return torch.linspace(0.0, highest[op], bins).double()
    if op == "posterize":
        weakest, strongest = space.bits
        return (weakest - torch.arange(bins) / ((bins - 1) / (weakest - strongest))).round().double()
    return torch.linspace(1.0, 0.0, bins).double()


def _compile(op: str, strength: Float[Tensor, " n"], frame: Frame) -> tuple[Code, Float[Tensor, "n 8"]]:
    """Return the code of ``op`` and its arguments at each signed strength."""
    if op in _GEOMETRY:
        return Code.WARP, _affine(op, strength, frame)
    arguments = torch.zeros(len(strength), _WIDTH, dtype=torch.float64)
    if op in _COLOURS:
        arguments[:, 0] = 1 + strength
        return _COLOURS[op], arguments
    if op == "posterize":
        arguments[:, 0] = 2 ** strength.abs()
    elif op == "solarize":
        arguments[:, 0] = strength.abs()
    plain: Mapping[str, Code] = {
        "identity": Code.KEEP, "posterize": Code.POSTERIZE, "solarize": Code.SOLARIZE,
        "autocontrast": Code.AUTOCONTRAST, "equalize": Code.EQUALIZE,
    }  # fmt: skip
    return plain[op], arguments


def _affine(op: str, strength: Tensor, frame: Frame) -> Tensor:
    plan = AffineMap.of(-strength if op == "rotate" else torch.zeros_like(strength))
    if op == "rotate":
        return affine_coefficients(plan, frame)
    if op.startswith("translate"):
        axis: Literal["move_x", "move_y"] = "move_x" if op == "translate_x" else "move_y"
        return affine_coefficients(plan._replace(**{axis: torch.trunc(strength)}), frame)
    angle = torch.rad2deg(torch.atan(strength))
    sheared = plan._replace(shear_x=angle) if op == "shear_x" else plan._replace(shear_y=angle)
    return affine_coefficients(sheared, frame, corner_x=-frame.width / 2, corner_y=-frame.height / 2)
