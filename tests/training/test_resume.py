"""A run that is stopped in any way and continued ends with the same bits as one that was not."""

import dataclasses
import itertools
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from forked import Forks
from training.dying import train_and_die
from windtunnel.config.experiment import Experiment
from windtunnel.config.files import dump_yaml
from windtunnel.config.models import Resnet18
from windtunnel.config.run import Sam
from windtunnel.core.reports import EpochReport, RunInfo, StepDone
from windtunnel.errors import CheckpointError, UsageError
from windtunnel.track.files import read_rows
from windtunnel.training import checkpoint
from windtunnel.training.assemble import assemble
from windtunnel.training.checkpoint import load_checkpoint
from windtunnel.training.folder import RunFolder, open_run
from windtunnel.training.run import RunResult, resume, train
from windtunnel.training.state import TrainState

Undisturbed = Callable[[Experiment], RunResult]


class Listener:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.infos: list[RunInfo] = []
        self.reports: list[EpochReport] = []
        self.messages: list[str] = []

    def start(self, info: RunInfo) -> None:
        self.infos.append(info)

    def step(self, step: StepDone) -> None:
        pass

    def epoch(self, report: EpochReport) -> None:
        self.reports.append(report)

    def message(self, text: str) -> None:
        self.messages.append(text)

    def finish(self, summary: Mapping[str, Any]) -> None:
        pass


def run_and_die(forks: Forks, experiment: Experiment, folder: Path, step: int, how: str) -> tuple[int | None, Path]:
    config = folder / "experiment.yaml"
    config.write_text(dump_yaml(experiment))
    runs = folder / "killed"
    code = forks.run(train_and_die, config, runs, step, how, OMP_NUM_THREADS="1")
    return code, next(runs.glob("tests/*"))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """Train an experiment to its end, each one once; tests only read the run."""
    results: dict[str, RunResult] = {}

    def train_once(experiment: Experiment) -> RunResult:
        key = dump_yaml(experiment)
        if key not in results:
            results[key] = train(experiment, runs_dir=tmp_path_factory.mktemp("undisturbed"))
        return results[key]

    return train_once


def changed(experiment: Experiment, **train_fields: Any) -> Experiment:
    threads = experiment.runtime.model_copy(update={"threads": 1})
    return experiment.model_copy(update={"train": experiment.train.model_copy(update=train_fields), "runtime": threads})


def assert_same_weights(first: Path, second: Path) -> None:
    one, other = (load_file(folder / "checkpoints" / "last.safetensors") for folder in (first, second))
    assert one.keys() == other.keys()
    for name in one:
        assert torch.equal(one[name], other[name]), name


@pytest.mark.parametrize(
    ("step", "checkpoint_every"),
    [(3, 1.0), (8, 1.0), (13, 1.0), (13, 0.25), (31, 1.0), (32, 1.0)],
    ids=["before-any", "epoch-end", "mid-epoch", "from-a-step", "last-epoch", "last-step"],
)
def test_killed_run_resumes_to_the_same_bits(
    tiny: Experiment, tmp_path: Path, forks: Forks, undisturbed: Undisturbed, step: int, checkpoint_every: float
) -> None:
    experiment = changed(tiny, checkpoint_every=checkpoint_every)
    expected = undisturbed(experiment)
    code, folder = run_and_die(forks, experiment, tmp_path, step, "SIGKILL")
    assert code == -signal.SIGKILL
    result = resume(folder)
    assert result.status == "finished"
    assert_same_weights(expected.folder, folder)
    assert result.summary["metrics"] == expected.summary["metrics"]
    assert [row["epoch"] for row in read_rows(folder / "metrics.csv")] == ["1", "2", "3", "4"]


@pytest.mark.parametrize("writing", ["save_weights", "_write_state"])
def test_run_that_ends_while_writing_its_last_checkpoint_resumes_to_the_same_bits(
    tiny: Experiment, tmp_path: Path, undisturbed: Undisturbed, monkeypatch: pytest.MonkeyPatch, writing: str
) -> None:
    experiment = changed(tiny)
    expected = undisturbed(experiment)
    write, calls = getattr(checkpoint, writing), itertools.count(1)

    def end_at_the_fourth(*arguments: Any) -> None:
        if next(calls) == experiment.train.epochs:
            raise KeyError("as if killed")
        write(*arguments)

    with monkeypatch.context() as patched, pytest.raises(KeyError, match="as if killed"):
        patched.setattr(checkpoint, writing, end_at_the_fourth)
        train(experiment, runs_dir=tmp_path)
    result = resume(next(tmp_path.glob("tests/*")))
    assert result.summary["metrics"] == expected.summary["metrics"]
    assert_same_weights(expected.folder, result.folder)


