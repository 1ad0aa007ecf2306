import os
import pickle

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from windtunnel.data import pickled
from windtunnel.data.guard import reading
from windtunnel.data.pickled import load_pickled_arrays
from windtunnel.errors import DataError

ARRAY = np.arange(12, dtype=np.uint8).reshape(3, 4)
BATCH = {"data": ARRAY, "labels": [1, 2, 300], "name": "batch"}


class Payload:
    """Unpickling it normally creates a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_reads_what_python_3_writes(protocol):
    loaded = load_pickled_arrays(pickle.dumps(BATCH, protocol=protocol))
    assert np.array_equal(loaded["data"], ARRAY)
    assert loaded["labels"] == [1, 2, 300]


def test_reads_what_python_2_wrote(sets):
    data = sets.python2_pickle(BATCH)
    assert b"numpy.core.multiarray" in data
    loaded = load_pickled_arrays(data)
    assert np.array_equal(loaded["data"], ARRAY)
    assert loaded["name"] == b"batch"


def test_reads_arrays_in_fortran_order(sets):
    loaded = load_pickled_arrays(sets.python2_pickle({"data": np.asfortranarray(ARRAY)}))
    assert np.array_equal(loaded["data"], ARRAY)


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_a_payload_does_not_run(tmp_path, protocol):
    target = tmp_path / "made"
    with pytest.raises(pickle.UnpicklingError, match="not run"):
        load_pickled_arrays(pickle.dumps({"data": Payload(str(target))}, protocol=protocol))
    assert not target.exists()


@pytest.mark.parametrize(
    "code",
    [
        b"cposix\nsystem\n(S'true'\ntR.",  # GLOBAL and REDUCE
        b"(S'true'\niposix\nsystem\n.",  # INST
        b"(cposix\nsystem\nS'true'\no.",  # OBJ
        b"\x80\x02cbuiltins\neval\n(S'1'\ntR.",
        b"\x80\x02cnumpy\nload\n(S'x'\ntR.",
        b"\x80\x04\x8c\x05posix\x8c\x06system\x93.",  # STACK_GLOBAL
    ],
)
def test_names_outside_the_list_are_refused(code):
    with pytest.raises(pickle.UnpicklingError, match="not run"):
        load_pickled_arrays(code)


def test_an_array_of_objects_is_refused(sets):
    with pytest.raises((pickle.UnpicklingError, ValueError)):
        load_pickled_arrays(sets.python2_pickle({"data": np.array([{}, None], dtype=object)}))


def test_an_array_of_another_type_is_refused(sets):
    with pytest.raises(pickle.UnpicklingError, match="not uint8"):
        load_pickled_arrays(sets.python2_pickle({"data": np.zeros(4, dtype=np.float32)}))


def test_bytes_that_do_not_fill_the_shape_are_refused(sets):
    data = sets.python2_pickle({"data": np.zeros((7, 9), dtype=np.uint8)})
    assert data.count(b"K\x07") == 1
    with pytest.raises(ValueError, match="cannot reshape"):
        load_pickled_arrays(data.replace(b"K\x07", b"K\x08"))


def test_a_memo_index_that_would_take_gigabytes_is_refused():
    with pytest.raises(pickle.UnpicklingError, match="more memory"):
        load_pickled_arrays(b"\x80\x02}r\xff\xff\xff\x7f.")


ARRAY_CODE = b"cnumpy.core.multiarray\n_reconstruct\n(tR"
DTYPE_CODE = b"cnumpy\ndtype\n(S'u1'\ntR"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (b"(l.", "holds no dict"),
        (b"(dS'data'\n" + ARRAY_CODE + b"s.", "has no content"),
        (b"(dS'data'\n" + ARRAY_CODE + b"(I1\n(I-1\nt" + DTYPE_CODE + b"I00\nS''\ntbs.", "malformed shape"),
        (b"(dS'data'\n" + ARRAY_CODE + b"(I1\n(I1\nt" + DTYPE_CODE + b"I00\nI5\ntbs.", "no bytes or no shape"),
        (b"(dS'data'\nc_codecs\nencode\n(S'x'\nS'hex'\ntRs.", "not bytes"),
    ],
)
def test_malformed_contents_are_refused(code, said):
    with pytest.raises(pickle.UnpicklingError, match=said):
        load_pickled_arrays(code)


def test_an_endless_pickle_is_refused(monkeypatch):
    monkeypatch.setattr(pickled, "_MAX_OPCODES", 10)
    with pytest.raises(pickle.UnpicklingError, match="longer than any data batch"):
        load_pickled_arrays(b"(l" + b"N" * 20 + b".")


@given(data=st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_refused_in_words(data):
    with pytest.raises(DataError), reading("x", "a pickle"):
        load_pickled_arrays(data)


@given(st.data())
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_flip_or_cut_of_a_batch_is_read_or_refused_in_words(sets, data):
    whole = bytearray(sets.python2_pickle(BATCH))
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] = data.draw(st.integers(0, 255))
    try:
        with reading("x", "a pickle"):
            load_pickled_arrays(bytes(whole[: data.draw(st.integers(place, len(whole)))]))
    except DataError as error:
        assert "x cannot be read as a pickle" in str(error)
