from collections.abc import Iterator
from pathlib import Path

import pytest

from windtunnel.config.data import DataConfig, Digits, OfficialSplit
from windtunnel.config.experiment import Experiment
from windtunnel.config.models import Cnn
from windtunnel.config.optim import Sgd
from windtunnel.config.run import RuntimeConfig, TrainConfig


@pytest.fixture(scope="session", autouse=True)
def one_cache_for_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def pictures() -> None:
    """Let a test's runs draw their curves and write their page, as they do outside the tests of this folder."""


@pytest.fixture(autouse=True)
def no_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out each run's curves and page, which take longer than its training here, but for who asks for them."""
    if "pictures" not in request.fixturenames:
        for name in ("save_curves", "write_report"):
            monkeypatch.setattr(f"windtunnel.training.run.{name}", lambda folder: None)


@pytest.fixture
def runs_dir(tmp_path: Path) -> Path:
    return tmp_path / "runs"


@pytest.fixture(scope="session")
def tiny() -> Experiment:
    """Four epochs of eight steps: 128 digits, a network of a few hundred weights, every stateful part in use."""
    return Experiment.model_validate(
        {
            "name": "tiny",
            "project": "tests",
            "data": DataConfig(
                source=Digits(), split=OfficialSplit(validation=0.1), batch_size=16, train_limit=128
            ).model_dump(),
            "augment": [{"name": "alternating_flip"}, {"name": "random_crop", "padding": 1}],
            "model": Cnn(widths=(8, 8), hidden=8).model_dump(),
            "optim": Sgd(lr=0.05).model_dump(),
            "averaging": {"name": "lookahead_ema"},
            "train": TrainConfig(epochs=4.0, checkpoint_every=1.0).model_dump(),
            "runtime": RuntimeConfig(device="cpu", tune_allocator=False).model_dump(),
        }
    )
