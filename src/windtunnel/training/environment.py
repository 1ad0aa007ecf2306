"""What a run ran on, for ``env.json``. Environment variables are left out: they may hold secrets."""

import importlib.metadata
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import torch

import windtunnel
from windtunnel.config.run import RuntimeConfig
from windtunnel.core.device import AllocatorState, describe_device, tune_host_allocator
from windtunnel.core.mps import describe_gpu_sharing
from windtunnel.core.secrets import hide_in_words
from windtunnel.training.assemble import Parts
from windtunnel.training.same_data import describe_data

_PACKAGES = ("torch", "numpy", "safetensors", "pydantic", "numba", "triton")


@contextmanager
def process_settings(runtime: RuntimeConfig) -> Iterator[AllocatorState]:
    """Set threads and determinism for the block, and the host allocator for good, since glibc cannot tell its old one.

    Yields what was done to the allocator.
    """
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    benchmark = torch.backends.cudnn.benchmark
    if runtime.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS reads it when it starts
    try:
        torch.set_num_threads(runtime.threads or threads)
        torch.use_deterministic_algorithms(runtime.deterministic)
        torch.backends.cudnn.benchmark = not runtime.deterministic
        yield tune_host_allocator(runtime.tune_allocator)
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(deterministic)
        torch.backends.cudnn.benchmark = benchmark


def describe_environment(parts: Parts, allocator: AllocatorState) -> dict[str, Any]:
    """Return versions, device, data digests and code state."""
    return {
        "windtunnel": windtunnel.__version__,
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "argv": hide_in_words(sys.argv),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: version for name in _PACKAGES if (version := _version(name))},
        "device": describe_device(parts.device),
        "threads": torch.get_num_threads(),
        "cuda": torch.version.cuda,
        "allocator": asdict(allocator),
        "placement": str(parts.placement),
        "gpu_sharing": describe_gpu_sharing() if parts.device.type == "cuda" else None,
        "processes": parts.team.size,
        "augment_backend": parts.loader.transform.backend,
        "data": describe_data(parts.data),
        "git": _describe_git(),
    }


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _describe_git() -> dict[str, Any] | None:
    """Return the commit of the working directory's repository and whether it has changes, or None without one."""
    try:
        commit = _git("rev-parse", "HEAD")
        return {"commit": commit, "dirty": bool(_git("status", "--porcelain", "--untracked-files=no"))}
    except (OSError, subprocess.SubprocessError):
        return None


def _git(*arguments: str) -> str:
    finished = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True, timeout=10)
    return finished.stdout.strip()
