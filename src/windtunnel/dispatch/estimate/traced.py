"""What tracing an experiment found, as it is cached and passed between processes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Traced:
    """Memory and work of an experiment, found without computing; bytes unless said otherwise.

    Args:
        parameters: weights and buffers.
        gradients: gradients of all trainable weights.
        optimizer_state: what the optimizer keeps.
        averaging: copies of the weights that averaging keeps.
        activations: everything else that is live when training's peak is reached.
        train_peak: most bytes live in a training step.
        evaluation_peak: most bytes live while validating or testing.
        checkpoint_peak: most bytes live while a checkpoint is written.
        reserved: what torch's CUDA allocator would reserve for training and evaluation.
        data: images and labels that are kept.
        step_flops: floating-point operations of a training step (not bytes).
        evaluation_flops: floating-point operations of a pass over the validation images (not bytes).
        steps_per_epoch: training steps in an epoch.
    """

    parameters: int
    gradients: int
    optimizer_state: int
    averaging: int
    activations: int
    train_peak: int
    evaluation_peak: int
    checkpoint_peak: int
    reserved: int
    data: int
    step_flops: int
    evaluation_flops: int
    steps_per_epoch: int
