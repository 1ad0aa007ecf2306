"""Perspective, rotation and affine maps, with torchvision's distributions and conventions."""

from typing import ClassVar, Literal, NamedTuple

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from windtunnel.augment.instruction import Code, Slot, Step, Warp, make_step
from windtunnel.augment.op import Frame, Op, Params, Stream, between, check_fill, fill_values, gate

Fill = float | tuple[float, ...] | None
Interpolation = Literal["nearest", "bilinear"]


def warp_slot(frame: Frame, *, interpolation: Interpolation, fill: Fill, projective: bool = False) -> Slot:
    """Return a slot that warps and nothing else."""
    values = None if fill is None else fill_values(fill, frame)
    return Slot((Code.WARP,), 8, warp=Warp(interpolation == "bilinear", projective, values))


class Perspective(Op):
    """Move the four corners inwards by whole pixels and map them back onto the corners of the image."""

    name: ClassVar[str] = "perspective"

    def __init__(self, *, distortion: float, p: float, interpolation: Interpolation, fill: Fill) -> None:
        self.distortion = distortion
        self.p = p
        self.interpolation: Interpolation = interpolation
        self.fill = fill

    def check(self, frame: Frame) -> None:
        """Raise UsageError when the fill does not fit the channels."""
        super().check(frame)
        check_fill(self.name, self.fill, frame)

    def sample(self, stream: Stream, ids: Int64[Tensor, " n"], frame: Frame) -> Params:
        """Draw ``on`` and ``corners`` (n 8): x, y of the moved corners, clockwise from the top left."""
        drawn = stream.uniforms(ids, 9)
        reach_x = int(self.distortion * (frame.width // 2)) + 1
        reach_y = int(self.distortion * (frame.height // 2)) + 1
        far_x, far_y = frame.width - reach_x, frame.height - reach_y
        reach = torch.tensor([reach_x, reach_y] * 4, device=ids.device)[:, None]
        start = torch.tensor([0, 0, far_x, 0, far_x, far_y, 0, far_y], device=ids.device)[:, None]
        corners = torch.floor(drawn[1:] * reach) + start
        return {"on": gate(drawn[0], self.p), "corners": corners.T.contiguous()}

    def slots(self, frame: Frame) -> tuple[Slot, ...]:
        """Return the one slot."""
        return (warp_slot(frame, interpolation=self.interpolation, fill=self.fill, projective=True),)

    def encode(self, params: Params, frame: Frame) -> tuple[Step, ...]:
        """Return the one step."""
        coefficients = _homography_of_corners(params["corners"], frame)
        return (make_step(params["on"], Code.WARP, *coefficients.unbind(1)),)


class Rotation(Op):
    """Rotate about the centre; positive angles turn counter-clockwise."""

    name: ClassVar[str] = "rotation"

    def __init__(self, *, degrees: tuple[float, float], p: float, interpolation: Interpolation, fill: Fill) -> None:
        self.degrees = degrees
        self.p = p
        self.interpolation: Interpolation = interpolation
        self.fill = fill

    def check(self, frame: Frame) -> None:
        """Raise UsageError when the fill does not fit the channels."""
        super().check(frame)
        check_fill(self.name, self.fill, frame)

    def sample(self, stream: Stream, ids: Int64[Tensor, " n"], frame: Frame) -> Params:
        """Draw ``on`` and ``degrees``."""
        drawn = stream.uniforms(ids, 2)
        return {"on": gate(drawn[0], self.p), "degrees": between(self.degrees, drawn[1]).float()}

    def slots(self, frame: Frame) -> tuple[Slot, ...]:
        """Return the one slot."""
        return (warp_slot(frame, interpolation=self.interpolation, fill=self.fill),)

    def encode(self, params: Params, frame: Frame) -> tuple[Step, ...]:
        """Return the one step."""
        matrix = affine_coefficients(AffineMap.of(-params["degrees"]), frame)
        return (make_step(params["on"], Code.WARP, *matrix.unbind(1)),)


class Affine(Op):
    """Rotate (positive is clockwise), move by whole pixels, scale and shear about the centre."""

    name: ClassVar[str] = "affine"

    def __init__(
        self,
        *,
        degrees: tuple[float, float],
        translate: tuple[float, float],
        scale: tuple[float, float],
        shear_x: tuple[float, float],
        shear_y: tuple[float, float],
        p: float,
        interpolation: Interpolation,
        fill: Fill,
    ) -> None:
        self.ranges = {"degrees": degrees, "scale": scale, "shear_x": shear_x, "shear_y": shear_y}
        self.translate = translate
        self.p = p
        self.interpolation: Interpolation = interpolation
        self.fill = fill

    def check(self, frame: Frame) -> None:
        """Raise UsageError when the fill does not fit the channels."""
        super().check(frame)
        check_fill(self.name, self.fill, frame)

    def sample(self, stream: Stream, ids: Int64[Tensor, " n"], frame: Frame) -> Params:
        """Draw ``on``, ``degrees``, ``scale``, ``shear_x``, ``shear_y`` (degrees), ``move_x``, ``move_y``."""
        drawn = stream.uniforms(ids, 7)
        far_x, far_y = self.translate[0] * frame.width, self.translate[1] * frame.height
        params = {
            name: between(bounds, values).float()
            for (name, bounds), values in zip(self.ranges.items(), drawn[1:5], strict=True)
        }
        return {
            **params,
            "on": gate(drawn[0], self.p),
            "move_x": torch.round(between((-far_x, far_x), drawn[5])).float(),
            "move_y": torch.round(between((-far_y, far_y), drawn[6])).float(),
        }

    def slots(self, frame: Frame) -> tuple[Slot, ...]:
        """Return the one slot."""
        return (warp_slot(frame, interpolation=self.interpolation, fill=self.fill),)

    def encode(self, params: Params, frame: Frame) -> tuple[Step, ...]:
        """Return the one step."""
        plan = AffineMap(*(params[name].double() for name in AffineMap._fields))
        return (make_step(params["on"], Code.WARP, *affine_coefficients(plan, frame).unbind(1)),)


class AffineMap(NamedTuple):
    """What affine maps of n images do: angles in degrees, moves in pixels."""

    degrees: Float64[Tensor, " n"]
    move_x: Float64[Tensor, " n"]
    move_y: Float64[Tensor, " n"]
    scale: Float64[Tensor, " n"]
    shear_x: Float64[Tensor, " n"]
    shear_y: Float64[Tensor, " n"]

    @classmethod
    def of(cls, degrees: Float[Tensor, " n"]) -> "AffineMap":
        """Return maps that only rotate, clockwise."""
        angle = degrees.double()
        zero = torch.zeros_like(angle)
        return cls(angle, zero, zero, torch.ones_like(angle), zero, zero)


def affine_coefficients(
    plan: AffineMap, frame: Frame, *, corner_x: float = 0.0, corner_y: float = 0.0
) -> Float64[Tensor, "n 8"]:
    """Return the eight coefficients that map output pixels to where they come from.

    The map is ``move * centre * rotate * scale * shear_y * shear_x * centre^-1`` and is inverted here.

    Args:
        plan: what the map does.
        frame: the images.
        corner_x: the fixed point's column from the middle of the image, pixels.
        corner_y: the fixed point's row from the middle of the image, pixels.
    """
    turn, shear_x, shear_y = (torch.deg2rad(angle) for angle in (plan.degrees, plan.shear_x, plan.shear_y))
    a = torch.cos(turn - shear_y) / torch.cos(shear_y)
    b = -(a * torch.tan(shear_x) + torch.sin(turn))
    c = torch.sin(turn - shear_y) / torch.cos(shear_y)
    d = torch.cos(turn) - c * torch.tan(shear_x)
    xx, xy, yx, yy = (value / plan.scale for value in (d, -b, -c, a))
    middle_x, middle_y = (frame.width - 1) / 2 + corner_x, (frame.height - 1) / 2 + corner_y
    x0 = middle_x - xx * (middle_x + plan.move_x) - xy * (middle_y + plan.move_y)
    y0 = middle_y - yx * (middle_x + plan.move_x) - yy * (middle_y + plan.move_y)
    zero = torch.zeros_like(xx)
    return torch.stack([xx, xy, x0, yx, yy, y0, zero, zero], 1)


def _homography_of_corners(corners: Float[Tensor, "n 8"], frame: Frame) -> Float64[Tensor, "n 8"]:
    """Return the map from output pixels to input pixels that takes ``corners`` to the image's corners.

    The unit square's map onto the corners (Heckbert 1989, section 2.2.3) is inverted and scaled. As in
    torchvision the corners are pixel indices while the map is evaluated half a pixel further on.
    """
    x0, y0, x1, y1, x2, y2, x3, y3 = corners.double().unbind(1)
    ux, uy, vx, vy = x1 - x2, y1 - y2, x3 - x2, y3 - y2
    sx, sy = x0 - x1 + x2 - x3, y0 - y1 + y2 - y3
    det = ux * vy - vx * uy
    g, h = (sx * vy - vx * sy) / det, (ux * sy - sx * uy) / det
    a, b = x1 - x0 + g * x1, x3 - x0 + h * x3
    d, e = y1 - y0 + g * y1, y3 - y0 + h * y3
    columns, rows = frame.width - 1, frame.height - 1
    to_x = ((e - y0 * h) * columns, (x0 * h - b) * columns, (b * y0 - x0 * e) * columns)
    to_y = ((y0 * g - d) * rows, (a - x0 * g) * rows, (x0 * d - a * y0) * rows)
    below = (d * h - e * g, b * g - a * h, a * e - b * d)
    return _between_pixel_indices(to_x, to_y, below)


def _between_pixel_indices(
    to_x: tuple[Tensor, Tensor, Tensor], to_y: tuple[Tensor, Tensor, Tensor], below: tuple[Tensor, ...]
) -> Float64[Tensor, "n 8"]:
    """Turn a map of pixel centres (index + 0.5) into one of pixel indices with 1 as its last coefficient."""

    def at_centre(row: tuple[Tensor, ...]) -> Tensor:
        return row[2] + (row[0] + row[1]) / 2

    last = at_centre(below)
    rows = []
    for top in (to_x, to_y):
        rows += [top[0] - below[0] / 2, top[1] - below[1] / 2, at_centre(top) - last / 2]
    found = torch.stack([value / last for value in (*rows, below[0], below[1])], 1)
    # corners on one line have no map: such an image stays as it is
    identity = found.new_tensor([1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0])
    return torch.where(found.isfinite().all(1, keepdim=True), found, identity)
