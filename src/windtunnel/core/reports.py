"""What a run says about itself while it trains; every tracker, progress bar and report reads these."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RunInfo:
    """A run as it starts.

    Args:
        name: the experiment's name.
        folder: the run folder, or ``""`` for a dry run.
        device: device in words.
        precision: number format of activations.
        parameters: trainable and frozen parameters together.
        train_images: images trained on in an epoch.
        start_step: first step to come; above 0 for a resumed run.
        total_steps: steps of the whole run.
        epochs: epochs of the whole run, fractions included.
        placement: where the training images lie and why, in words.
        team: the processes that train it and what batch norm is taken over, in words; ``""`` for a single one.

    """

    name: str
    folder: str
    device: str
    precision: str
    parameters: int
    train_images: int
    start_step: int
    total_steps: int
    epochs: float
    placement: str = ""
    team: str = ""


@dataclass(frozen=True)
class StepDone:
    """One optimizer update is queued on the device; carries no value that would have to be waited for."""

    step: int
    total_steps: int
    epoch: int


@dataclass(frozen=True)
class EpochReport:
    """An epoch, or the last part of one, is done.

    Args:
        epoch: epochs finished, so 1 after the first; a run of 9.9 epochs ends with report 10.
        step: optimizer updates so far.
        train_loss: mean over the epoch's images as augmented, label smoothing included.
        train_accuracy: fraction right over the epoch's images as augmented.
        val_loss: mean loss on the validation part, or None when it was not measured.
        val_accuracy: fraction right on the validation part, or None.
        val_loss_ema: the same of the averaged weights, or None.
        val_accuracy_ema: likewise.
        lr: learning rate of the epoch's last step.
        seconds: wall clock of the epoch's training, validation left out.
        images_per_second: training images a second.
        memory_bytes: the most memory the run's process has held so far on its device: what torch has reserved of a GPU,
            what is resident on the CPU; None in files of versions that did not measure it.

    """

    epoch: int
    step: int
    train_loss: float
    train_accuracy: float
    val_loss: float | None
    val_accuracy: float | None
    lr: float
    seconds: float
    images_per_second: float
    val_loss_ema: float | None = None
    val_accuracy_ema: float | None = None
    memory_bytes: int | None = None
