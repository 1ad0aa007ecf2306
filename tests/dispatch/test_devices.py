from importlib.machinery import ModuleSpec
from types import SimpleNamespace

import psutil
import pynvml
import pytest

from windtunnel.dispatch import gpus as gpu_module
from windtunnel.dispatch.devices import (
    EXCLUSIVE,
    cpu_device,
    find_devices,
    free_bytes,
    parse_bytes,
    worker_environment,
)
from windtunnel.dispatch.estimate.machine import describe_machine, device_kind, has_gpu
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


BUILT_FOR_CUDA = gpu_module._is_built_for_cuda


class FakeGpus:
    """Stands for NVML on a machine with two GPUs of 16 GiB, other people's processes on one of them."""

    NVMLError = pynvml.NVMLError
    NVML_COMPUTEMODE_PROHIBITED = pynvml.NVML_COMPUTEMODE_PROHIBITED
    NVML_DEVICE_MIG_ENABLE = pynvml.NVML_DEVICE_MIG_ENABLE

    def __init__(self):
        self.uuids = ["GPU-aaaa", "GPU-bbbb"]
        self.memory = {"GPU-aaaa": (16, 16), "GPU-bbbb": (16, 3)}  # GiB in all, and free
        self.instances = {}
        self.modes = {}
        self.broken = set()

    def nvmlInit(self):
        pass

    def nvmlDeviceGetCount(self):
        return len(self.uuids)

    def nvmlDeviceGetHandleByIndex(self, index):
        return self.nvmlDeviceGetHandleByUUID(self.uuids[index])

    def nvmlDeviceGetHandleByUUID(self, uuid):
        if uuid in self.broken:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NO_PERMISSION)
        return uuid

    def nvmlDeviceGetUUID(self, handle):
        return handle

    def nvmlDeviceGetName(self, handle):
        return f"name of {handle}"

    def nvmlDeviceGetComputeMode(self, handle):
        return self.modes.get(handle, pynvml.NVML_COMPUTEMODE_DEFAULT)

    def nvmlDeviceGetMigMode(self, handle):
        if handle not in self.instances:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return [pynvml.NVML_DEVICE_MIG_ENABLE] * 2

    def nvmlDeviceGetMaxMigDeviceCount(self, handle):
        return 7

    def nvmlDeviceGetMigDeviceHandleByIndex(self, handle, index):
        if index >= len(self.instances[handle]):
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)
        return self.instances[handle][index]

    def nvmlDeviceGetMemoryInfo(self, handle):
        if handle not in self.memory:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        total, free = self.memory[handle]
        return SimpleNamespace(total=total * 2**30, free=free * 2**30)


@pytest.fixture
def gpus(monkeypatch):
    fake = FakeGpus()
    monkeypatch.setattr("windtunnel.dispatch.gpus.pynvml", fake)
    monkeypatch.setattr("windtunnel.dispatch.gpus._is_built_for_cuda", lambda torch: True)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return fake


def test_gpus_are_found_with_what_others_leave_free(gpus):
    first, second = find_devices(memory=10 * 2**30)
    assert [(gpu.name, gpu.uuid) for gpu in (first, second)] == [("cuda:0", "GPU-aaaa"), ("cuda:1", "GPU-bbbb")]
    assert (free_bytes(first), free_bytes(second)) == (10 * 2**30, 3 * 2**30)
    assert worker_environment(second, 1)["CUDA_VISIBLE_DEVICES"] == "GPU-bbbb"


@pytest.mark.parametrize(
    ("setting", "uuids"),
    [
        ("1", ["GPU-bbbb"]),
        ("1,0", ["GPU-bbbb", "GPU-aaaa"]),
        ("GPU-b", ["GPU-bbbb"]),
        ("0,7,1", ["GPU-aaaa"]),
        ("0,0", ["GPU-aaaa"]),
    ],
)
def test_cuda_visible_devices_is_respected(gpus, monkeypatch, setting, uuids):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", setting)
    assert [gpu.uuid for gpu in find_devices()] == uuids


