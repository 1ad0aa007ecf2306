"""Which points are over a limit on their network, found on shapes alone before anything is queued."""

import json

from windtunnel.config.budget import BudgetConfig
from windtunnel.config.data import DataConfig
from windtunnel.config.experiment import Experiment
from windtunnel.data.named import NAMED_SETS
from windtunnel.data.spec import DatasetSpec
from windtunnel.models.budget import find_excess


class Feasibility:
    """Holds experiments to their own budget and to the sweep's.

    Args:
        constraints: the sweep's limits, or None.
    """

    def __init__(self, constraints: BudgetConfig | None) -> None:
        self._constraints = constraints
        self._specs: dict[str, DatasetSpec] = {}
        self._reasons: dict[str, str] = {}

    def refusal(self, experiment: Experiment) -> str:
        """Return why the experiment's network is not to be trained, or ``""``.

        Raises:
            ModelError: the network cannot be built for these images.
            DataError: the data's shape cannot be had.
        """
        limits = [limit for limit in (self._constraints, experiment.budget) if limit is not None]
        if not limits:
            return ""
        kinds = [experiment.model, experiment.data.source, *limits]
        key = json.dumps([kind.model_dump(mode="json") for kind in kinds] + [experiment.data.batch_size])
        if key not in self._reasons:
            self._reasons[key] = self._measure(experiment, limits)
        return self._reasons[key]

    def _measure(self, experiment: Experiment, limits: list[BudgetConfig]) -> str:
        spec = self._spec(experiment.data)
        shape = (spec.channels, *spec.image_size)
        model = experiment.model.build(
            num_classes=len(spec.class_names), in_channels=spec.channels, image_size=spec.image_size
        )
        found = (
            find_excess(limit, model, input_shape=shape, batch_size=experiment.data.batch_size) for limit in limits
        )
        return "; ".join(dict.fromkeys(str(excess) for each in found for excess in each))

    def _spec(self, data: DataConfig) -> DatasetSpec:
        key = json.dumps(data.source.model_dump(mode="json"))
        if key not in self._specs:
            named = NAMED_SETS.get(data.source.name)
            self._specs[key] = named.spec if named else data.source.build().load(None).spec
        return self._specs[key]
