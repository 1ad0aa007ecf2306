"""A user's own networks by import path, and timm's by name."""

import sys

import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from torch import nn

from models.peers import load_timm
from windtunnel.config.files import dump_tree, parse_yaml
from windtunnel.config.models import ModelConfig
from windtunnel.config.models.external import OwnModule, Timm
from windtunnel.errors import ModelError
from windtunnel.models.external import check_logits

CONFIGS = TypeAdapter(ModelConfig)
SOURCE = """
from torch import nn

class Net(nn.Module):
    def __init__(self, width, num_classes, *, in_channels=3, slope=0.1):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(in_channels, width, 3), nn.LeakyReLU(slope), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
            nn.Linear(width, num_classes),
        )

    def forward(self, images):
        return self.layers(images)

class Open(Net):
    def __init__(self, **options):
        super().__init__(4, options["num_classes"])
        self.options = options

class Even(Net):
    def __init__(self, width, num_classes):
        if width % 2:
            raise ValueError(f"width must be even, not {width}")
        super().__init__(width, num_classes, colour=1)

def function():
    return None
"""


@pytest.fixture
def path(tmp_path):
    (tmp_path / "mine.py").write_text(SOURCE)
    return tmp_path / "mine.py"


def build(config):
    return config.build(num_classes=5, in_channels=1, image_size=(8, 8))


def refuse(value):
    with pytest.raises(ValidationError) as raised:
        CONFIGS.validate_python(value)
    return raised.value.errors()[0]["msg"]


def test_own_module_gets_its_arguments_and_what_it_takes_of_the_context(path):
    network = build(CONFIGS.validate_python({"name": f"{path}:Net", "width": 6, "slope": 0.5}))
    assert network(torch.randn(2, 1, 8, 8)).shape == (2, 5)
    assert (network.layers[0].out_channels, network.layers[1].negative_slope) == (6, 0.5)


def test_own_module_with_open_arguments_gets_the_whole_context(path):
    network = build(CONFIGS.validate_python({"name": f"{path}:Open", "extra": [1, 2]}))
    assert network.options == {"num_classes": 5, "in_channels": 1, "image_size": (8, 8), "extra": [1, 2]}


@pytest.mark.parametrize(
    ("width", "said"),
    [(5, r"ValueError: width must be even, not 5 \(mine.py, line 23\)"), (6, "TypeError: .*argument 'colour'")],
)
def test_what_keeps_an_own_module_from_being_built_is_said_with_its_line(path, width, said):
    with pytest.raises(ModelError, match=rf"Even\(num_classes, width\) cannot be built: {said}"):
        build(CONFIGS.validate_python({"name": f"{path}:Even", "width": width}))


def test_own_module_reads_back_from_yaml(path):
    config = CONFIGS.validate_python({"name": f"{path}:Net", "width": 6})
    assert isinstance(config, OwnModule)
    tree = CONFIGS.dump_python(config, mode="json")
    assert tree == {"name": f"{path}:Net", "width": 6}
    assert CONFIGS.validate_python(parse_yaml(dump_tree(tree), "test")) == config


@pytest.mark.parametrize(
    ("attribute", "fields", "said"),
    [
        ("Net", {"widht": 6}, "takes no argument 'widht'; did you mean 'width'?"),
        ("Net", {}, "needs width; give it beside the name"),
        ("Nat", {}, "has no 'Nat'; did you mean 'Net'?"),
        ("function", {}, "is neither a windtunnel Component config nor a torch.nn.Module class"),
    ],
)
def test_what_does_not_fit_is_named(path, attribute, fields, said):
    assert said in refuse({"name": f"{path}:{attribute}", **fields})


def test_a_missing_file_is_named():
    assert "no file nowhere.py" in refuse("nowhere.py:Net")


def test_timm_networks_are_built_by_name():
    load_timm()
    network = build(CONFIGS.validate_python("timm/resnet18"))
    assert network(torch.randn(2, 1, 32, 32)).shape == (2, 5)


def test_timm_networks_of_fixed_size_get_the_images_size():
    load_timm()
    config = CONFIGS.validate_python({"name": "timm/vit_tiny_patch16_224", "options": {"depth": 1, "patch_size": 4}})
    network = config.build(num_classes=5, in_channels=3, image_size=(16, 16))
    assert network(torch.randn(2, 3, 16, 16)).shape == (2, 5)


def test_timm_names_and_options_are_checked():
    load_timm()
    with pytest.raises(ModelError, match="timm has no network 'resnet81'"):
        build(Timm(name="timm/resnet81"))
    with pytest.raises(ModelError, match="timm cannot build 'resnet18'"):
        build(Timm(name="timm/resnet18", options={"no_such_option": 1}))


def test_timm_fetches_nothing_offline(monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("WINDTUNNEL_OFFLINE", "1")
    with pytest.raises(ModelError, match=r"WINDTUNNEL_OFFLINE is set and timm would fetch .*'resnet18'"):
        build(Timm(name="timm/resnet18", pretrained=True))


def test_timm_that_cannot_have_its_weights_says_so(monkeypatch):
    class Unreachable:
        is_model = staticmethod(lambda name: True)
        get_pretrained_cfg = staticmethod(lambda name, allow_unregistered: None)

        @staticmethod
        def create_model(*args, **options):
            raise ConnectionError("no way to the hub")

    monkeypatch.setitem(sys.modules, "timm", Unreachable)
    for switch in ("WINDTUNNEL_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(switch, raising=False)
    with pytest.raises(ModelError, match=r"timm cannot build 'resnet18' .*no way to the hub"):
        build(Timm(name="timm/resnet18", pretrained=True))


def test_timm_reads_back_from_yaml():
    config = CONFIGS.validate_python({"name": "timm/resnet18", "options": {"drop_rate": 0.1}})
    assert CONFIGS.validate_python(CONFIGS.dump_python(config, mode="json")) == config


class _Answers(nn.Module):
    """A network of one's own that answers images with ``answer(images)``."""

    def __init__(self, answer):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
        self.answer = answer

    def forward(self, images):
        return self.answer(images)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            lambda images: images.flatten(1)[:, :1000],
            r"returns a tensor \(2, 192\) for 2 images of 3x8x8; with 10 classes",
        ),
        (lambda images: (images.flatten(1)[:, :10], images), r"returns a tuple .* it has to be a tensor \(2, 10\)"),
        (lambda images: images, r"returns a tensor \(2, 3, 8, 8\)"),
        (lambda images: images.no_such_thing, r"AttributeError: .*no_such_thing.* \(test_external.py, line \d+\)"),
        (lambda images: images @ torch.zeros(3, 3), r"does not take images of 3x8x8: RuntimeError: "),
    ],
)
def test_what_a_network_of_ones_own_returns_is_held_to_the_classes(answer, said):
    with pytest.raises(ModelError, match=said):
        check_logits(_Answers(answer), in_shape=(3, 8, 8), num_classes=10)


def test_a_network_that_gives_logits_passes_and_keeps_its_mode():
    network = nn.Sequential(nn.Flatten(), nn.LazyLinear(10), nn.BatchNorm1d(10))
    check_logits(network, in_shape=(3, 8, 8), num_classes=10)
    assert network[1].in_features == 192  # the layer that waited for its shape has it now
    assert network.training and network[2].num_batches_tracked == 0
