"""Random experiments either train two updates or are refused with the field that is wrong; never a traceback.

The campaign: WINDTUNNEL_FUZZ_EXAMPLES=10000 python -m pytest tests/fuzz --timeout=7200
"""

import os
import re
from itertools import islice

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from fuzz.experiments import experiments
from windtunnel.config.experiment import Experiment
from windtunnel.config.problems import validate_tree
from windtunnel.errors import UsageError
from windtunnel.training.assemble import assemble, initialise_from_data
from windtunnel.training.loop import train_epochs
from windtunnel.training.state import TrainState

EXAMPLES = int(os.environ.get("WINDTUNNEL_FUZZ_EXAMPLES", "60"))


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """64 images of noise, 20x20 in colour, of four classes."""
    random = np.random.default_rng(0)
    images, labels = random.integers(0, 256, (64, 20, 20, 3), dtype=np.uint8), np.arange(64) % 4
    path = tmp_path_factory.mktemp("fuzz") / "noise.npz"
    np.savez(path, train_images=images, train_labels=labels, test_images=images, test_labels=labels)
    return {"name": "npz", "path": str(path)}


# A failure is shown as it was drawn: shrinking would train hundreds of networks more.
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=EXAMPLES < 1000,
    phases=[Phase.generate],
)
@given(data=st.data())
def test_it_trains_two_updates_or_names_what_is_wrong(data, source):
    tree = data.draw(experiments(source))
    try:
        experiment = validate_tree(Experiment, tree, "fuzz.yaml")
        parts = assemble(experiment)
        initialise_from_data(parts)
        done = list(islice(train_epochs(parts, TrainState.fresh(parts.device)), 2))
    except UsageError as error:
        event("refused")
        assert names_a_field(str(error)), str(error)
    else:
        event("trained")
        assert done


def names_a_field(message: str) -> bool:
    """Say whether ``message`` holds a word that is a field or a component of an experiment."""
    return bool(re.search(r"\b(" + "|".join(Experiment.model_fields) + r")\b|image|network|batch", message))
