"""``windtunnel worker``: pull runs of a sweep from a shared folder, for clusters whose jobs start on their own."""

from pathlib import Path
from typing import Annotated

import typer


def worker(
    join: Annotated[Path, typer.Option(metavar="SWEEP_DIR", help="The sweep's folder, on a shared file system.")],
    device: Annotated[str, typer.Option(help="auto (every GPU, or else the CPU), cpu, cuda or cuda:N.")] = "auto",
    memory: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Memory runs may hold on each device, e.g. 8GB; default 90%.")
    ] = None,
    max_runs_per_device: Annotated[
        int | None, typer.Option(metavar="N", help="Most runs at a time on each device, whatever fits.")
    ] = None,
    cores: Annotated[int | None, typer.Option(help="CPU cores to use; default all this process may.")] = None,
    threads: Annotated[int, typer.Option(help="CPU threads of each run; the same on every machine.")] = 1,
    policy: Annotated[str, typer.Option(help="Packing policy: auto, weighted, lpt, fifo, bfd, ...")] = "auto",
) -> None:
    """Pull runs of a sweep and pack them on this machine's devices.

    The sweep itself is started once, with `--engine join`; then any number of these, on any machines that see its
    folder, share its runs. No run is trained twice; those of a machine that dies go on elsewhere from their checkpoints
    after a minute. Ends when the sweep has.

    Examples:
      windtunnel worker --join runs/sweeps/lr
      srun windtunnel worker --join /shared/sweeps/lr --memory 70GB
    """
    from rich.console import Console

    from windtunnel.dispatch.devices import parse_bytes
    from windtunnel.dispatch.estimate.estimator import Estimator
    from windtunnel.dispatch.forking import choose_fork
    from windtunnel.dispatch.joined import join_pool
    from windtunnel.dispatch.live import show_live
    from windtunnel.dispatch.settings import Settings
    from windtunnel.sweeps.engines import Machine

    held = parse_bytes(memory) if memory is not None else None
    machine = Machine(device, held, cores=cores, threads=threads, max_runs=max_runs_per_device)
    devices = machine.find_devices()
    estimator = Estimator(devices[0].kind, threads=threads)
    with show_live(Console(stderr=True)) as view:
        outcomes = join_pool(
            join,
            devices,
            estimate=estimator.estimate,
            record=estimator.record_outcome,
            view=view,
            settings=Settings(policy=policy),
            fork=choose_fork(devices),
        )
    print(f"{len(outcomes)} runs ended here")
