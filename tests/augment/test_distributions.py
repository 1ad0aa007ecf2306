"""Drawn parameters against torchvision's ``make_params``: Kolmogorov-Smirnov at fixed seeds."""

import functools
import importlib

import pytest
import torch
from scipy import stats

from augment.torchvision_oracle import load_transforms
from windtunnel.augment import Augment
from windtunnel.config import augment as config

DRAWS = 3000
SHAPE = (3, 24, 32)


def ours(op, names):
    """Return one list of draws for each name."""
    augment = Augment([op], image_shape=SHAPE, seed=3, num_classes=10, backend="torch")
    params = augment.sample(torch.arange(DRAWS), 1).params[0]
    return {name: params[name].double().numpy() for name in names}


def theirs(make, names):
    """Return torchvision's draws, flattened, under our names."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        drawn = [make() for _ in range(DRAWS)]
    return {name: [read(one) for one in drawn] for name, read in names.items()}


def assert_same(one, other):
    for name, values in one.items():
        assert stats.ks_2samp(values, other[name]).pvalue > 1e-3, name


def params_of(transform):
    return functools.partial(transform.make_params, [torch.zeros(SHAPE)])


def test_rotation():
    tv = load_transforms()
    make = params_of(tv.RandomRotation((-10, 25)))
    assert_same(
        ours(config.Rotation(degrees=(-10.0, 25.0)), ["degrees"]), theirs(make, {"degrees": lambda p: p["angle"]})
    )


def test_affine():
    tv = load_transforms()
    make = params_of(tv.RandomAffine((-10, 25), translate=(0.3, 0.2), scale=(0.5, 1.5), shear=(-5, 9, 1, 4)))
    op = config.Affine(
        degrees=(-10.0, 25.0), translate=(0.3, 0.2), scale=(0.5, 1.5), shear_x=(-5.0, 9.0), shear_y=(1.0, 4.0)
    )
    reads = {
        "degrees": lambda p: p["angle"],
        "move_x": lambda p: p["translate"][0],
        "move_y": lambda p: p["translate"][1],
        "scale": lambda p: p["scale"],
        "shear_x": lambda p: p["shear"][0],
        "shear_y": lambda p: p["shear"][1],
    }
    assert_same(ours(op, reads), theirs(make, reads))


def test_perspective():
    tv = load_transforms()
    drawn = theirs(
        params_of(tv.RandomPerspective(0.4, 1.0)),
        {index: lambda p, k=index: p["coefficients"][k] for index in range(8)},
    )
    corners = ours(config.Perspective(distortion=0.4, p=1.0), ["corners"])["corners"]
    _, height, width = SHAPE
    start = [[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]]
    solve = importlib.import_module("torchvision.transforms.functional")._get_perspective_coeffs
    own = [solve(start, row.reshape(4, 2).tolist()) for row in corners]
    assert_same({index: [row[index] for row in own] for index in range(8)}, drawn)


def test_random_crop():
    tv = load_transforms()
    make = params_of(tv.RandomCrop(SHAPE[1:], padding=3))
    own = ours(config.RandomCrop(padding=3), ["top", "left"])
    assert_same(
        {name: values + 3 for name, values in own.items()},
        theirs(make, {"top": lambda p: p["top"], "left": lambda p: p["left"]}),
    )


@pytest.mark.parametrize(("scale", "ratio"), [((0.08, 1.0), (3 / 4, 4 / 3)), ((0.7, 1.0), (2.0, 3.0))])
def test_resized_crop(scale, ratio):
    tv = load_transforms()
    make = params_of(tv.RandomResizedCrop(SHAPE[1:], scale=scale, ratio=ratio))
    names = {name: lambda p, key=name: p[key] for name in ("top", "left", "height", "width")}
    assert_same(ours(config.ResizedCrop(scale=scale, ratio=ratio), names), theirs(make, names))


def test_erasing():
    tv = load_transforms()
    make = params_of(tv.RandomErasing(p=1.0, scale=(0.1, 0.6), ratio=(0.3, 3.3)))
    keys = {"top": "i", "left": "j", "height": "h", "width": "w"}
    reads = {name: lambda p, key=key: p[key] for name, key in keys.items()}
    assert_same(ours(config.Erasing(p=1.0, scale=(0.1, 0.6)), reads), theirs(make, reads))


def test_gaussian_blur():
    tv = load_transforms()
    make = params_of(tv.GaussianBlur(3, (0.1, 1.5)))
    own = ours(config.GaussianBlur(sigma=(0.1, 1.5)), ["sigma"])
    assert_same(own, theirs(make, {"sigma": lambda p: p["sigma"][0]}))


def test_color_jitter():
    tv = load_transforms()
    make = params_of(tv.ColorJitter(1.5, 0.5, 0.3, 0.2))
    op = config.ColorJitter(brightness=1.5, contrast=0.5, saturation=0.3, hue=0.2)
    names = ("brightness", "contrast", "saturation", "hue")
    reads = {name: lambda p, key=f"{name}_factor": p[key] for name in names}
    assert_same(ours(op, reads), theirs(make, reads))
    places = {f"order{k}": lambda p, k=k: int(p["fn_idx"][k]) for k in range(4)}
    order = ours(op, ["order"])["order"] - 8
    assert_same({f"order{k}": order[:, k] for k in range(4)}, theirs(make, places))


def test_every_order_of_a_jitter_is_equally_likely():
    op = config.ColorJitter(brightness=0.5, contrast=0.5, saturation=0.5)
    order = ours(op, ["order"])["order"]
    counts = torch.tensor(order).mul(torch.tensor([100, 10, 1])).sum(1).unique(return_counts=True)[1]
    assert len(counts) == 6
    assert stats.chisquare(counts.numpy()).pvalue > 1e-3


@pytest.mark.parametrize(
    "op", [config.HorizontalFlip(p=0.3), config.Grayscale(p=0.3), config.Perspective(p=0.3), config.Cutout(p=0.3)]
)
def test_ops_happen_as_often_as_p_says(op):
    on = int(ours(op, ["on"])["on"].sum())
    assert stats.binomtest(on, DRAWS, 0.3).pvalue > 1e-3


@pytest.mark.parametrize("alpha", [0.2, 1.0, 2.0])
def test_mixup_shares_are_beta_distributed(alpha):
    share = ours(config.MixUp(alpha=alpha), ["share"])["share"]
    assert stats.kstest(share, stats.beta(alpha, alpha).cdf).pvalue > 1e-3


def test_cutmix():
    tv = load_transforms()
    make = params_of(tv.CutMix(alpha=1.0, num_classes=10))
    reads = {name: lambda p, k=k: p["box"][k] for k, name in enumerate(("left", "top", "right", "bottom"))}
    reads["share"] = lambda p: p["lam_adjusted"]
    assert_same(ours(config.CutMix(), reads), theirs(make, reads))


def test_automatic_choices_are_uniform():
    params = ours(config.TrivialAugment(), ["op", "bin", "negative"])
    for name, count in (("op", 14), ("bin", 31), ("negative", 2)):
        seen = torch.tensor(params[name]).long().bincount(minlength=count)
        assert len(seen) == count
        assert stats.chisquare(seen.numpy()).pvalue > 1e-3


def test_augmix_weights_are_dirichlet_distributed():
    weights = ours(config.AugMix(alpha=1.0), ["weights"])["weights"]
    assert abs(weights.sum(1) - 1).max() < 1e-5
    assert stats.kstest(weights[:, 0], "uniform").pvalue > 1e-3
    chain = weights[:, 1] / (1 - weights[:, 0])
    assert stats.kstest(chain, stats.beta(1, 2).cdf).pvalue > 1e-3


def test_draws_of_ops_images_and_epochs_are_independent():
    augment = Augment(["horizontal_flip", "vertical_flip", "rotation"], image_shape=SHAPE)
    first, second = (augment.sample(torch.arange(DRAWS), epoch).params for epoch in (0, 1))
    series = [first[0]["on"], first[1]["on"], first[2]["degrees"], second[0]["on"], second[2]["degrees"]]
    table = torch.corrcoef(torch.stack([values.double() for values in series])) - torch.eye(5)
    assert table.abs().max() < 4 / DRAWS**0.5
