"""Where images come from, how they are split and how they are batched."""

from typing import Annotated, ClassVar, Literal

from pydantic import model_validator

from windtunnel.config.base import (
    Component,
    ComponentOf,
    Count,
    Flag,
    Fraction,
    FrozenConfig,
    NonNegativeInt,
    OpenFraction,
    PositiveReal,
    Real,
    Text,
)


class Digits(Component):
    """1,797 handwritten digits of 8x8 pixels that ship with scikit-learn; no download."""

    target: ClassVar[str] = "windtunnel.data.digits:DigitsSource"
    name: Literal["digits"] = "digits"


class _NamedSource(Component):
    path: Text | None = None
    """Folder or file that holds the set; ``null`` looks in ``$WINDTUNNEL_DATA_DIR`` and the cache."""


class Mnist(_NamedSource):
    """MNIST: 60,000 + 10,000 grey images of 28x28, 10 classes."""

    target: ClassVar[str] = "windtunnel.data.named:mnist"
    name: Literal["mnist"] = "mnist"


class FashionMnist(_NamedSource):
    """Fashion-MNIST: 60,000 + 10,000 grey images of 28x28, 10 classes."""

    target: ClassVar[str] = "windtunnel.data.named:fashion_mnist"
    name: Literal["fashion_mnist"] = "fashion_mnist"


class Cifar10(_NamedSource):
    """CIFAR-10: 50,000 + 10,000 colour images of 32x32, 10 classes."""

    target: ClassVar[str] = "windtunnel.data.named:cifar10"
    name: Literal["cifar10"] = "cifar10"


class Cifar100(_NamedSource):
    """CIFAR-100: 50,000 + 10,000 colour images of 32x32, 100 fine classes."""

    target: ClassVar[str] = "windtunnel.data.named:cifar100"
    name: Literal["cifar100"] = "cifar100"


class ImageFolder(Component):
    """A folder ``<split>/<class>/<image>``, or ``<class>/<image>`` for one split."""

    target: ClassVar[str] = "windtunnel.data.folder:ImageFolderSource"
    name: Literal["image_folder"] = "image_folder"
    path: Text
    """The folder."""
    image_size: Count | None = None
    """Resize every image to this height and width, pixels; ``null`` demands that all have one size."""
    mode: Literal["RGB", "L"] = "RGB"
    """Colour (3 channels) or grey (1 channel)."""


class Npz(Component):
    """An ``.npz`` file with ``images`` (n h w) or (n h w c) uint8 and ``labels`` (n), or one pair per split."""

    target: ClassVar[str] = "windtunnel.data.npz:NpzSource"
    name: Literal["npz"] = "npz"
    path: Text
    """The file. Splits are arrays ``train_images``, ``train_labels``, ``test_images``, ..."""


class Parquet(Component):
    """A folder of parquet files in the Hugging Face layout: ``<split>-00000-of-00001.parquet``."""

    target: ClassVar[str] = "windtunnel.data.parquet:ParquetSource"
    name: Literal["parquet"] = "parquet"
    path: Text
    """The folder, or its parent when the files lie in ``data/``."""
    image_column: Text | None = None
    """Column of the images; ``null`` takes ``image`` or ``img``."""
    label_column: Text | None = None
    """Column of the labels; ``null`` takes ``label``, ``fine_label`` or ``labels``."""


SourceConfig = Annotated[
    Digits | Mnist | FashionMnist | Cifar10 | Cifar100 | ImageFolder | Npz | Parquet, ComponentOf("data source")
]


class OfficialSplit(Component):
    """The set's own train and test parts; a validation part is cut out of train."""

    target: ClassVar[str] = "windtunnel.data.split:split_official"
    name: Literal["official"] = "official"
    validation: OpenFraction = 0.0
    """Fraction of the training images held out for validation, stratified by class; 0 holds out none, so that a set's
    own validation part is used where it has one."""
    seed: NonNegativeInt = 0
    """Seed of the cut, apart from the run's seed so that runs with other seeds see the same split."""


class FractionSplit(Component):
    """Train, validation and test all cut from the set's training part (S0's 80:10:10 of the 50,000)."""

    target: ClassVar[str] = "windtunnel.data.split:split_fractions"
    name: Literal["fractions"] = "fractions"
    train: Fraction = 0.8
    """Fraction trained on."""
    validation: Fraction = 0.1
    """Fraction for choosing."""
    test: Fraction = 0.1
    """Fraction read once at the end."""
    seed: NonNegativeInt = 0
    """Seed of the cut."""

    @model_validator(mode="after")
    def _sum_to_one(self) -> "FractionSplit":
        total = self.train + self.validation + self.test
        if self.train <= 0 or total > 1 + 1e-9:
            raise ValueError(f"train must be above 0 and the three fractions sum to at most 1, not {total:g}")
        return self


SplitConfig = Annotated[OfficialSplit | FractionSplit, ComponentOf("split")]


class Normalize(FrozenConfig):
    """Per-channel mean and standard deviation of pixels scaled to 0..1."""

    mean: tuple[Real, ...]
    """One mean a channel."""
    std: tuple[PositiveReal, ...]
    """One standard deviation a channel."""

    @model_validator(mode="after")
    def _same_length(self) -> "Normalize":
        if len(self.mean) != len(self.std):
            raise ValueError(f"mean has {len(self.mean)} channels and std has {len(self.std)}")
        return self


class DataConfig(FrozenConfig):
    """The data of an experiment."""

    source: SourceConfig
    """Where the images come from."""
    split: SplitConfig = OfficialSplit()
    """How train, validation and test are cut."""
    batch_size: Count = 256
    """Images a training step."""
    drop_last: Flag = True
    """Leave out an epoch's last batch when it is short."""
    placement: Literal["auto", "resident", "streaming"] = "auto"
    """Images on the training device, or streamed from disk, with the same numbers; ``auto`` by measured free memory."""
    workers: Count = 2
    """Threads that read streamed batches ahead of the step."""
    train_limit: Count | None = None
    """Train on this many images only, balanced over classes; ``null`` uses all."""
    normalize: Normalize | None = None
    """``null`` takes the named set's public statistics, or measures the training split."""

    @property
    def may_have_validation(self) -> bool:
        """Whether there can be a validation part: cut out of train, or the set's own, which only its files can tell."""
        return self.cuts_validation or self.may_bring_validation

    @property
    def cuts_validation(self) -> bool:
        """Whether a validation part is cut out of train."""
        return bool(self.split.model_dump().get("validation", 0) > 0)

    @property
    def may_bring_validation(self) -> bool:
        """Whether only the files can tell if there is a validation part: some sets bring one, and none is cut off."""
        own = isinstance(self.split, OfficialSplit) and not isinstance(self.source, Digits | _NamedSource)
        return own and not self.cuts_validation
