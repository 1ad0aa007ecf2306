"""Damage to files: bytes flipped, cut, doubled, moved, and sizes made absurd."""

import struct
import zlib
from itertools import pairwise

from hypothesis import strategies as st

_SIZES = [
    struct.pack(form, value)
    for value in (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)
    for form in ("<I", ">I")
] + [b"\xff" * 8, b"\x7f" + b"\xff" * 7, b"\x00" * 8, b"(99999999999, 9)"]


def damaged(contents):
    """Byte strings made out of one of ``contents`` by one to four changes."""
    changes = st.one_of(
        st.tuples(st.just(_overwrite), st.binary(min_size=1, max_size=4)),
        st.tuples(st.just(_overwrite), st.sampled_from(_SIZES)),
        st.tuples(st.just(_insert), st.binary(min_size=1, max_size=20)),
        st.tuples(st.just(_insert), st.sampled_from(_SIZES)),
        st.tuples(st.just(_splice), st.sampled_from(contents)),
        st.tuples(st.sampled_from([_cut, _remove, _double]), st.just(b"")),
    )
    # hypothesis favours the ends of a range, where every file has its magic number: spread over the whole file instead
    place = st.integers(0, 2**20).map(lambda number: number * 2654435761 % 2**32 / 2**32)
    places = st.tuples(place, place)
    steps = st.lists(st.tuples(changes, places), min_size=1, max_size=4)
    return st.builds(_apply, st.sampled_from(contents), steps)


def _apply(content, steps):
    for (change, extra), (first, second) in steps:
        ends = sorted((int(first * len(content)), int(second * len(content))))
        content = change(content, extra, *ends)
    return content


def _overwrite(content, extra, begin, _):
    return content[:begin] + extra + content[begin + len(extra) :]


def _insert(content, extra, begin, _):
    return content[:begin] + extra + content[begin:]


def _splice(content, other, begin, end):
    return content[:begin] + other[end:]


def _cut(content, _, begin, __):
    return content[:begin]


def _remove(content, _, begin, end):
    return content[:begin] + content[end:]


def _double(content, _, begin, end):
    return content[:end] + content[begin:end] + content[end:]


def with_right_sums(png):
    """Return a PNG whose chunks have the sums that fit them, so that a reader looks at what is in them."""
    out, at = png[:8], 8
    while at + 12 <= len(png):
        size = struct.unpack(">I", png[at : at + 4])[0]
        body = png[at + 4 : at + 8 + size]
        out += png[at : at + 4] + body + struct.pack(">I", zlib.crc32(body))
        at += 12 + size
    return out


def tuple_tower(storeys):
    """Return a pickle of a dict with a key that is a tuple of a tuple twice, and so on: 2**storeys steps to hash."""
    floors = [(b"h" + bytes([lower])) * 2 + b"\x86q" + bytes([upper]) for lower, upper in _floors(storeys)]
    return b"\x80\x02}" + _as_values([b"K\x01\x85q\x00", *floors]) + b"h" + bytes([storeys]) + b"Ns."


def list_tower(key, storeys):
    """Return a pickle of a dict whose ``key`` is a list that would unfold to 8**storeys numbers."""
    floors = [b"]q" + bytes([upper]) + b"(" + (b"h" + bytes([lower])) * 8 + b"e" for lower, upper in _floors(storeys)]
    values = _as_values([b"]q\x00(" + b"K\x01" * 8 + b"e", *floors])
    return b"\x80\x02}" + values + b"X" + struct.pack("<I", len(key)) + key + b"h" + bytes([storeys]) + b"s."


def _as_values(floors):
    return b"".join(b"K" + bytes([100 + number]) + floor + b"s" for number, floor in enumerate(floors))


def _floors(storeys):
    return pairwise(range(storeys + 1))
