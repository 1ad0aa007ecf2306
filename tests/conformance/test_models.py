"""What every registered network must do, over the whole catalogue."""

import copy

import pytest
import torch
import torch.nn.functional as F
from pydantic import TypeAdapter
from safetensors.torch import load, save

from conformance.compiling import compile_into_one_graph
from windtunnel.config.files import dump_tree, parse_yaml
from windtunnel.config.models import MODEL_PRESETS, ModelConfig
from windtunnel.config.models.catalogue import CARDS, FAMILIES, OPEN_ENDED, list_model_names
from windtunnel.core.rng import seeded
from windtunnel.models.summary import count_macs

CONFIGS = TypeAdapter(ModelConfig)
CLASSES = 7
SMALL = [name for name, card in CARDS.items() if card.parameters < 2_000_000]
EXPORTED = ["airbench94_residual", "cct_2_3x2", "cnn_130k", "lenet", "resnet20"]


def build(name, *, channels=3, size=16, seed=0, classes=CLASSES):
    with seeded(seed):
        return CONFIGS.validate_python(name).build(num_classes=classes, in_channels=channels, image_size=(size, size))


def draw(*shape, seed=1):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module", params=sorted(CARDS))
def name(request):
    return request.param


@pytest.fixture(scope="module")
def net(name):
    """One network a name, in evaluation mode; tests that change it work on a copy."""
    return build(name).eval()


def test_every_class_and_preset_is_in_the_catalogue():
    union = CONFIGS.json_schema()
    classes = {part["properties"]["name"]["const"] for part in union["$defs"].values() if "name" in part["properties"]}
    blocks = classes - set(list_model_names())
    assert {*CARDS, *FAMILIES, OPEN_ENDED} == {*(classes - blocks), *MODEL_PRESETS}
    assert "conv" in blocks


@pytest.mark.parametrize(("family", "model"), FAMILIES.items())
def test_a_family_by_itself_is_its_default_model(family, model):
    assert CONFIGS.validate_python(family) == CONFIGS.validate_python(model)


def test_counts_are_as_declared(name):
    with torch.device("meta"):
        wide = build(name, size=32, classes=10)
    assert sum(parameter.numel() for parameter in wide.parameters()) == CARDS[name].parameters
    assert count_macs(wide, (3, 32, 32))[""] == CARDS[name].macs


@pytest.mark.parametrize(("channels", "size"), [(3, 16), (1, 20)])
def test_every_trained_parameter_gets_a_gradient(name, channels, size):
    network = build(name, channels=channels, size=size)
    logits = network(draw(4, channels, size, size))
    assert logits.shape == (4, CLASSES)
    F.cross_entropy(logits, torch.tensor([0, 1, 2, 3])).backward()
    trained = {key: part.grad for key, part in network.named_parameters() if part.requires_grad}
    assert [key for key, grad in trained.items() if grad is None or not grad.isfinite().all()] == []
    assert [key for key, grad in trained.items() if not grad.any()] == []


def test_evaluation_looks_at_each_image_alone_and_changes_nothing(net):
    before = copy.deepcopy(net.state_dict())
    images = draw(4, 3, 16, 16)
    with torch.no_grad():
        torch.testing.assert_close(net(images)[:2], net(images[:2]), atol=1e-4, rtol=1e-4)
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())


def test_training_changes_only_running_statistics(net):
    network = copy.deepcopy(net).train()
    before = copy.deepcopy(network.state_dict())
    network(draw(4, 3, 16, 16))
    changed = [key for key, value in network.state_dict().items() if not torch.equal(value, before[key])]
    assert all(key.rpartition(".")[2] in ("running_mean", "running_var", "num_batches_tracked") for key in changed)
    assert bool(changed) == any(key.endswith("running_mean") for key in before)


def test_state_survives_safetensors(net, name):
    network = copy.deepcopy(net).train()
    network(draw(4, 3, 16, 16))  # running statistics that are not the initial ones
    network.eval()
    other = copy.deepcopy(network)
    for value in other.state_dict().values():
        value.zero_()
    other.load_state_dict(load(save(network.state_dict())))
    images = draw(2, 3, 16, 16)
    with torch.no_grad():
        assert torch.equal(other.eval()(images), network(images))


def test_the_seed_decides_the_start_weights(net, name):
    same, state = build(name).state_dict(), net.state_dict()
    assert all(torch.equal(same[key], state[key]) for key in state)
    other = next(iter(build(name, seed=1).parameters())) if name in SMALL else None
    assert other is None or not torch.equal(other, next(iter(net.parameters())))


def test_channels_last_changes_nothing_but_rounding(net):
    images = draw(2, 3, 16, 16)
    network = copy.deepcopy(net).to(memory_format=torch.channels_last)
    with torch.no_grad():
        swapped = network(images.to(memory_format=torch.channels_last))
        torch.testing.assert_close(swapped, net(images), atol=2e-4, rtol=2e-4)


def test_the_config_reads_back_from_yaml(name):
    config = CONFIGS.validate_python(name)
    text = dump_tree(CONFIGS.dump_python(config, mode="json"))
    assert CONFIGS.validate_python(parse_yaml(text, "test")) == config


def test_some_compile_into_one_graph(forks, tmp_path):
    """In a process of its own, since the shape checks of the test run are no code that dynamo could trace."""
    log = tmp_path / "log.txt"
    assert forks.run(compile_into_one_graph, ["airbench94", "lenet", "cct_2_3x2"], log=log) == 0, log.read_text()
    assert log.read_text().split() == ["airbench94", "lenet", "cct_2_3x2"]


@pytest.mark.parametrize("model", EXPORTED)
def test_exports(model):
    network = build(model).eval()
    images = draw(2, 3, 16, 16)
    exported = torch.export.export(network, (images,)).module()
    with torch.no_grad():
        torch.testing.assert_close(exported(images), network(images), atol=1e-5, rtol=1e-5)
