from types import SimpleNamespace

import psutil
import pynvml
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


class FakeGpus:
    """Stands for NVML on a machine with two GPUs of 16 GiB, other people's processes on one of them."""

    NVMLError = pynvml.NVMLError
    uuids = ("GPU-aaaa", "GPU-bbbb")
    free = {"GPU-aaaa": 16 * 2**30, "GPU-bbbb": 3 * 2**30}

    def nvmlInit(self):
        pass

    nvmlShutdown = nvmlInit

    def nvmlDeviceGetCount(self):
        return len(self.uuids)

    def nvmlDeviceGetHandleByIndex(self, index):
        return self.uuids[index]

    def nvmlDeviceGetHandleByUUID(self, uuid):
        return uuid

    def nvmlDeviceGetUUID(self, handle):
        return handle

    def nvmlDeviceGetMemoryInfo(self, handle):
        return SimpleNamespace(total=16 * 2**30, free=self.free[handle])


@pytest.fixture
def gpus(monkeypatch):
    monkeypatch.setattr("windtunnel.dispatch.devices.pynvml", FakeGpus())
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def test_gpus_are_found_with_what_others_leave_free(gpus):
    first, second = find_devices(memory=10 * 2**30)
    assert [(gpu.name, gpu.uuid) for gpu in (first, second)] == [("cuda:0", "GPU-aaaa"), ("cuda:1", "GPU-bbbb")]
    assert (free_bytes(first), free_bytes(second)) == (10 * 2**30, 3 * 2**30)
    assert worker_environment(second, 1)["CUDA_VISIBLE_DEVICES"] == "GPU-bbbb"


@pytest.mark.parametrize(
    ("setting", "uuids"),
    [("1", ["GPU-bbbb"]), ("1,0", ["GPU-bbbb", "GPU-aaaa"]), ("GPU-b", ["GPU-bbbb"]), ("0,7,1", ["GPU-aaaa"])],
)
def test_cuda_visible_devices_is_respected(gpus, monkeypatch, setting, uuids):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", setting)
    assert [gpu.uuid for gpu in find_devices()] == uuids


def test_hidden_gpus_leave_the_cpu(gpus, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert [device.kind for device in find_devices()] == ["cpu"]


def test_a_budget_above_a_gpu_is_refused(gpus):
    with pytest.raises(UsageError, match=r"memory: 20.0 GiB is more than the 16.0 GiB of cuda:0"):
        find_devices(memory=20 * 2**30)
