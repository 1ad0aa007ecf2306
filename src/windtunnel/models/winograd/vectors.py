"""Code for vectors of floats that numba has no words for: sums held in registers, and transforms of small squares.

Addresses are those of float32 values; strides count floats.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

_LANES = 16


class _Vectors:
    """Writes instructions on vectors of ``lanes`` floats."""

    def __init__(self, builder: Any, lanes: int) -> None:
        self.builder = builder
        self.lanes = lanes
        self.kind = ir.VectorType(ir.FloatType(), lanes)
        self.pointer = ir.FloatType().as_pointer()
        signature = ir.FunctionType(self.kind, [self.kind] * 3)
        name = f"llvm.fmuladd.v{lanes}f32"
        self._multiply_add = cgutils.get_or_insert_function(builder.module, signature, name)

    def floats(self, address: Any) -> Any:
        return self.builder.inttoptr(address, self.pointer)

    def at(self, start: Any, *steps: tuple[Any, int]) -> Any:
        """Return the place some strides after ``start``."""
        for stride, count in steps:
            start = self.builder.gep(start, [self.builder.mul(stride, stride.type(count))])
        return start

    def load(self, place: Any, vector: int = 0) -> Any:
        return self.builder.load(self._as_vectors(place, vector), align=4)

    def store(self, value: Any, place: Any, vector: int = 0) -> None:
        self.builder.store(value, self._as_vectors(place, vector), align=4)

    def _as_vectors(self, place: Any, vector: int) -> Any:
        moved = self.builder.gep(place, [ir.IntType(64)(vector * self.lanes)])
        return self.builder.bitcast(moved, self.kind.as_pointer())

    def spread(self, value: Any) -> Any:
        """Return a vector with ``value`` everywhere."""
        undefined, positions = ir.Constant(self.kind, ir.Undefined), ir.VectorType(ir.IntType(32), self.lanes)
        first = self.builder.insert_element(undefined, value, ir.IntType(32)(0))
        return self.builder.shuffle_vector(first, undefined, ir.Constant(positions, None))

    def multiply_add(self, factor: Any, other: Any, total: Any) -> Any:
        return self.builder.call(self._multiply_add, [factor, other, total])

    def weigh(self, weights: Sequence[float], vectors: Sequence[Any]) -> Any:
        """Return the sum of ``vectors``, each multiplied by its weight."""
        total = None
        for weight, vector in zip(weights, vectors, strict=True):
            constant = ir.Constant(self.kind, [ir.Constant(ir.FloatType(), weight)] * self.lanes)
            if weight != 0 and total is None:
                total = vector if weight == 1 else self.builder.fmul(constant, vector)
            elif weight == 1:
                total = self.builder.fadd(total, vector)
            elif weight == -1:
                total = self.builder.fsub(total, vector)
            elif weight != 0:
                total = self.multiply_add(constant, vector, total)
        return total


def build_product(rows: int, columns: int) -> Callable[..., None]:
    """Return ``c = a @ b``, or ``c = c + a @ b``, for a ``c`` of (rows, columns) that fits in registers.

    It takes a, a's strides between rows and along depth, b, b's stride between rows, c, c's stride between rows,
    depth (1 or more), and whether to add (1) or not (0). Each sum runs along depth in order.
    """
    lanes = min(_LANES, columns)
    parts = [(row, vector) for row in range(rows) for vector in range(columns // lanes)]

    @intrinsic
    def product(
        context: Any, a: Any, a_row: Any, a_depth: Any, b: Any, b_row: Any, c: Any, c_row: Any, depth: Any, add: Any
    ) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            name = f"windtunnel_product_{rows}x{columns}"
            _call(builder, name, arguments, write_body)
            return context.get_dummy_value()

        def write_body(builder: Any, arguments: Any) -> None:
            a, a_row, a_depth, b, b_row, c, c_row, depth, add = arguments
            write = _Vectors(builder, lanes)
            a, b, c = (write.floats(address) for address in (a, b, c))
            outputs = [(write.at(c, (c_row, row)), vector) for row, vector in parts]
            starts = [depth, a, b, *_start_sums(write, outputs, add)]
            before, loop, after = builder.block, builder.append_basic_block(), builder.append_basic_block()
            builder.branch(loop)
            builder.position_at_end(loop)
            now = [builder.phi(start.type) for start in starts]
            left, a_now, b_now, *sums = now
            factors = [write.spread(builder.load(write.at(a_now, (a_row, row)), align=4)) for row in range(rows)]
            others = [write.load(b_now, vector) for vector in range(columns // lanes)]
            totals = [
                write.multiply_add(factors[row], others[vector], total)
                for (row, vector), total in zip(parts, sums, strict=True)
            ]
            rest = builder.sub(left, left.type(1))
            following = [rest, builder.gep(a_now, [a_depth]), builder.gep(b_now, [b_row]), *totals]
            for phi, start, value in zip(now, starts, following, strict=True):
                phi.add_incoming(start, before)
                phi.add_incoming(value, loop)
            builder.cbranch(builder.icmp_signed(">", rest, rest.type(0)), loop, after)
            builder.position_at_end(after)
            for total, (place, vector) in zip(totals, outputs, strict=True):
                write.store(total, place, vector)

        return types.void(*[types.intp] * 9), generate

    return product


def _call(builder: Any, name: str, arguments: Sequence[Any], write_body: Callable[[Any, Any], None]) -> None:
    """Call the function ``name``, written once and not copied to where it is called: compiling takes half as long."""
    kind = ir.FunctionType(ir.VoidType(), [argument.type for argument in arguments])
    function = cgutils.get_or_insert_function(builder.module, kind, name)
    if function.is_declaration:
        function.linkage = "linkonce_odr"
        function.attributes.add("noinline")
        inside = ir.IRBuilder(function.append_basic_block())
        write_body(inside, function.args)
        inside.ret_void()
    builder.call(function, arguments)


def _start_sums(write: _Vectors, outputs: Sequence[tuple[Any, int]], add: Any) -> list[Any]:
    """Return what the sums start from: what is there if ``add``, else zeros."""
    builder = write.builder
    with builder.if_else(builder.icmp_signed("!=", add, add.type(0))) as (then, otherwise):
        with then:
            there, loaded = [write.load(*output) for output in outputs], builder.block
        with otherwise:
            empty = builder.block
    starts = [builder.phi(write.kind) for _ in outputs]
    for start, value in zip(starts, there, strict=True):
        start.add_incoming(value, loaded)
        start.add_incoming(ir.Constant(write.kind, None), empty)
    return starts


def build_transform(
    matrix: NDArray[np.float64], *, lanes: int, add: bool, target_first: bool = False
) -> Callable[..., None]:
    """Return ``target = matrix @ source @ matrix.T`` for squares whose elements are vectors of ``lanes`` floats.

    It takes source, its strides between rows and columns, target and its strides; with ``target_first`` target and its
    strides in front. With ``add`` the result is added to what is there.
    """
    results, size = matrix.shape

    @intrinsic
    def transform(
        context: Any, first: Any, first_row: Any, first_column: Any, second: Any, second_row: Any, second_column: Any
    ) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            ordered = [*arguments[3:], *arguments[:3]] if target_first else arguments
            source, source_row, source_column, target, target_row, target_column = ordered
            write = _Vectors(builder, lanes)
            source, target = write.floats(source), write.floats(target)
            columns = []
            for column in range(size):
                places = [write.at(source, (source_row, row), (source_column, column)) for row in range(size)]
                values = [write.load(place) for place in places]
                columns.append([write.weigh(weights, values) for weights in matrix.tolist()])
            for row in range(results):
                for column, weights in enumerate(matrix.tolist()):
                    value = write.weigh(weights, [each[row] for each in columns])
                    place = write.at(target, (target_row, row), (target_column, column))
                    write.store(builder.fadd(write.load(place), value) if add else value, place)
            return context.get_dummy_value()

        return types.void(*[types.intp] * 6), generate

    return transform
