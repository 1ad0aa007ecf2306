import pytest

from windtunnel.config.schedule import Cosine, MultiStep, Plateau, Step
from windtunnel.recipes import load_experiment
from windtunnel.reproduction.cutting import Sizes, cut_experiment, cut_sizes, describe_cut
from windtunnel.reproduction.types import Cut, Limits

BASE = load_experiment("cifar10/slim_resnet")  # 100 epochs, a tenth of the images held out
SIZES = Sizes(45_000, 5_000, 10_000)
TENTH = Cut(epochs=0.1, images=6000)


def cut_with(schedule):
    return cut_experiment(BASE.model_copy(update={"schedule": schedule}), TENTH, Limits(), SIZES).schedule


def test_the_full_protocol_is_left_alone():
    assert cut_experiment(BASE, Cut(), Limits(), SIZES) == BASE


def test_fewer_epochs_and_images_and_nothing_else():
    cut = cut_experiment(BASE, TENTH, Limits(validation_images=1000), SIZES)
    assert cut.train.epochs == 10
    assert cut.data.train_limit == 6000
    assert cut.data.split.validation * 50_000 == pytest.approx(1000)
    restored = cut.model_copy(update={"train": BASE.train, "data": BASE.data, "schedule": BASE.schedule})
    assert restored == BASE


@pytest.mark.parametrize(
    ("schedule", "lengths"),
    [
        (Cosine(t_max=100.0, warmup_epochs=5.0), {"t_max": 10.0, "warmup_epochs": 0.5}),
        (Cosine(), {"t_max": None, "warmup_epochs": 0.0}),
        (Step(step_epochs=30.0), {"step_epochs": 3.0}),
        (MultiStep(milestones=(60.0, 80.0)), {"milestones": (6.0, 8.0)}),
        (Plateau(warmup_epochs=5.0, patience=4), {"warmup_epochs": 0.5, "patience": 4}),
    ],
)
def test_schedules_shrink_with_the_training(schedule, lengths):
    cut = cut_with(schedule)
    for name, length in lengths.items():
        assert getattr(cut, name) == (None if length is None else pytest.approx(length))


def test_a_small_data_set_is_not_cut_to_more_than_it_has():
    small = Sizes(1_000, 100, 400)
    cut = cut_experiment(BASE, TENTH, Limits(validation_images=500), small)
    assert cut.data == BASE.data
    assert cut_sizes(small, TENTH, Limits(validation_images=500)) == small


def test_what_was_cut_is_said():
    cut = Cut(0.05, 5000, 0.5, with_optional=False)
    said = describe_cut(cut, Limits(validation_images=1000), SIZES, 200.0, 3)
    assert said == (
        "10 of 200 epochs",
        "5,000 of 45,000 training images",
        "1,000 of 5,000 validation images",
        "networks 0.5 times as wide",
        "3 runs left out",
    )
    assert describe_cut(Cut(), Limits(), SIZES, 200.0, 0) == ()
