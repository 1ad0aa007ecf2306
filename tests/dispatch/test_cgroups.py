"""Limits of containers and batch systems, on a made-up tree of control groups."""

import math
import os

import pytest

from windtunnel.dispatch import cgroups
from windtunnel.dispatch.devices import cpu_device, free_bytes
from windtunnel.dispatch.estimate.machine import count_cores

MIB = 2**20


@pytest.fixture
def groups(monkeypatch, tmp_path):
    """Make a tree of groups from its files, and put this process into one of them."""

    def make(own, files):
        monkeypatch.setattr(cgroups, "_TOP", tmp_path)
        monkeypatch.setattr(cgroups, "_OWN", tmp_path / "own")
        (tmp_path / "own").write_text(own)
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(f"{text}\n")

    return make


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))


def test_without_limits_the_machine_is_the_limit(groups):
    groups("0::/user.slice\n", {"user.slice/memory.max": "max", "user.slice/cpu.max": "max 100000"})
    assert (cgroups.read_memory_limit(), cgroups.read_free_memory()) == (cgroups.UNLIMITED,) * 2
    assert (cgroups.read_core_limit(), count_cores()) == (math.inf, 8)


def test_a_container_sees_its_own_group_at_the_top(groups):
    files = {"memory.max": 300 * MIB, "memory.current": 200 * MIB, "memory.stat": f"anon 1\ninactive_file {50 * MIB}"}
    groups("0::/\n", files)
    assert (cgroups.read_memory_limit(), cgroups.read_free_memory()) == (300 * MIB, 150 * MIB)
    device = cpu_device()
    assert (device.total_bytes, free_bytes(device)) == (270 * MIB, 150 * MIB)


def test_a_job_of_a_batch_system_is_limited_by_every_group_above_it(groups):
    files = {
        "slurm/job_7/memory.max": 400 * MIB,
        "slurm/job_7/memory.current": 100 * MIB,
        "slurm/job_7/step_0/memory.max": 500 * MIB,
        "slurm/job_7/step_0/memory.current": 350 * MIB,
        "slurm/job_7/step_0/cpu.max": "max 100000",
        "slurm/cpu.max": "250000 100000",
        "other/memory.max": MIB,
    }
    groups("0::/slurm/job_7/step_0\n", files)
    assert (cgroups.read_memory_limit(), cgroups.read_free_memory()) == (400 * MIB, 150 * MIB)
    assert (cgroups.read_core_limit(), count_cores()) == (2.5, 3)


def test_version_1_has_a_tree_for_each_controller(groups):
    own = "5:cpu,cpuacct:/job\n4:memory:/job\n3:pids:/elsewhere\n"
    files = {
        "memory/job/memory.limit_in_bytes": 100 * MIB,
        "memory/memory.limit_in_bytes": 9223372036854771712,
        "memory/job/memory.usage_in_bytes": 40 * MIB,
        "cpu/job/cpu.cfs_quota_us": 50000,
        "cpu/job/cpu.cfs_period_us": 100000,
        "cpu/cpu.cfs_quota_us": -1,
        "cpu/cpu.cfs_period_us": 100000,
    }
    groups(own, files)
    assert (cgroups.read_memory_limit(), cgroups.read_free_memory()) == (100 * MIB, 60 * MIB)
    assert (cgroups.read_core_limit(), count_cores()) == (0.5, 1)


def test_a_path_of_the_host_that_the_container_does_not_see_leaves_the_top(groups):
    groups("0::/docker/abc\n", {"memory.max": 10 * MIB})
    assert cgroups.read_memory_limit() == 10 * MIB


@pytest.mark.parametrize(("limit", "cores"), [("max 100000", 8), ("150000 100000", 2), ("50000 100000", 1)])
def test_a_limit_on_cpu_time_counts_as_cores(groups, limit, cores):
    groups("0::/\n", {"cpu.max": limit})
    assert (count_cores(), cpu_device().cores) == (cores, cores)
