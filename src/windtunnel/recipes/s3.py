"""Report S3's own run: "ImprovedResNet", 4,903,082 parameters, Lookahead around SGD, 400 epochs."""

from windtunnel.config.averaging import Lookahead
from windtunnel.config.budget import BudgetConfig
from windtunnel.config.data import Cifar10, DataConfig, OfficialSplit
from windtunnel.config.experiment import Experiment
from windtunnel.config.loss import CrossEntropy
from windtunnel.config.models import ImprovedResnet
from windtunnel.config.optim import Sgd
from windtunnel.config.run import TrainConfig
from windtunnel.config.schedule import Cosine


def s3() -> Experiment:
    """S3's ImprovedResNet under 5 M parameters on CIFAR-10, 400 epochs; S3: 98.67% training, 86.97% test.

    Command: ``windtunnel train cifar10/s3``, or ``windtunnel reproduce S3``. S3 gives no batch size (here 128).
    Deviation: S3 draws its curves on the test images; here 1,000 training images are held out for them.
    """
    return Experiment.model_validate(
        {
            "name": "s3",
            "project": "cifar10",
            "data": DataConfig(source=Cifar10(), split=OfficialSplit(validation=0.02), batch_size=128),
            "augment": "s3_improved",
            "model": ImprovedResnet(),
            "budget": BudgetConfig(parameters=5_000_000),
            "optim": Sgd(lr=0.05, momentum=0.9, nesterov=False, weight_decay=1e-4),
            "schedule": Cosine(interval="epoch"),
            "loss": CrossEntropy(label_smoothing=0.1),
            "averaging": Lookahead(every=5, alpha=0.5),
            "train": TrainConfig(epochs=400.0),
        }
    )
