"""S2's runs on CIFAR-100: one of its grid's, its longer one and the pretrained one. The grid is in ``sweeps.py``."""

from typing import Any

from windtunnel.config.data import Cifar100, DataConfig, OfficialSplit
from windtunnel.config.evaluate import EvaluateConfig
from windtunnel.config.experiment import Experiment
from windtunnel.config.models import PreactResnet, Resnet18
from windtunnel.config.optim import Adam, Sgd
from windtunnel.config.run import EarlyStopping, TrainConfig
from windtunnel.config.schedule import Cosine


def s2_extended() -> Experiment:
    """S2's best run from random weights, proud-water-171: PreAct ResNet-18 on CIFAR-100, 100 epochs, mixing on.

    Command: ``windtunnel train cifar100/s2_extended``. S2 reports 73.99% validation accuracy after 97 epochs. It says
    that the patience was raised, not to what: 15 here, as in its pretrained run.
    """
    return _s2(
        "s2_extended",
        model=PreactResnet(),
        optim=Sgd(lr=0.01, momentum=0.9, nesterov=True, weight_decay=1e-3),
        epochs=100,
    )


def s2_pretrained() -> Experiment:
    """S2's snowy-frog-185: ResNet-18 from ImageNet weights, CIFAR-100 enlarged to 224 pixels, 50 epochs.

    Command: ``windtunnel train cifar100/s2_pretrained``, with a network for the weights, or with a file of them:
    ``model.pretrained=false model.weights=resnet18.safetensors``. S2 reports 82.69% validation accuracy.
    """
    return _s2(
        "s2_pretrained",
        model=Resnet18(upsample=224, pretrained=True),
        optim=Adam(lr=1e-3, weight_decay=1e-4),
        epochs=50,
    )


def _s2(name: str, *, model: PreactResnet | Resnet18, optim: Sgd | Adam, epochs: int) -> Experiment:
    """Return what both runs share; its test split stays unread, since S2 only tells of validation."""
    settings: dict[str, Any] = {
        "name": name,
        "project": "cifar100",
        "data": DataConfig(source=Cifar100(), split=OfficialSplit(validation=0.1), batch_size=256),
        "augment": "s2_mix",
        "model": model,
        "optim": optim,
        "schedule": Cosine(t_max=float(epochs), interval="epoch"),
        "train": TrainConfig(
            epochs=float(epochs), early_stopping=EarlyStopping(metric="val_loss", patience=15, min_delta=0.01)
        ),
        "evaluate": EvaluateConfig(test=False),
    }
    return Experiment.model_validate(settings)
