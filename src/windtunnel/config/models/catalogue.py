"""Every model by name: size, cost and the accuracy others reported, known without building anything.

Parameters and multiply-adds are for 10 classes and 32x32 colour images; the conformance suite holds the networks
to them.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class ModelCard:
    """What is known of a model.

    Args:
        parameters: with 10 classes and 3x32x32 images, frozen ones included.
        macs: multiply-adds of one such image's forward pass.
        source: who described it.
        accuracy: CIFAR-10 accuracy in percent that the source reports; ``None`` where it reports none. Not
            measured by this package, and not under one protocol.
        protocol: what that accuracy is of.
    """

    parameters: int
    macs: int
    source: str
    accuracy: float | None = None
    protocol: str = ""


_S0_EASY = "test, Easy augmentation"
_S0_VALIDATION = "validation, Easy augmentation"
_HE = "He et al. 2015"
_AIRBENCH = "Jordan 2024"
_HASSANI = "Hassani et al. 2021"

CARDS: Mapping[str, ModelCard] = {
    "airbench93": ModelCard(569_656, 54_223_904, _AIRBENCH, 93.0, "test, TTA, target of the mean"),
    "airbench94": ModelCard(1_972_792, 118_147_360, _AIRBENCH, 94.01, "test, TTA, mean"),
    "airbench94_residual": ModelCard(2_056_248, 119_885_600, "S1", 92.81, "test, TTA, mean of 5, 8 epochs"),
    "airbench95": ModelCard(4_606_520, 301_560_864, _AIRBENCH, 95.01, "test, TTA, mean"),
    "airbench96": ModelCard(9_918_776, 451_967_264, _AIRBENCH, 96.05, "test, TTA, mean"),
    "bn4": ModelCard(1_035_914, 30_081_664, "S0", 88.5, _S0_EASY),
    "bn8": ModelCard(694_058, 26_911_360, "S0", 87.8, _S0_EASY),
    "bnv1": ModelCard(6_565_514, 72_106_624, "S0", 87.4, _S0_VALIDATION),
    "bnv2": ModelCard(10_029_098, 99_189_376, "S0", 88.6, _S0_VALIDATION),
    "bv1": ModelCard(6_537_290, 72_106_624, "S0", 87.1, _S0_EASY),
    "bv2": ModelCard(10_000_874, 99_189_376, "S0", 87.2, _S0_EASY),
    "cct_2_3x2": ModelCard(283_723, 35_341_568, _HASSANI),
    "cct_7_3x1": ModelCard(3_760_139, 1_181_616_640, _HASSANI),
    "cnn_130k": ModelCard(128_634, 53_238_400, "S0", 82.6, _S0_EASY),
    "cnn_430k": ModelCard(434_922, 66_953_856, "S0", 82.9, _S0_EASY),
    "cnn_large": ModelCard(1_329_610, 244_793_984, "S0", 82.4, _S0_EASY),
    "convnext_atto": ModelCard(3_376_290, 44_288_640, "Liu et al. 2022, timm"),
    "dbn": ModelCard(855_050, 28_385_920, "S0", 86.3, _S0_EASY),
    "densenet_bc_100_12": ModelCard(769_162, 287_929_692, "Huang et al. 2016", 95.49, "test, 300 epochs"),
    "densenet_bc_40_12": ModelCard(176_122, 72_365_352, "Huang et al. 2016"),
    "funnel": ModelCard(1_874_936, 78_973_728, "windtunnel"),
    "hwy_v1": ModelCard(1_035_914, 30_081_664, "S0", 88.2, _S0_EASY),
    "hwy_v2": ModelCard(9_623_786, 110_002_816, "S0", 89.2, _S0_EASY),
    "improved_resnet": ModelCard(4_903_082, 736_995_328, "S3", 86.97, "its own custom test set"),
    "lenet": ModelCard(62_006, 651_720, "LeCun et al. 1998"),
    "mlp": ModelCard(1_707_274, 1_706_496, "S2"),
    "preact_resnet18": ModelCard(11_172_170, 555_422_720, "He et al. 2016"),
    "res_v1": ModelCard(9_623_786, 110_002_816, "S0", 89.5, _S0_EASY),
    "resnet110": ModelCard(1_727_962, 252_887_680, _HE, 93.39, "test, mean of 5"),
    "resnet18": ModelCard(11_181_642, 37_016_576, _HE),
    "resnet20": ModelCard(269_722, 40_551_040, _HE, 91.25, "test"),
    "resnet32": ModelCard(464_154, 68_862_592, _HE, 92.49, "test"),
    "resnet44": ModelCard(658_586, 97_174_144, _HE, 92.83, "test"),
    "resnet56": ModelCard(853_018, 125_485_696, _HE, 93.03, "test"),
    "resnext29_32x4d": ModelCard(4_775_754, 774_055_936, "Xie et al. 2016"),
    "resnext29_8x64d": ModelCard(34_426_698, 5_387_266_048, "Xie et al. 2016", 96.35, "test, mean of 10"),
    "slim_resnet": ModelCard(4_754_218, 271_419_904, "S4", 94.65, "its own validation, TTA"),
    "vit_lite_7_4": ModelCard(3_716_618, 254_482_432, _HASSANI),
    "wide_resnet_16_8": ModelCard(10_961_370, 1_548_145_664, "Zagoruyko and Komodakis 2016", 95.73, "test"),
    "wide_resnet_28_10": ModelCard(36_479_194, 5_243_328_768, "Zagoruyko and Komodakis 2016", 96.0, "test"),
}

# Family with options -> the model its defaults build.
FAMILIES: Mapping[str, str] = {
    "airbench": "airbench94",
    "cifar_resnet": "resnet20",
    "cnn": "cnn_430k",
    "compact_transformer": "cct_7_3x1",
    "convnext": "convnext_atto",
    "densenet_bc": "densenet_bc_100_12",
    "preact_resnet": "preact_resnet18",
    "resnext": "resnext29_8x64d",
    "wide_resnet": "wide_resnet_28_10",
}

# Takes its blocks from the user, so it has no size of its own.
OPEN_ENDED = "sequential"


def list_model_names() -> list[str]:
    """Return every registered model name: models, families and ``sequential``."""
    return sorted([*CARDS, *FAMILIES, OPEN_ENDED])
