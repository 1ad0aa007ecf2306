"""``windtunnel augment``: pictures of what policies do, and one image's augmentation again."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from windtunnel.cli.options import AsJson
from windtunnel.cli.pictures import check_picture

if TYPE_CHECKING:
    from windtunnel.config.augment import OpConfig
    from windtunnel.data.open import OpenedData

app = typer.Typer()

Seed = Annotated[int, typer.Option(help="Seed of the draws, as in an experiment.")]


@app.command()
def preview(
    policies: Annotated[
        list[str], typer.Argument(metavar="POLICY", help="Names of policies; a YAML file stands for its `augment`.")
    ],
    data: Annotated[
        str | None,
        typer.Option(
            help="A named data set, the path of a file or folder, or a YAML file for its `data`; default the first "
            "YAML file among the policies, else cifar10."
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Picture to write: .png, .svg or .pdf.")] = Path("samples.png"),
    images: Annotated[int, typer.Option(min=1, max=50, help="Rows.")] = 8,
    draws: Annotated[int, typer.Option(min=1, max=20, help="Draws of each image for each policy.")] = 4,
    seed: Seed = 0,
) -> None:
    """Draw augmented training images: a row for each image, the original first, then draws of each policy.

    Below images that were mixed stand their label weights.

    Examples:
      windtunnel augment preview easy hard2 hard3 --data cifar10 --out samples.png
      windtunnel augment preview s2_mix s4_slim --data cifar100 --draws 3
      windtunnel augment preview mine.yaml crop_flip
    """
    from windtunnel.augment.preview import Cell, draw_grid, preview_policy
    from windtunnel.config.files import is_yaml

    check_picture("--out", out)
    parsed = {name: _parse(name) for name in policies}
    opened = _open(data or next((name for name in policies if is_yaml(name)), "cifar10"))
    shown = slice(0, images)
    train, ids = opened.train, opened.ids["train"]
    pixels = train.head(images).images
    rows = [[Cell(image.permute(1, 2, 0))] for image in pixels]
    for ops in parsed.values():
        drawn = preview_policy(
            ops, pixels, train.labels[shown], ids=ids[shown], class_names=opened.spec.class_names,
            mean=opened.mean, seed=_stream_seed(seed), draws=draws,
        )  # fmt: skip
        rows = [[*row, *more] for row, more in zip(rows, drawn, strict=True)]
    draw_grid(rows, groups=[("original", 1), *((name, draws) for name in parsed)], path=out)
    print(out)


@app.command()
def replay(
    source: Annotated[
        str, typer.Argument(metavar="POLICY|RECIPE|RUN", help="A policy, or a recipe, YAML file or run folder.")
    ],
    index: Annotated[int, typer.Option(min=0, help="The image's index in the data set's training split.")],
    epoch: Annotated[int, typer.Option(min=0, help="The epoch, from 0.")] = 0,
    data: Annotated[str | None, typer.Option(help="For a policy: a named data set, or a path.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the draws; a recipe or run has its own.")] = None,
    out: Annotated[Path | None, typer.Option(help="Picture of the image after each op.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show exactly what training does to one image in one epoch, op by op.

    Examples:
      windtunnel augment replay easy --data cifar10 --index 17 --epoch 3 --out replay.png
      windtunnel augment replay runs/default/20260101-120000-slim-ab12 --index 17 --epoch 3
    """
    import torch

    from windtunnel.augment.preview import Cell, draw_grid, replay_image

    if out is not None:
        check_picture("--out", out)
    ops, opened, own_seed = _resolve(source, data, seed)
    row = _row_of(opened, index)
    image = opened.train.gather(torch.tensor([row]))[0]
    steps = replay_image(ops, image, index=index, epoch=epoch, mean=opened.mean, seed=_stream_seed(own_seed))
    if as_json:
        print(json.dumps([{"op": step.name, **step.params} for step in steps], indent=2))
    else:
        for step in steps:
            print(f"{step.name}: {_params_text(step.params)}")
    if out is not None:
        cells = [Cell(image.permute(1, 2, 0), "original"), *(Cell(step.image, step.name) for step in steps)]
        draw_grid([cells], groups=[(f"image {index}, epoch {epoch}", len(cells))], path=out)
        print(out)


def _open(data: str) -> "OpenedData":
    from windtunnel.config.data import DataConfig
    from windtunnel.config.files import is_yaml
    from windtunnel.data.detect import detect_source
    from windtunnel.data.open import open_data
    from windtunnel.recipes import load_experiment

    if is_yaml(data):
        return open_data(load_experiment(data, ()).data.model_copy(update={"batch_size": 1}))
    return open_data(DataConfig(source=detect_source(data), batch_size=1))


def _parse(policy: str) -> "tuple[OpConfig, ...]":
    from windtunnel.augment.standalone import parse_policy
    from windtunnel.config.files import is_yaml
    from windtunnel.recipes import load_experiment

    return load_experiment(policy, ()).augment if is_yaml(policy) else parse_policy(policy)


def _resolve(source: str, data: str | None, seed: int | None) -> "tuple[tuple[OpConfig, ...], OpenedData, int]":
    """Return ops, data and seed of a policy, or of a recipe or run."""
    from windtunnel.augment.standalone import parse_policy
    from windtunnel.config.augment import POLICIES
    from windtunnel.data.open import open_data
    from windtunnel.recipes import load_experiment

    if source in POLICIES:
        return parse_policy(source), _open(data or "cifar10"), seed or 0
    folder = Path(source)
    experiment = load_experiment(str(folder / "config.yaml") if folder.is_dir() else source, ())
    opened = open_data(experiment.data) if data is None else _open(data)
    return experiment.augment, opened, experiment.seed if seed is None else seed


def _row_of(opened: "OpenedData", index: int) -> int:
    """Return where the image ``index`` of the raw training split lies in the training part."""
    from windtunnel.errors import UsageError

    ids = opened.ids["train"]
    found = (ids == index).nonzero()
    if not len(found):
        raise UsageError(
            f"--index {index}: no such image among the {len(ids)} trained on "
            f"(indices {int(ids.min())} to {int(ids.max())}, those held out for validation left out)"
        )
    return int(found[0])


def _stream_seed(seed: int) -> int:
    """Return the seed that training gives its augmentation."""
    from windtunnel.core.rng import derive_seed

    return derive_seed(seed, "augment")


def _params_text(params: Any) -> str:
    return ", ".join(f"{name} {_number_text(value)}" for name, value in params.items())


def _number_text(value: Any) -> str:
    if isinstance(value, list):
        return "[" + " ".join(_number_text(part) for part in value) + "]"
    return f"{value:.4g}" if isinstance(value, float) else str(value).lower()