def test_a_run_goes_on_without_the_weights_it_started_from(
    tiny: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = tmp_path / "start.safetensors"
    save_file(Resnet18().build(num_classes=10, in_channels=1, image_size=(8, 8)).state_dict(), start)
    experiment = changed(tiny, epochs=0.2, checkpoint_every=0.1).model_copy(
        update={"model": Resnet18(weights=str(start))}
    )
    expected = train(experiment, runs_dir=tmp_path / "undisturbed")
    write, calls = checkpoint._write_state, itertools.count(1)

    def end_after_the_first(*arguments: Any) -> None:
        write(*arguments)
        if next(calls) == 1:
            raise KeyError("as if killed")

    with monkeypatch.context() as patched, pytest.raises(KeyError, match="as if killed"):
        patched.setattr(checkpoint, "_write_state", end_after_the_first)
        train(experiment, runs_dir=tmp_path / "ended")
    start.unlink()
    result = resume(next(tmp_path.glob("ended/tests/*")))
    assert_same_weights(expected.folder, result.folder)
    assert open_run(result.folder).read_experiment() == experiment


def test_killed_run_with_averages_and_two_passes_resumes_to_the_same_bits(
    tiny: Experiment, tmp_path: Path, forks: Forks, undisturbed: Undisturbed
) -> None:
    pytest.importorskip("schedulefree")
    tree = changed(tiny, sam=Sam(), accumulate=2, resize=((0.0, 7), (2.0, 8))).model_dump() | {
        "optim": {"name": "schedule_free_adamw", "norm_batches": 2},
        "schedule": {"name": "constant", "warmup_epochs": 1.0},
        "averaging": None,
        "ema": {"decay": 0.9},
    }
    experiment = Experiment.model_validate(tree)
    expected = undisturbed(experiment)
    _, folder = run_and_die(forks, experiment, tmp_path, 13, "SIGKILL")
    result = resume(folder)
    assert_same_weights(expected.folder, folder)
    assert result.summary["metrics"] == expected.summary["metrics"]


@pytest.mark.parametrize(("how", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_interrupted_run_saves_where_it_is_and_says_so(
    tiny: Experiment, tmp_path: Path, forks: Forks, undisturbed: Undisturbed, how: str, code: int
) -> None:
    experiment = changed(tiny, checkpoint_every=0.0)
    expected = undisturbed(experiment)
    returned, folder = run_and_die(forks, experiment, tmp_path, 13, how)
    assert returned == code
    summary = RunFolder(folder).read_summary()
    assert summary is not None
    assert (summary["status"], summary["reason"]) == ("interrupted", how)
    listener = Listener()
    resume(folder, trackers=[listener])
    assert listener.infos[0].start_step == 13
    assert_same_weights(expected.folder, folder)


def test_finished_run_is_left_alone(tiny: Experiment, runs_dir: Path) -> None:
    result = train(changed(tiny, epochs=1.0), runs_dir=runs_dir)
    before = (result.folder / "events.jsonl").read_bytes()
    listener = Listener()
    again = resume(result.folder, trackers=[listener])
    assert again.summary == result.summary
    assert "nothing to resume" in listener.messages[0]
    assert (result.folder / "events.jsonl").read_bytes() == before


def test_run_under_way_cannot_be_resumed(tiny: Experiment, runs_dir: Path) -> None:
    result = train(changed(tiny, epochs=1.0), runs_dir=runs_dir)
    folder = RunFolder(result.folder)
    with folder.hold(), pytest.raises(UsageError, match="another process"):
        resume(result.folder)


def test_stopped_early_before_its_summary_does_not_train_on(tiny: Experiment, runs_dir: Path) -> None:
    rule = {"metric": "val_accuracy", "patience": 1, "min_delta": 0.9}
    experiment = Experiment.model_validate(
        {**tiny.model_dump(), "train": {**tiny.train.model_dump(), "early_stopping": rule}}
    )
    result = train(experiment, runs_dir=runs_dir)
    assert result.summary["reason"].startswith("early stopping")
    (result.folder / "summary.json").unlink()
    assert resume(result.folder).summary["steps"] == result.summary["steps"]


def test_damaged_state_is_named(tiny: Experiment, runs_dir: Path) -> None:
    result = train(changed(tiny, epochs=1.0), runs_dir=runs_dir)
    (result.folder / "summary.json").unlink()
    state = result.folder / "checkpoints" / "state.pt"
    state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match=r"state\.pt"):
        resume(result.folder)


def test_state_with_code_inside_is_refused(tiny: Experiment, runs_dir: Path, tmp_path: Path) -> None:
    result = train(changed(tiny, epochs=1.0), runs_dir=runs_dir)
    (result.folder / "summary.json").unlink()
    proof = tmp_path / "executed"

    class Payload:
        def __reduce__(self) -> tuple[Any, ...]:
            return (open, (str(proof), "w"))

    torch.save({"version": 1, "model": Payload()}, result.folder / "checkpoints" / "state.pt")
    with pytest.raises(CheckpointError):
        resume(result.folder)
    assert not proof.exists()


def test_run_of_a_newer_windtunnel_is_refused(tiny: Experiment, runs_dir: Path) -> None:
    result = train(changed(tiny, epochs=1.0), runs_dir=runs_dir)
    environment = result.folder / "env.json"
    environment.write_text(environment.read_text().replace('"format_version": 1', '"format_version": 99'))
    with pytest.raises(CheckpointError, match="upgrade"):
        open_run(result.folder)


def test_state_of_another_architecture_is_refused(tiny: Experiment, runs_dir: Path) -> None:
    result = train(changed(tiny, epochs=1.0), runs_dir=runs_dir)
    (result.folder / "summary.json").unlink()
    config = result.folder / "config.yaml"
    config.write_text(config.read_text().replace("widths: [8, 8]", "widths: [8, 16]"))
    with pytest.raises(CheckpointError, match=r"another model.*\(16"):
        resume(result.folder)


def test_run_from_a_cpu_goes_on_on_a_gpu(tiny: Experiment, runs_dir: Path) -> None:
    folder = train(changed(tiny, epochs=1.0), runs_dir=runs_dir).folder
    parts = dataclasses.replace(assemble(changed(tiny)), device=torch.device("cuda"))  # whose streams were not saved
    state = TrainState.fresh(torch.device("cpu"))
    load_checkpoint(folder / "checkpoints", parts, state)
    assert state.step == 8
