"""Values that several augmentation ops take: ranges, fills, interpolation."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from windtunnel.config.base import Fraction, PositiveReal, Real


def _ordered(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] > bounds[1]:
        raise PydanticCustomError(
            "range_order",
            "the lower end {low} is above the upper end {high}",
            {"low": bounds[0], "high": bounds[1]},
        )
    return bounds


def _one_or_three(values: float | tuple[float, ...]) -> float | tuple[float, ...]:
    if isinstance(values, tuple) and len(values) not in (1, 3):
        raise PydanticCustomError(
            "fill_channels",
            "holds {count} values; give one, or one for each of 1 or 3 channels",
            {"count": len(values)},
        )
    return values


def _odd(count: int) -> int:
    if count % 2 == 0:
        raise PydanticCustomError("odd", "{count} is even; a kernel needs a middle", {"count": count})
    return count


Range = Annotated[tuple[Real, Real], AfterValidator(_ordered)]
PositiveRange = Annotated[tuple[PositiveReal, PositiveReal], AfterValidator(_ordered)]
FractionRange = Annotated[tuple[Fraction, Fraction], AfterValidator(_ordered)]
Fill = Annotated[Fraction | tuple[Fraction, ...], AfterValidator(_one_or_three)]
Interpolation = Literal["nearest", "bilinear"]
OddCount = Annotated[int, Field(strict=True, ge=1, le=31), AfterValidator(_odd)]
