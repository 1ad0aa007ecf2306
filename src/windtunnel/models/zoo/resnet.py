"""ResNet-18 for ImageNet-sized or small images, with torchvision's state-dict keys so that its weights load.

Source: He et al. 2015 (arXiv 1512.03385); names of layers after torchvision's public state dicts; S2 for the
upsampling layer. With ``stem: cifar`` the first convolution is 3x3 with stride 1 and nothing is pooled, as is
usual for 32 px. Count with the ImageNet stem and 1,000 classes: 11,689,512, torchvision's.
"""

from typing import ClassVar, Literal, cast

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from windtunnel.models.blocks.conv import conv3x3
from windtunnel.models.blocks.heads import GlobalPool
from windtunnel.models.blocks.residual import projection
from windtunnel.models.weights import LoadReport
from windtunnel.models.zoo.stages import build_stages

_WIDTHS = (64, 128, 256, 512)


class TorchvisionBasicBlock(nn.Module):
    """ResNet's basic block under torchvision's names (``bn1``, ``downsample``).

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        stride: of the first convolution and of the projection, pixels.
    """

    skip: ClassVar[str] = "add_then_activate"

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = conv3x3(in_channels, out_channels, stride=stride)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = conv3x3(out_channels, out_channels)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.downsample = projection(in_channels, out_channels, stride=stride)

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d g v"]:
        """Return relu(path(images) + downsample(images))."""
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(images)))))
        out += self.downsample(images)
        return cast(Tensor, self.relu(out))


class Resnet18(nn.Module):
    """Stem, four stages of two basic blocks, global average, linear head ``fc``.

    Args:
        num_classes: outputs.
        in_channels: channels of the images.
        image_size: height and width, pixels; any.
        stem: ``imagenet`` (7x7 stride 2, max pool) or ``cifar`` (3x3).
        upsample: resize images to this side first, bilinearly, pixels; ``None`` leaves them.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        in_channels: int,
        image_size: tuple[int, int],
        stem: Literal["imagenet", "cifar"],
        upsample: int | None,
    ) -> None:
        super().__init__()
        large = stem == "imagenet"
        kernel, stride = (7, 2) if large else (3, 1)
        self.upsample = upsample
        self.load_report: LoadReport | None = None  # set where weights were loaded
        self.conv1 = nn.Conv2d(in_channels, 64, kernel, stride=stride, padding=kernel // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1) if large else nn.Identity()
        stages = build_stages(TorchvisionBasicBlock, stem=64, widths=_WIDTHS, depths=(2, 2, 2, 2))
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.avgpool = GlobalPool("average")
        self.fc = nn.Linear(_WIDTHS[-1], num_classes)

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        """Return the logits."""
        if self.upsample is not None:
            images = F.interpolate(images, size=self.upsample, mode="bilinear", antialias=False)
        out = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        out = self.layer4(self.layer3(self.layer2(self.layer1(out))))
        return cast(Tensor, self.fc(self.avgpool(out)))
