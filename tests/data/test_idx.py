import gzip
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from windtunnel.data.idx import read_idx
from windtunnel.errors import DataError

IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)


SHAPES = hnp.array_shapes(min_dims=3, max_dims=3, min_side=0, max_side=5)


@given(array=hnp.arrays(np.uint8, SHAPES), zipped=st.booleans())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_reads_back_what_was_written(tmp_path, sets, array, zipped):
    data = sets.idx_bytes(array)
    path = tmp_path / "x"
    path.write_bytes(gzip.compress(data) if zipped else data)
    assert np.array_equal(read_idx(path, dimensions=3), array)


def test_a_file_that_declares_more_than_it_holds_is_refused(tmp_path, sets):
    path = tmp_path / "x"
    path.write_bytes(sets.idx_bytes(IMAGES)[:-1])
    with pytest.raises(DataError, match="declares 24 bytes of values and holds 23"):
        read_idx(path, dimensions=3)


def test_a_file_that_holds_more_than_it_declares_is_refused(tmp_path, sets):
    path = tmp_path / "x"
    path.write_bytes(sets.idx_bytes(IMAGES) + b"!")
    with pytest.raises(DataError, match="declares 24 bytes of values and holds more"):
        read_idx(path, dimensions=3)


def test_an_absurd_size_is_refused_before_memory_is_taken(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(struct.pack(">HBBIII", 0, 8, 3, 2**32 - 1, 2**32 - 1, 2**32 - 1))
    with pytest.raises(DataError, match="more than this reader takes"):
        read_idx(path, dimensions=3)


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (struct.pack(">HBBI", 1, 8, 1, 0), "does not begin as an IDX file"),
        (struct.pack(">HBBI", 0, 13, 1, 0), "does not begin as an IDX file"),
        (struct.pack(">HBBI", 0, 8, 1, 0), "it has 1 dimensions where 3 are expected"),
    ],
)
def test_other_headers_are_refused(tmp_path, head, said):
    path = tmp_path / "x"
    path.write_bytes(head)
    with pytest.raises(DataError, match=said):
        read_idx(path, dimensions=3)


@given(data=st.binary(max_size=64))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_refused_in_words(tmp_path, data):
    path = tmp_path / "x"
    path.write_bytes(data)
    with pytest.raises(DataError, match="cannot be read as an IDX file"):
        read_idx(path, dimensions=3)
