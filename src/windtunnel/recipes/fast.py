"""Our own speed recipes, cheap in multiply-adds; docs/speed.md says what was measured, docs/lab-log.md what failed.

All were chosen on images held out of training. They count on a CPU, where time is multiply-adds: small batches cost no
more than large ones there, and give a short training more updates. The rates of biases and head are airbench94_muon's
(Jordan 2024) for its loss summed over a batch, so that they hold for any batch size; the rate of the orthogonalised
filters, whose updates know no scale, is lower because there are more of them.
"""

import math

from windtunnel.config.augment import AlternatingFlip, Cutout, OpConfig, RandomCrop
from windtunnel.config.data import Cifar10, Cifar100, DataConfig, Mnist
from windtunnel.config.evaluate import EvaluateConfig
from windtunnel.config.experiment import Experiment
from windtunnel.config.loss import CrossEntropy
from windtunnel.config.models import Funnel, Sequential
from windtunnel.config.models.blocks import Conv, ConvGroup, Head
from windtunnel.config.optim import Muon, ParameterGroup
from windtunnel.config.run import TrainConfig
from windtunnel.config.schedule import Linear
from windtunnel.config.tta import FlipTranslateTta

_BIAS_RATE = 0.053
_DECAY = 2e-6  # share of each bias and head weight that goes with each image at the peak rate
_FLIP_AND_SHIFT = (AlternatingFlip(), RandomCrop(padding=2, mode="reflect"))


def mnist_fast99() -> Experiment:
    """MNIST to 99% in one epoch: a three-convolution network at half resolution, Muon, no augmentation.

    Command: ``windtunnel train mnist/fast99``. 99.20% (n=2) on 6,000 images held out of training. Muon moves every
    matrix here, those of the head as well.
    """
    return Experiment(
        name="fast99",
        project="mnist",
        data=DataConfig(source=Mnist(), batch_size=512),
        model=Sequential(
            blocks=(
                Conv(out_channels=16, kernel_size=5, stride=2),
                ConvGroup(out_channels=32, activation="relu", norm_momentum=0.2),
                Head(pool="flatten", hidden=64, bias=False),
            )
        ),
        optim=Muon(lr=0.1, momentum=0.6, exclude="", sgd_lr=0.1, sgd_momentum=0.85),
        schedule=Linear(),
        loss=CrossEntropy(label_smoothing=0.1),
        train=TrainConfig(epochs=1.0, validate_every=0.0, checkpoint_every=0.0),
        evaluate=EvaluateConfig(batch_size=2000),
    )


def fast90() -> Experiment:
    """CIFAR-10 to 90%: four epochs, two at 20 pixels and two at 32, narrow layers where maps are large.

    Command: ``windtunnel train cifar10/fast90 runtime.convolution=winograd``. 64 TFLOP of training, 0.23 of
    airbench94_muon's. 90.7% of the test images with its six views (n=5, ``benchmarks/speed.py 90``). The rate is higher
    and the shift smaller than in longer trainings.
    """
    return build_fast(
        "fast90",
        Funnel(),
        Cifar10(),
        epochs=4.0,
        resize=((0.0, 20), (2.0, 32)),
        rate=0.24,
        augment=(AlternatingFlip(), RandomCrop(padding=1, mode="reflect")),
    )


def fast94() -> Experiment:
    """CIFAR-10 to 94%: airbench94_muon's network and length, its first quarter at 20 pixels, twice the updates.

    Command: ``windtunnel train cifar10/fast94 runtime.convolution=winograd``. 237 TFLOP of training, 0.84 of
    airbench94_muon's, most of them at sizes where Winograd's convolutions save most. 93.94% of the
    test images with its views (n=1, ``benchmarks/speed.py 94``).
    """
    return build_fast(
        "fast94",
        Funnel(widths=((64, 64), (256, 256), (256, 256))),
        Cifar10(),
        epochs=8.0,
        resize=((0.0, 20), (2.0, 32)),
        batch=1000,
        rate=0.17,
        smoothing=0.2,
    )


