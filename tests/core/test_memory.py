import subprocess
import sys

import pytest
import torch

from windtunnel.core.memory import peak_memory

# In a process of its own: the peak of the one that runs the tests is gigabytes, and only more than that would move it.
PEAK_AFTER_FREEING = """
import torch
from windtunnel.core.memory import peak_memory, resident_peak
before = resident_peak()
block = bytearray(b"x" * before)
del block
print(before, peak_memory(torch.device("cpu")))
"""


def test_the_peak_stays_when_memory_is_freed():
    said = subprocess.run([sys.executable, "-c", PEAK_AFTER_FREEING], capture_output=True, text=True, check=True).stdout
    before, after = map(int, said.split())
    assert after >= 1.5 * before


def test_a_process_does_not_count_what_started_it():
    block = bytearray(b"x" * (256 << 20))
    code = "from windtunnel.core.memory import resident_peak; print(resident_peak())"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert 0 < int(said) < len(block)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu_the_peak_is_what_torch_has_reserved():
    block = torch.empty(32 << 20, dtype=torch.uint8, device="cuda")
    del block
    torch.cuda.empty_cache()
    peak = peak_memory(torch.device("cuda", 0))
    assert peak >= 32 << 20
    assert peak == torch.cuda.memory_stats(0)["reserved_bytes.all.peak"]
