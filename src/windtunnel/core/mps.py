"""NVIDIA's Multi-Process Service: whether processes that share a GPU do so at the same time or by turns."""

import os
import shutil
import subprocess
from collections.abc import Mapping

CONTROL = "nvidia-cuda-mps-control"
PIPE_VARIABLE, LOG_VARIABLE = "CUDA_MPS_PIPE_DIRECTORY", "CUDA_MPS_LOG_DIRECTORY"
_ANSWER_S = 10.0


def answers(environment: Mapping[str, str] | None = None) -> bool:
    """Say whether an MPS daemon answers where ``environment``, by default this process's, says that it is."""
    return ask("get_server_list", environment)


def ask(command: str, environment: Mapping[str, str] | None = None) -> bool:
    """Send the daemon a command and return whether it took it; False as well where MPS is not installed."""
    if shutil.which(CONTROL) is None:
        return False
    try:
        finished = subprocess.run(
            [CONTROL],
            input=f"{command}\n",
            env=None if environment is None else dict(environment),
            capture_output=True,
            text=True,
            check=False,
            timeout=_ANSWER_S,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return finished.returncode == 0


def describe_gpu_sharing() -> str:
    """Return ``MPS`` where this process's work on a GPU runs beside others', ``time slices`` where they take turns."""
    return "MPS" if answers(os.environ) else "time slices"
