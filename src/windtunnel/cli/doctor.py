"""``windtunnel doctor``: what a run would find on this machine."""

import json
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from windtunnel import __version__
from windtunnel.cli.options import AsJson
from windtunnel.cli.tables import print_table
from windtunnel.errors import UsageError


@dataclass(frozen=True)
class Finding:
    """One line of the table.

    Args:
        check: what was looked at.
        state: ``ok``, ``missing`` (some commands cannot work) or ``note``.
        about: what was found, and what to do.
    """

    check: str
    state: Literal["ok", "missing", "note"]
    about: str


def doctor(
    tune: Annotated[
        str | None, typer.Option(metavar="RECIPE", help="Time this recipe's runtime settings instead.")
    ] = None,
    overrides: Annotated[list[str] | None, typer.Argument(help="With --tune: changes such as model=resnet18.")] = None,
    steps: Annotated[int, typer.Option(min=1, help="With --tune: updates timed for each setting.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Check this machine: device, torch, data, threads; or find the fastest runtime settings for a recipe.

    Examples:
      windtunnel doctor
      windtunnel doctor --json
      windtunnel doctor --tune cifar10/airbench94
      windtunnel doctor --tune mine.yaml data.batch_size=512 --steps 5
    """
    if tune is not None:
        _tune(tune, overrides or [], steps, as_json=as_json)
        return
    if overrides:
        raise UsageError(f"{overrides[0]!r} changes a recipe, and there is none; name it with --tune")
    findings = [*_check_software(), *_check_devices(), *_check_folders(), *_check_data()]
    print_table([asdict(finding) for finding in findings], as_json=as_json)


def _tune(reference: str, overrides: list[str], steps: int, *, as_json: bool) -> None:
    from windtunnel.recipes import load_experiment
    from windtunnel.training.tune import Timing, tune

    def tell(row: Timing) -> None:
        took = row.failure if row.milliseconds is None else f"{row.milliseconds:.1f} ms an update"
        if not as_json:
            print(f"{row.overrides or 'as it is'}: {took}", flush=True)

    rows, best = tune(load_experiment(reference, overrides), steps=steps, tell=tell)
    if as_json:
        print(json.dumps({"timings": [asdict(row) for row in rows], "use": best.settings}, indent=2))
        return
    base, fastest = rows[0].milliseconds or 0.0, best.milliseconds or 0.0
    print(
        f"\nuse {best.overrides}: {base / fastest:.2f}x as fast"
        if best.settings
        else "\nkeep the settings as they are: nothing was more than 3% faster"
    )


def _check_software() -> Iterator[Finding]:
    import torch

    yield Finding("windtunnel", "ok", f"{__version__} on Python {platform.python_version()} ({sys.executable})")
    yield Finding("torch", "ok", torch.__version__)
    libc = " ".join(platform.libc_ver()).strip() or "unknown C library"
    tunable = platform.libc_ver()[0] == "glibc" and not any(name.startswith("MALLOC_") for name in os.environ)
    about = f"{libc}: {'tuned when a run starts on CPU' if tunable else 'left as it is'}"
    yield Finding("allocator", "ok" if tunable else "note", about)


def _check_devices() -> Iterator[Finding]:
    import psutil
    import torch

    from windtunnel.core.device import describe_device

    yield Finding("cpu", "ok", f"{describe_device(torch.device('cpu'))}, {os.cpu_count()} cores")
    yield Finding("memory", "ok", f"{_gib(psutil.virtual_memory().available)} available")
    for index in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(index)
        about = f"{torch.cuda.get_device_name(index)}, {_gib(free)} of {_gib(total)} free"
        yield Finding(f"cuda:{index}", "ok", about)
    if not torch.cuda.is_available():
        yield Finding("cuda", "note", "no CUDA device; runs use the CPU")


def _check_folders() -> Iterator[Finding]:
    from windtunnel.core.places import cache_root, offline_switch
    from windtunnel.data.paths import data_dir
    from windtunnel.training.folder import default_runs_dir, list_runs

    runs = default_runs_dir()
    yield _check_writable("runs folder", runs, f"{len(list_runs(runs))} runs")
    yield _check_writable("cache folder", cache_root(), f"{_gib(_size(cache_root()))} used")
    folder = data_dir()
    if folder is None:
        yield Finding("data folder", "note", "WINDTUNNEL_DATA_DIR is not set; the cache folder is used")
    else:
        yield Finding("data folder", "ok" if folder.is_dir() else "missing", str(folder))
    yield Finding("network", "note", "offline by choice") if offline_switch() else Finding("network", "ok", "allowed")


def _check_data() -> Iterator[Finding]:
    from windtunnel.data.named import NAMED_SETS, NamedSource
    from windtunnel.errors import DataError

    yield Finding("data: digits", "ok", "ships with scikit-learn")
    for name in NAMED_SETS:
        try:
            files = NamedSource(name).find_reader().files()
            yield Finding(f"data: {name}", "ok", str(files[0].parent))
        except DataError:
            yield Finding(f"data: {name}", "missing", f"windtunnel data fetch {name}")


def _check_writable(check: str, folder: Path, about: str) -> Finding:
    existing = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    writable = os.access(existing, os.W_OK)
    space = f"{_gib(shutil.disk_usage(existing).free)} free" if writable else "cannot be written"
    return Finding(check, "ok" if writable else "missing", f"{folder}: {about}, {space}")


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"
