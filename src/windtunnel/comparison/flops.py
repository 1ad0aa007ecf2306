"""What training costs in floating-point operations, counted and not measured."""

from windtunnel.models.summary import count_macs
from windtunnel.training.assemble import Parts

_FLOPS_A_MAC = 6  # a multiplication and an addition, forward, for the weights' gradient and for the input's


def count_training_flops(parts: Parts, steps: int) -> float:
    """Return the floating-point operations of the network's first ``steps`` updates.

    Six a multiply-add of every image, at the size that progressive resizing gives it; a stem that does not train counts
    like the rest. The optimizer's, the augmentation's and the evaluation's are left out.
    """
    full = parts.data.spec.image_size
    sizes = [parts.size_at(step) for step in range(steps)]
    macs = {size: count_macs(parts.model, (parts.data.spec.channels, *_shape(size, full)))[""] for size in set(sizes)}
    batch = parts.experiment.data.batch_size
    return float(sum(_FLOPS_A_MAC * batch * macs[size] for size in sizes))


def _shape(size: int | None, full: tuple[int, int]) -> tuple[int, int]:
    return full if size is None else (size, size)
