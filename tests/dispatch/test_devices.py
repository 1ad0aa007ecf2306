import psutil
import pytest

from windtunnel.dispatch.devices import cpu_device, find_devices, free_bytes, parse_bytes, worker_environment
from windtunnel.dispatch.fixed import FixedJobs
from windtunnel.errors import UsageError


def test_the_cpu_is_a_device_with_its_memory_and_cores():
    device = cpu_device(memory=10**9, cores=3, threads=2)
    assert (device.name, device.total_bytes, device.cores, device.threads) == ("cpu", 10**9, 3, 2)
    assert 0 < free_bytes(device) <= psutil.virtual_memory().total


def test_a_budget_above_the_machine_is_refused():
    with pytest.raises(UsageError, match="is more than the"):
        cpu_device(memory=2**60)


@pytest.mark.parametrize("setting", [{"memory": -1}, {"cores": 0}, {"threads": -2}])
def test_numbers_that_are_not_positive_are_refused(setting):
    with pytest.raises(UsageError, match="is not above 0"):
        find_devices(**setting)


@pytest.mark.parametrize("text", ["", "-8GB", "0", "8 parsecs", "1e9", "GB"])
def test_a_size_that_is_none_is_refused(text):
    with pytest.raises(UsageError, match="is no size above 0"):
        parse_bytes(text)


def test_a_worker_sees_its_device_only_and_its_threads():
    environment = worker_environment(cpu_device(), 2)
    assert (environment["CUDA_VISIBLE_DEVICES"], environment["OMP_NUM_THREADS"]) == ("", "2")


def test_a_fixed_list_is_given_out_once():
    source = FixedJobs("abc")
    assert (source.take(2), source.is_exhausted()) == (["a", "b"], False)
    assert (source.take(2), source.is_exhausted()) == (["c"], True)
