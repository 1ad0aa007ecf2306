"""Nothing secret that a run could see stands in what it leaves."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from windtunnel.comparison.provenance import describe_making
from windtunnel.config.experiment import Experiment
from windtunnel.config.files import dump_yaml
from windtunnel.dispatch.order import Order
from windtunnel.dispatch.worker import run_order
from windtunnel.errors import UsageError
from windtunnel.models import pretrained
from windtunnel.models.hub import RESNET18
from windtunnel.training.run import train

SECRETS = {
    "WANDB_API_KEY": "k3y-of-wandb-0123456789",
    "HF_TOKEN": "hf_tokentokentoken",
    "DATABASE_PASSWORD": "pa55-of-the-base",
    "HTTPS_PROXY": "http://me:pa55-of-proxy@proxy.invalid:3128",
    "MLFLOW_TRACKING_URI": "https://me:pa55-of-mlflow@store.invalid/",
    "SOMETHING": "value-of-a-variable-like-any-other",
}
WORDS = [
    "windtunnel",
    "train",
    "tiny",
    "--api-key",
    "pa55-of-option",
    "tracker.token=pa55-of-field",
    "https://u:pa55-of-word@x/",
]
HIDDEN = ("k3y-of-wandb", "hf_tokentoken", "pa55-of", "value-of-a-variable", "ghp_remote")


@pytest.fixture(autouse=True)
def secret_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Variables, a command line, and a repository whose remote has a token in its address."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", WORDS)
    place = tmp_path / "checkout"
    place.mkdir()
    monkeypatch.chdir(place)
    if shutil.which("git"):
        for words in (["init", "-q"], ["remote", "add", "origin", "https://me:ghp_remote@hub.invalid/x.git"]):
            subprocess.run(["git", *words], check=True)


def list_leaks(folder: Path) -> list[str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    return [f"{path.name}: {secret}" for path in files for secret in HIDDEN if secret.encode() in path.read_bytes()]


@pytest.mark.usefixtures("pictures")
def test_a_run_folder_holds_none(tiny: Experiment, runs_dir: Path) -> None:
    shorter = {
        "train": tiny.train.model_copy(update={"epochs": 1.0}),
        "runtime": tiny.runtime.model_copy(update={"augment_backend": "torch"}),
    }
    result = train(tiny.model_copy(update=shorter), runs_dir=runs_dir)
    assert list_leaks(runs_dir) == []
    told = json.loads((result.folder / "env.json").read_text())
    assert told["argv"] == [*WORDS[:4], "***", "tracker.token=***", "https://***@x/"]
    assert "environ" not in json.dumps(told)
    assert list_leaks_in(json.dumps(describe_making({}))) == []


def list_leaks_in(text: str) -> list[str]:
    return [secret for secret in HIDDEN if secret in text]


@pytest.mark.parametrize("kind", [RuntimeError, UsageError, MemoryError])
def test_a_workers_log_and_result_hold_none(
    kind: type[Exception],
    tiny: Experiment,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def fail(*arguments: object, **keywords: object) -> None:
        raise kind(f"{SECRETS['WANDB_API_KEY']} was refused by {SECRETS['MLFLOW_TRACKING_URI']}")

    monkeypatch.setattr("windtunnel.training.run.train_in", fail)
    path = tmp_path / "experiment.yaml"
    path.write_text(dump_yaml(tiny))
    beat, ended = tmp_path / "beat.json", tmp_path / "ended.json"
    assert run_order(Order("a", 1, str(tmp_path / "run"), str(path), str(beat), str(ended))) != 0
    printed = capfd.readouterr()
    assert "was refused by https://***@store.invalid/" in printed.err
    assert list_leaks_in(printed.err + printed.out + ended.read_text()) == []


def test_a_hubs_password_is_in_no_message(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "https://me:pa55-of-hub@hub.invalid")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "empty"))
    monkeypatch.setenv("WINDTUNNEL_OFFLINE", "1")
    with pytest.raises(UsageError, match=r"https://\*\*\*@hub.invalid/") as refused:
        pretrained.fetch(RESNET18)
    assert list_leaks_in(str(refused.value)) == []


def test_the_processes_that_are_started_tell_none_in_their_tracebacks() -> None:
    code = "import os; from windtunnel.core.secrets import *; hide_in_tracebacks(); os.listdir(os.environ['HF_TOKEN'])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert told.returncode == 1
    assert "FileNotFoundError" in told.stderr
    assert list_leaks_in(told.stderr) == []
