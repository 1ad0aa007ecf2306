"""How a comparison came about: its command, when, on what."""

import sys
import time
from collections.abc import Mapping
from typing import Any

import windtunnel
from windtunnel.core.secrets import hide_in_words


def describe_making(machine: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an answer's file says of its own making.

    Args:
        machine: what its trials ran on: host, device, versions, threads.
    """
    return {
        "windtunnel": windtunnel.__version__,
        "command": hide_in_words(sys.argv),
        "date": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "machine": dict(machine),
    }
