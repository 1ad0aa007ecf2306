"""Sweeps: many runs around one experiment."""

from windtunnel.config.sweep import Axis, SweepConfig


def quickstart_sweep() -> SweepConfig:
    """Learning rate of the quickstart, four values by two seeds on handwritten digits: about two minutes.

    Command: ``windtunnel sweep quickstart_sweep``. Needs no download.
    """
    return SweepConfig(
        name="quickstart_sweep",
        project="quickstart",
        base="quickstart",
        fixed={"train.epochs": 6, "runtime.threads": 1},
        space={"optim.lr": Axis(values=(0.01, 0.03, 0.1, 0.3))},
        repeats=2,
    )


def s2_sweep() -> SweepConfig:
    """S2's grid on CIFAR-100: two ResNets, mixing on and off, SGD and Adam, two rates, two schedules: 32 runs.

    Command: ``windtunnel sweep s2_sweep``. S2's best: validation accuracy 68.49% (PreAct ResNet-18, SGD 1e-2, cosine,
    mixing on). Deviations: S2 does not say which metric early stopping watched (here validation loss) nor how its
    validation images were cut (here a tenth of the training images); its ResNet-18 may have started from ImageNet
    weights, which ``model.pretrained=true`` sets for one run.
    """
    return SweepConfig(
        name="s2_sweep",
        project="cifar100",
        base=_S2_BASE,
        space={
            "model": Axis(values=("resnet18", "preact_resnet18")),
            "augment": Axis(values=("s2_mix", "s2_basic")),
            "optim": Axis(values=(_S2_SGD, _S2_ADAM)),
            "optim.lr": Axis(values=(1e-4, 1e-2)),
            "schedule": Axis(values=(_S2_PLATEAU, _S2_COSINE)),
        },
    )


_S2_SGD = {"name": "sgd", "momentum": 0.9, "nesterov": True, "weight_decay": 1e-3}
_S2_ADAM = {"name": "adam", "weight_decay": 1e-3}
_S2_PLATEAU = {"name": "plateau", "factor": 0.1, "patience": 5}
_S2_COSINE = {"name": "cosine", "t_max": 50.0, "interval": "epoch"}
_S2_BASE = {
    "data": {"source": "cifar100", "split": {"name": "official", "validation": 0.1}, "batch_size": 256},
    "train": {"epochs": 50, "early_stopping": {"metric": "val_loss", "patience": 3, "min_delta": 0.01}},
}
