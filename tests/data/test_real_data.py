"""The real sets, where the user has them."""

import os
import time
from pathlib import Path

import pytest

from windtunnel.data.check import inspect_dataset
from windtunnel.data.named import NAMED_SETS, NamedSource

FOLDER = os.environ.get("WINDTUNNEL_DATA_DIR", "")


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(NAMED_SETS))
def test_the_real_set_is_whole_and_loads_fast_again(tmp_path, name):
    if not (FOLDER and (Path(FOLDER) / name).is_dir()):
        pytest.skip(f"no {name} folder in $WINDTUNNEL_DATA_DIR")
    source = NamedSource(name, path=str(Path(FOLDER) / name))
    findings = inspect_dataset(source.load(tmp_path))
    assert {part.part: part.images for part in findings.parts} == NAMED_SETS[name].counts
    assert not [remark for remark in findings.remarks if "the public set has" in remark]
    assert findings.parts[0].mean == pytest.approx(NAMED_SETS[name].spec.mean, abs=2e-3)
    assert findings.parts[0].std == pytest.approx(NAMED_SETS[name].spec.std, abs=2e-3)
    start = time.perf_counter()
    source.load(tmp_path)
    assert time.perf_counter() - start < 0.3
