"""``windtunnel show``: an experiment with every default filled in."""

import json

from windtunnel.cli.options import AsJson, Overrides, Reference


def show(reference: Reference, overrides: Overrides = None, as_json: AsJson = False) -> None:
    """Print an experiment's complete settings as YAML.

    The output is a file that `windtunnel train` takes.

    Examples:
      windtunnel show quickstart
      windtunnel show cifar10/airbench94 optim.lr=9 train.epochs=5 > mine.yaml
    """
    from windtunnel.config.files import dump_yaml
    from windtunnel.recipes import load_experiment

    experiment = load_experiment(reference, overrides or ())
    print(json.dumps(experiment.model_dump(mode="json"), indent=2) if as_json else dump_yaml(experiment), end="")
    if as_json:
        print()
