import pytest
import torch
from torch import nn

from windtunnel.config.optim import Muon as MuonConfig
from windtunnel.config.optim import ParameterGroup
from windtunnel.optim.muon import Muon, orthogonalize


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Conv2d(8, 8, 3), nn.Flatten(), nn.Linear(8 * 16, 4))


def build(model: nn.Module, **fields) -> Muon:
    return MuonConfig(**fields).build(model=model)


def backward(model: nn.Module) -> None:
    model.zero_grad()
    model(torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(1))).square().sum().backward()


@pytest.mark.parametrize("shape", [(3, 8, 27), (2, 27, 8), (1, 5, 5)])
def test_singular_values_come_near_one(shape: tuple[int, int, int]) -> None:
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonalize(matrices, steps=8))
    assert values.min() > 0.5
    assert values.max() < 1.35


def test_singular_vectors_stay() -> None:
    matrix = torch.randn(1, 4, 6, generator=torch.Generator().manual_seed(0))
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    core = u.mT @ orthogonalize(matrix, steps=8) @ v.mT
    assert torch.allclose(core, torch.diag_embed(core.diagonal(dim1=1, dim2=2)), atol=1e-4)


def test_batched_shapes_equal_one_matrix_at_a_time(model: nn.Module) -> None:
    backward(model)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    optimizer = build(model, lr=0.1, momentum=0.6, renormalize=True)
    optimizer.step()
    for name in ("0.weight", "2.weight"):
        old, new = before[name], dict(model.named_parameters())[name]
        update = orthogonalize((1.6 * new.grad).flatten(1)[None], steps=3)[0].view_as(old)
        scaled = old * len(old) ** 0.5 / old.norm()
        assert torch.allclose(new, scaled - 0.1 * update, atol=1e-5)


def test_everything_else_is_nesterov_sgd(model: nn.Module) -> None:
    other = nn.Sequential(*model)
    twin = {name: parameter.detach().clone().requires_grad_() for name, parameter in other.named_parameters()}
    rest = [name for name in twin if name not in ("0.weight", "2.weight")]
    sgd = torch.optim.SGD([twin[name] for name in rest], lr=0.05, momentum=0.85, nesterov=True, weight_decay=0.01)
    muon = build(model, sgd_lr=0.05, sgd_momentum=0.85, weight_decay=0.01)
    for _ in range(3):
        backward(model)
        for name in rest:
            twin[name].grad = dict(model.named_parameters())[name].grad.clone()
        muon.step()
        sgd.step()
    for name in rest:
        assert torch.allclose(dict(model.named_parameters())[name], twin[name], atol=1e-6), name


def test_groups_split_by_kind_and_name(model: nn.Module) -> None:
    groups = (ParameterGroup(match="0.*", lr_scale=0.5),)
    kinds = [
        (group["orthogonal"], len(group["params"]), group["lr"]) for group in build(model, groups=groups).param_groups
    ]
    assert kinds == [(True, 1, 0.12), (True, 1, 0.24), (False, 1, 0.025), (False, 5, 0.05)]


def test_state_round_trips(model: nn.Module) -> None:
    backward(model)
    first, second = build(model), build(model)
    first.step()
    second.load_state_dict(first.state_dict())
    for parameter in model.parameters():
        assert torch.equal(first.state[parameter]["momentum_buffer"], second.state[parameter]["momentum_buffer"])


@pytest.mark.parametrize("shape", [(3, 8, 72), (2, 16, 25), (1, 40, 9), (2, 5, 6)])
def test_iterating_on_the_gram_matrix_gives_what_the_whole_matrix_gives(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    matrices = torch.randn(shape)
    x = matrices.double() / matrices.double().norm(dim=(1, 2), keepdim=True)
    x = x.mT if shape[1] > shape[2] else x
    for _ in range(3):
        gram = x @ x.mT
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    expected = (x.mT if shape[1] > shape[2] else x).float()
    torch.testing.assert_close(orthogonalize(matrices, steps=3), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("fields", "orthogonal"),
    [
        ({}, ["0.weight", "2.weight"]),
        ({"exclude": ""}, ["0.weight", "2.weight", "4.weight"]),
        ({"match": "2*"}, ["2.weight"]),
    ],
)
def test_the_last_linear_layer_is_left_out_unless_a_pattern_says_otherwise(model, fields, orthogonal) -> None:
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    groups = MuonConfig(**fields).build(model=model).param_groups
    assert [names[id(part)] for group in groups if group["orthogonal"] for part in group["params"]] == orthogonal
