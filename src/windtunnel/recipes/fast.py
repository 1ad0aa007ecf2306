"""Our own speed recipes: the cheapest trainings we found to an accuracy, by multiply-adds; docs/lab-log.md says how.

All were chosen on images held out of training. They count on a CPU, where time is multiply-adds: small batches cost no
more than large ones there, and give a short training more updates.
"""

from windtunnel.config.data import DataConfig, Mnist
from windtunnel.config.evaluate import EvaluateConfig
from windtunnel.config.experiment import Experiment
from windtunnel.config.loss import CrossEntropy
from windtunnel.config.models import Sequential
from windtunnel.config.models.blocks import Conv, ConvGroup, Head
from windtunnel.config.optim import Muon
from windtunnel.config.run import TrainConfig
from windtunnel.config.schedule import Linear


def mnist_fast99() -> Experiment:
    """MNIST to 99% in one epoch: a three-convolution network at half resolution, Muon, no augmentation.

    Command: ``windtunnel train mnist/fast99``. 99.28% (sd 0.08, n=2) on 6,000 images held out of training.
    """
    return Experiment(
        name="fast99",
        project="mnist",
        data=DataConfig(source=Mnist(), batch_size=256),
        model=Sequential(
            blocks=(
                Conv(out_channels=16, kernel_size=5, stride=2),
                ConvGroup(out_channels=32, activation="relu", norm_momentum=0.2),
                Head(pool="flatten", hidden=64, bias=False),
            )
        ),
        optim=Muon(lr=0.1, momentum=0.6, exclude="*head*", sgd_lr=0.1, sgd_momentum=0.85),
        schedule=Linear(),
        loss=CrossEntropy(label_smoothing=0.1),
        train=TrainConfig(epochs=1.0, validate_every=0.0, checkpoint_every=0.0),
        evaluate=EvaluateConfig(batch_size=2000),
    )