@pytest.mark.parametrize(
    ("setting", "uuids"),
    [
        (None, ["MIG-1", "MIG-2", "GPU-bbbb"]),
        ("MIG-2", ["MIG-2"]),
        ("0", ["MIG-1", "MIG-2"]),
        ("GPU-bbbb,MIG-1", ["GPU-bbbb", "MIG-1"]),
    ],
)
def test_instances_of_a_gpu_divided_by_mig_are_devices_of_their_own(gpus, monkeypatch, setting, uuids):
    gpus.instances = {"GPU-aaaa": ["MIG-1", "MIG-2"]}
    gpus.memory |= {"MIG-1": (5, 5), "MIG-2": (5, 4)}
    if setting is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", setting)
    devices = find_devices()
    assert [gpu.uuid for gpu in devices] == uuids
    slices = {gpu.uuid: gpu.total_bytes for gpu in devices if gpu.uuid.startswith("MIG")}
    assert set(slices.values()) == {int(0.9 * 5 * 2**30)}


def test_a_gpu_kept_from_this_process_is_not_counted(gpus):
    gpus.broken = {"GPU-aaaa"}
    assert [(gpu.name, gpu.uuid) for gpu in find_devices()] == [("cuda:0", "GPU-bbbb")]


def test_a_gpu_for_one_process_at_a_time_takes_one_run(gpus):
    gpus.modes = {"GPU-aaaa": pynvml.NVML_COMPUTEMODE_EXCLUSIVE_PROCESS, "GPU-bbbb": pynvml.NVML_COMPUTEMODE_PROHIBITED}
    (device,) = find_devices()
    assert (device.uuid, device.max_runs, device.sharing) == ("GPU-aaaa", 1, EXCLUSIVE)
    assert (device.limited_to(3).max_runs, device.limited_to(None).max_runs) == (1, 1)


def test_a_gpu_without_memory_of_its_own_is_refused_by_name(gpus):
    del gpus.memory["GPU-aaaa"]
    with pytest.raises(UsageError, match=r"cuda:0 \(name of GPU-aaaa\).*--device cpu"):
        find_devices()


def test_nothing_is_free_on_a_gpu_that_is_lost(gpus):
    first, _ = find_devices()
    gpus.broken = {"GPU-aaaa"}
    assert free_bytes(first) == 0


def test_estimates_are_kept_under_the_name_of_the_gpu_that_is_visible(gpus, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert (describe_machine("cuda"), device_kind("auto")) == ("cuda: name of GPU-bbbb", "cuda")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert (device_kind("auto"), has_gpu()) == ("cpu", False)


@pytest.mark.parametrize(
    ("written", "kinds"),
    [
        ("cuda: Optional[str] = None\nhip: Optional[str] = None\n", ["cpu"]),
        ("cuda: Optional[str] = '13.0'\nhip: Optional[str] = None\n", ["cuda", "cuda"]),
        ("cuda = None\n", ["cpu"]),
        (None, ["cuda", "cuda"]),
    ],
)
def test_a_torch_built_for_the_cpu_runs_on_it_beside_gpus_too(gpus, monkeypatch, tmp_path, written, kinds):
    monkeypatch.setattr("windtunnel.dispatch.gpus._is_built_for_cuda", BUILT_FOR_CUDA)
    monkeypatch.setattr(
        "windtunnel.dispatch.gpus.find_spec", lambda name: ModuleSpec(name, None, origin=str(tmp_path / "a.py"))
    )
    if written is not None:
        (tmp_path / "version.py").write_text(written)
    assert [device.kind for device in find_devices()] == kinds


def test_hidden_gpus_leave_the_cpu(gpus, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert [device.kind for device in find_devices()] == ["cpu"]


def test_a_budget_above_a_gpu_is_refused(gpus):
    with pytest.raises(UsageError, match=r"memory: 20.0 GiB is more than the 16.0 GiB of cuda:0"):
        find_devices(memory=20 * 2**30)
