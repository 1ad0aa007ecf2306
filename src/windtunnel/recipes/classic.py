"""Ordinary trainings of ordinary networks, with a validation part to choose by."""

from windtunnel.config.augment import HorizontalFlip, RandomCrop
from windtunnel.config.data import Cifar10, DataConfig, FractionSplit, Mnist, OfficialSplit
from windtunnel.config.experiment import Experiment
from windtunnel.config.models import Cnn, Lenet, SlimResnet
from windtunnel.config.optim import Sgd
from windtunnel.config.run import TrainConfig
from windtunnel.config.schedule import Cosine


def mnist_lenet() -> Experiment:
    """LeNet-5 on MNIST, 10 epochs.

    Command: ``windtunnel train mnist/lenet``.
    """
    return Experiment(
        name="lenet",
        project="mnist",
        data=DataConfig(source=Mnist(), split=OfficialSplit(validation=0.1), batch_size=256),
        model=Lenet(),
        optim=Sgd(lr=0.05),
        schedule=Cosine(warmup_epochs=1.0),
        train=TrainConfig(epochs=10.0),
    )


def cifar10_cnn() -> Experiment:
    """S0's plain 430 k convnet on CIFAR-10, its 80:10:10 split of the 50,000, crop and flip, cosine schedule.

    Command: ``windtunnel train cifar10/cnn``.
    """
    return Experiment(
        name="cnn",
        project="cifar10",
        data=DataConfig(source=Cifar10(), split=FractionSplit(), batch_size=256),
        augment=(RandomCrop(padding=4), HorizontalFlip()),
        model=Cnn(),
        optim=Sgd(lr=0.05, weight_decay=0.0),
        schedule=Cosine(warmup_epochs=5.0),
        train=TrainConfig(epochs=30.0),
    )


def slim_resnet() -> Experiment:
    """S4's slim ResNet, 4,754,218 parameters, on CIFAR-10: SGD at 0.1, cosine over 100 epochs, crop and flip.

    Command: ``windtunnel train cifar10/slim_resnet``.
    """
    return Experiment(
        name="slim_resnet",
        project="cifar10",
        data=DataConfig(source=Cifar10(), split=OfficialSplit(validation=0.1), batch_size=128),
        augment=(RandomCrop(padding=2), HorizontalFlip()),
        model=SlimResnet(),
        optim=Sgd(lr=0.1, weight_decay=5e-4),
        schedule=Cosine(),
        train=TrainConfig(epochs=100.0),
    )
