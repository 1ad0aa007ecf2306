"""Damaged and hostile files are read or refused in words: no other error, no code run, no memory without end.

The campaign: WINDTUNNEL_FUZZ_EXAMPLES=2000 python -m pytest tests/fuzz/test_readers.py --timeout=7200
"""

import os
import shutil
import sys
import warnings

import pytest
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from fuzz.damage import damaged
from fuzz.forms import make_forms
from windtunnel.errors import DataError

EXAMPLES = int(os.environ.get("WINDTUNNEL_FUZZ_EXAMPLES", "12"))
_NEVER = {
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "subprocess.Popen",
    "pickle.find_class",
    "socket.connect",
}


class Watch:
    """Notes what no reader has a reason to do."""

    def __init__(self):
        self.is_on, self.seen = False, []
        sys.addaudithook(self._hear)

    def _hear(self, name, arguments):
        if self.is_on and name in _NEVER:
            self.seen.append((name, arguments))


@pytest.fixture(scope="module")
def watch():
    return Watch()


@pytest.fixture(scope="module")
def forms(tmp_path_factory):
    return make_forms(tmp_path_factory.mktemp("forms"))


NAMES = (
    "idx images",
    "idx labels",
    "idx in gzip",
    "cifar batch",
    "cifar tar",
    "cifar tar in gzip",
    "cifar tar.gz",
    "parquet",
    "npz",
    "npz images",
    "npz labels",
    "npz class names",
    "png",
    "jpeg",
    "webp",
    "bmp",
    "gif",
    "predict npz images",
    "predict npz ids",
    "predict npy",
    "predict pickle",
    "predict python 2",
    "predict parquet",
    "predict png",
    "sample csv",
)


def test_every_form_is_damaged(forms):
    assert tuple(forms) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_what_is_damaged_below_is_read_when_it_is_whole(forms, tmp_path, name):
    assert forms[name].read(tmp_path, forms[name].content) is not None


@pytest.mark.parametrize("name", NAMES)
@settings(
    max_examples=EXAMPLES,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
    derandomize=EXAMPLES < 1000,
)
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused_in_words(forms, watch, tmp_path, name, data):
    others = [form.content for form in forms.values() if len(form.content) < 10_000]
    content = data.draw(damaged([forms[name].content]) | damaged([forms[name].content, *others]))
    folder = tmp_path / "one"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    watch.is_on = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's remarks on odd files are no matter here
            forms[name].read(folder, content)
    except DataError as error:
        event("refused")
        assert error.exit_code == 2
        assert str(error)
    else:
        event("read")
    finally:
        watch.is_on = False
    assert watch.seen == []
