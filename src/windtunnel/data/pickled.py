"""Reading the pickles CIFAR was published as, without running what is in them.

A pickle is a program. This reader first checks that it uses only opcodes that build numbers, bytes, text,
lists, tuples and dicts, then lets it name only numpy's array and dtype constructors, which are replaced by
stand-ins that record their arguments. No object of another type can be made and nothing is called.
"""

import io
import pickle
import pickletools
import re
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Kinds = Literal["bytes", "bytes, whole numbers and text"]

_MAX_OPCODES = 2_000_000
# numpy's codes of the types each kind takes, as a pickle spells them
_TYPES: dict[Kinds, re.Pattern[str]] = {
    "bytes": re.compile(r"u1"),
    "bytes, whole numbers and text": re.compile(r"[iu][1248]|[SU][1-9]\d{0,3}"),
}

# CIFAR's own pickles, written by Python 2 with protocol 2, and the same content written again by Python 3.
_OPCODES = frozenset({
    "PROTO", "FRAME", "STOP", "MARK", "NONE", "NEWTRUE", "NEWFALSE", "INT", "BININT", "BININT1", "BININT2",
    "LONG1", "STRING", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINUNICODE",
    "SHORT_BINUNICODE", "EMPTY_DICT", "DICT", "EMPTY_LIST", "LIST", "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2",
    "TUPLE3", "APPEND", "APPENDS", "SETITEM", "SETITEMS", "GET", "BINGET", "LONG_BINGET", "PUT", "BINPUT",
    "LONG_BINPUT", "MEMOIZE", "GLOBAL", "STACK_GLOBAL", "REDUCE", "BUILD",
})  # fmt: skip
_PUTS = frozenset({"PUT", "BINPUT", "LONG_BINPUT"})
_GETS = frozenset({"GET", "BINGET", "LONG_BINGET"})
# After any of these the top of the stack may be a tuple; some leave it as it was.
_MAYBE_TUPLE = frozenset({
    "PROTO", "FRAME", "STOP", "MARK", "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "APPEND", "APPENDS",
    "SETITEM", "SETITEMS", "BUILD",
})  # fmt: skip
_MOST_BITS = 64


def load_pickled_arrays(data: bytes, arrays: Kinds = "bytes") -> Any:
    """Return what a pickle of containers, numbers, bytes and arrays holds; text written by Python 2 comes as bytes.

    Args:
        data: the pickle.
        arrays: what arrays may hold; images are uint8, ids of images may be numbers or text.

    Raises:
        pickle.UnpicklingError: it holds or does anything else.
        ValueError: it is cut short or malformed.
    """
    _check_opcodes(data)
    return _as_arrays(_ArrayUnpickler(io.BytesIO(data), encoding="bytes").load(), arrays)


def _check_opcodes(data: bytes) -> None:
    tuples = _Tuples()
    for count, (opcode, argument, _) in enumerate(pickletools.genops(data)):
        if opcode.name not in _OPCODES:
            raise pickle.UnpicklingError(f"the pickle uses {opcode.name}, which no data batch needs; not run")
        # CPython sizes its memo by the largest index, so a tiny file could ask for gigabytes
        if opcode.name in _PUTS and isinstance(argument, int) and argument > len(data):
            raise pickle.UnpicklingError("the pickle asks for more memory than its size explains; not run")
        # whole numbers of any length can be made to collide in a dict, which then takes hours to fill
        if isinstance(argument, int) and argument.bit_length() > _MOST_BITS:
            raise pickle.UnpicklingError("the pickle holds a number of more than 64 bits; not run")
        tuples.follow(opcode.name, argument)
        if count > _MAX_OPCODES:
            raise pickle.UnpicklingError("the pickle is longer than any data batch; not run")


