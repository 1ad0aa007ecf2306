import time

import pytest

from .conftest import PICTURE_SIZE


@pytest.fixture(scope="module")
def stored(tracked):
    module = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="needs windtunnel[tensorboard]"
    )
    return module.EventAccumulator(str(tracked.folder / "tensorboard"), size_guidance={"scalars": 0}).Reload()


def read_text(stored, tag):
    return stored.Tensors(f"{tag}/text_summary")[0].tensor_proto.string_val[0].decode()


def test_epochs_are_stored_once_though_one_was_repeated(stored):
    assert [(each.step, each.value) for each in stored.Scalars("train/accuracy")] == [
        (10, 0.25),
        (20, 0.5),
        (30, 0.75),
        (40, 1.0),
    ]
    assert stored.Scalars("memory_bytes")[-1].value == 1 << 20


def test_a_run_killed_before_its_first_checkpoint_is_stored_once(tmp_path):
    module = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    from windtunnel.track.sinks.base import RunStart
    from windtunnel.track.sinks.tensorboard import TensorBoardSink

    run = RunStart("a", "p", "", tmp_path, tmp_path / "record.json", config={}, environment={}, start_step=0)
    for losses in ((4.0, 3.0), (2.0,)):
        sink = TensorBoardSink()
        sink.start(run)
        for epoch, loss in enumerate(losses, 1):
            sink.epoch(10 * epoch, {"train/loss": loss})
        sink.finish("crashed", {}, {})
    stored = module.EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [(each.step, each.value) for each in stored.Scalars("train/loss")] == [(10, 2.0)]


def test_every_figure_has_the_time_it_came_at(stored):
    times = [each.wall_time for tag in ("train/accuracy", "test/accuracy") for each in stored.Scalars(tag)]
    assert times == sorted(times)
    assert time.time() - 3600 < times[0] <= times[-1] <= time.time()


def test_the_test_figures_are_stored(stored):
    assert [(each.step, each.value) for each in stored.Scalars("test/accuracy")] == [(40, 0.875)]


def test_settings_and_ending_are_text(stored):
    assert "| optim.lr | 0.1 |" in read_text(stored, "config")
    assert "| packages.torch | 2.13.0 |" in read_text(stored, "environment")
    assert "| status | finished |" in read_text(stored, "summary")


def test_settings_are_hyperparameters(stored):
    from tensorboard.plugins.hparams import metadata

    content = stored.SummaryMetadata(metadata.SESSION_START_INFO_TAG).plugin_data.content
    hparams = metadata.parse_session_start_info_plugin_data(content).hparams
    assert hparams["optim.lr"].number_value == 0.1
    assert hparams["optim.nesterov"].bool_value is True
    ending = stored.SummaryMetadata(metadata.SESSION_END_INFO_TAG).plugin_data.content
    assert metadata.parse_session_end_info_plugin_data(ending).status == 1  # success


def test_the_picture_is_stored(stored, tracked):
    (image,) = stored.Images("curves")
    assert (image.width, image.height) == PICTURE_SIZE
    assert image.encoded_image_string == (tracked.folder / "curves.png").read_bytes()