def fast95() -> Experiment:
    """CIFAR-10 to 95%: twelve epochs from 20 to 32 pixels with Muon.

    Command: ``windtunnel train cifar10/fast95``. 444 TFLOP of training, a third of airbench95's. Not measured to the
    end here.
    """
    return build_fast(
        "fast95",
        Funnel(widths=((64, 128), (192, 384), (384, 512))),
        Cifar10(),
        epochs=12.0,
        resize=((0.0, 20), (3.0, 24), (6.0, 28), (10.0, 32)),
    )


def fast96() -> Experiment:
    """CIFAR-10 to 96%: thirty epochs from 24 to 32 pixels with Muon, a third convolution a group, cutout.

    Command: ``windtunnel train cifar10/fast96``. Not measured to the end here.
    """
    return build_fast(
        "fast96",
        Funnel(widths=((64, 128), (256, 384), (384, 512)), depth=3, norm_momentum=0.1),
        Cifar10(),
        epochs=30.0,
        resize=((0.0, 24), (10.0, 28), (20.0, 32)),
        augment=(AlternatingFlip(), RandomCrop(padding=4, mode="reflect"), Cutout(size=12)),
    )


def cifar100_fast75() -> Experiment:
    """CIFAR-100 to 75%: ten epochs from 20 to 32 pixels with Muon, a wide last group.

    Command: ``windtunnel train cifar100/fast75``. Widths, sizes and label smoothing follow the CIFAR-100 speedrun
    (AIDDA-Institute, NAVIER-STOKED). Not measured to the end here.
    """
    return build_fast(
        "fast75",
        Funnel(widths=((64, 64), (192, 256), (384, 768))),
        Cifar100(),
        epochs=10.0,
        resize=((0.0, 20), (1.5, 24), (5.0, 32)),
        smoothing=0.25,
    )


def build_fast(
    name: str,
    model: Funnel,
    source: Cifar10 | Cifar100,
    *,
    epochs: float,
    resize: tuple[tuple[float, int], ...],
    batch: int = 512,
    rate: float = 0.14,
    smoothing: float = 0.1,
    augment: tuple[OpConfig, ...] = _FLIP_AND_SHIFT,
) -> Experiment:
    """Return a recipe of a funnel trained by Muon.

    Args:
        name: the recipe's.
        model: the network; its head starts and learns as airbench94_muon's would with as many inputs.
        source: the data set, and the recipe's project.
        epochs: passes over the training images.
        resize: progressive resizing, see :class:`TrainConfig`.
        batch: images an update.
        rate: peak rate of the orthogonalised filters.
        smoothing: label smoothing.
        augment: ops.
    """
    inputs = model.widths[-1][1]
    head_rate, decay = 0.67 / (3 * inputs), _DECAY * batch
    return Experiment(
        name=name,
        project=source.name,
        data=DataConfig(source=source, batch_size=batch),
        augment=augment,
        model=model.model_copy(update={"logit_scale": math.sqrt(3 / inputs)}),
        optim=Muon(
            lr=rate,
            momentum=0.6,
            sgd_lr=_BIAS_RATE,
            sgd_momentum=0.85,
            groups=(
                ParameterGroup(match="whiten.bias", weight_decay=decay / _BIAS_RATE, train_epochs=1.0, fades=True),
                ParameterGroup(match="*norm*", weight_decay=decay / _BIAS_RATE),
                ParameterGroup(match="head.*", lr_scale=head_rate / _BIAS_RATE, weight_decay=decay / head_rate),
            ),
        ),
        schedule=Linear(),
        loss=CrossEntropy(label_smoothing=smoothing, reduction="sum"),
        train=TrainConfig(epochs=epochs, validate_every=0.0, resize=resize),
        evaluate=EvaluateConfig(batch_size=2000, tta=FlipTranslateTta(only_least_confident=0.25)),
    )