class _Tuples:
    """Refuses a tuple that is used twice: some that hold each other take for ever to hash or to write out."""

    def __init__(self) -> None:
        self._memo: dict[int, bool] = {}  # place -> whether a tuple may lie there
        self._on_top = False

    def follow(self, opcode: str, argument: Any) -> None:
        """Take the next opcode; raise ``UnpicklingError`` when it fetches what may be a tuple."""
        if opcode in _GETS and self._memo.get(argument):
            raise pickle.UnpicklingError("the pickle uses a tuple twice, which no data batch does; not run")
        if opcode in _PUTS:
            self._memo[argument] = self._on_top
        elif opcode == "MEMOIZE":
            self._memo[len(self._memo)] = self._on_top
        else:
            self._on_top = opcode in _MAYBE_TUPLE


class _Dtype:
    """Stands in for ``numpy.dtype``; records which one."""

    def __init__(self, *arguments: Any) -> None:
        self.code = _plain(arguments[0]) if arguments else None
        self.order: Any = "|"

    def __setstate__(self, state: Any) -> None:
        """Take the byte order out of the state; the rest follows from the code."""
        if isinstance(state, tuple) and len(state) > 1:
            self.order = _plain(state[1])

    def build(self, arrays: Kinds) -> np.dtype[Any]:
        """Return the type, when an array of ``arrays`` may have it."""
        if not isinstance(self.code, str) or not _TYPES[arrays].fullmatch(self.code):
            kinds = "uint8" if arrays == "bytes" else "uint8, whole numbers or text"
            raise pickle.UnpicklingError(f"an array in the pickle is not {kinds}")
        if self.order not in ("<", ">", "|", "="):
            raise pickle.UnpicklingError("an array in the pickle has a malformed type")
        return np.dtype(self.order + self.code)


class _Array:
    """Stands in for ``numpy.ndarray``; records what numpy would have been given."""

    def __init__(self, *arguments: Any) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def build(self, arrays: Kinds) -> npt.NDArray[Any]:
        """Return the array, when its type is one of ``arrays`` and its bytes fit its shape."""
        if not isinstance(self.state, tuple) or len(self.state) != 5:
            raise pickle.UnpicklingError("an array in the pickle has no content")
        _, shape, dtype, fortran, raw = self.state
        if not isinstance(dtype, _Dtype):
            raise pickle.UnpicklingError("an array in the pickle has no type")
        if not isinstance(raw, bytes) or not isinstance(shape, tuple):
            raise pickle.UnpicklingError("an array in the pickle has no bytes or no shape")
        if not all(type(side) is int and side >= 0 for side in shape):
            raise pickle.UnpicklingError("an array in the pickle has a malformed shape")
        return np.frombuffer(raw, dtype=dtype.build(arrays)).reshape(shape, order="F" if fortran else "C")


class _ArrayUnpickler(pickle.Unpickler):
    """Resolves numpy's array constructors to the stand-ins and refuses every other name."""

    def find_class(self, module: str, name: str) -> Any:
        """Return the stand-in for ``module.name``."""
        if (module, name) in _STAND_INS:
            return _STAND_INS[module, name]
        raise pickle.UnpicklingError(f"the pickle names {module}.{name}, which no data batch needs; not run")


class _Encode:
    """Stands in for ``_codecs.encode``, by which protocol 2 of Python 3 spells bytes.

    No function, since a pickle may set attributes of what it has named.
    """

    __slots__ = ()

    def __call__(self, text: Any, encoding: Any) -> bytes:
        if not isinstance(text, str) or encoding not in ("latin1", b"latin1"):
            raise pickle.UnpicklingError("the pickle encodes something that is not bytes; not run")
        return text.encode("latin1")

    def __setstate__(self, state: Any) -> None:
        raise pickle.UnpicklingError("the pickle changes what it has named; not run")


_STAND_INS: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _Encode(),
}


def _as_arrays(value: Any, arrays: Kinds) -> Any:
    """Return the top-level dict with its keys as text and its arrays built."""
    if not isinstance(value, dict):
        raise pickle.UnpicklingError("the pickle holds no dict")
    return {str(_plain(key)): item.build(arrays) if isinstance(item, _Array) else item for key, item in value.items()}


def _plain(value: Any) -> Any:
    """Return text that Python 2 wrote as bytes as text."""
    return value.decode("latin1") if isinstance(value, bytes) else value
