"""Public ImageNet weights for resnet18, fetched once, checked and kept.

The file is timm's safetensors copy of torchvision's IMAGENET1K_V1 weights, pinned by revision and sha256.
"""

import hashlib
import http.client
import os
import tempfile
import urllib.request
from pathlib import Path
from typing import Literal

from windtunnel.core.places import offline_switch, user_path
from windtunnel.core.secrets import hide_secrets
from windtunnel.errors import ModelError
from windtunnel.models.hub import RESNET18, HubFile
from windtunnel.models.weights import load_weights, read_weights
from windtunnel.models.zoo.resnet import Resnet18

_CHUNK = 1 << 20
_TIMEOUT_S = 30


def build_resnet18(
    *,
    num_classes: int,
    in_channels: int,
    image_size: tuple[int, int],
    stem: Literal["imagenet", "cifar"],
    upsample: int | None,
    pretrained: bool,
    weights: str | None,
) -> Resnet18:
    """Return a resnet18, its weights loaded where asked for; ``load_report`` of it says what was.

    Args:
        num_classes: outputs.
        in_channels: channels of the images.
        image_size: height and width, pixels.
        stem: see :class:`Resnet18`.
        upsample: see :class:`Resnet18`.
        pretrained: load the public ImageNet weights, fetched first when they are not here.
        weights: a safetensors file to load instead.

    Raises:
        ModelError: the file cannot be had, is no safetensors file or belongs to another network.

    """
    network = Resnet18(
        num_classes=num_classes, in_channels=in_channels, image_size=image_size, stem=stem, upsample=upsample
    )
    if pretrained or weights is not None:
        file = user_path(weights) if weights else fetch(RESNET18)
        tensors = read_weights(file)
        network.load_report = load_weights(network, tensors, source=str(file), head="fc", stem="conv1")
    return network


def fetch(file: HubFile) -> Path:
    """Return the local copy of ``file``, fetched first when there is none; ``$HF_ENDPOINT`` names another hub.

    Raises:
        ModelError: there is no copy and no network, or what came is not the pinned file. Nothing is left behind.

    """
    target = file.local_path()
    if target.is_file():
        return target
    url = file.url(os.environ.get("HF_ENDPOINT") or "https://huggingface.co")
    if switch := offline_switch():
        raise ModelError(
            f"{switch} is set and {target} does not exist; fetch {hide_secrets(url)} elsewhere and give it as "
            "model.weights"
        )
    _download(url, target, file.sha256)
    return target


def _download(url: str, target: Path, sha256: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, suffix=".part")
    partial = Path(name)
    try:
        with os.fdopen(handle, "wb") as out, urllib.request.urlopen(url, timeout=_TIMEOUT_S) as response:
            digest = hashlib.sha256()
            while chunk := response.read(_CHUNK):
                digest.update(chunk)
                out.write(chunk)
        if digest.hexdigest() != sha256:
            raise ModelError(f"{hide_secrets(url)} gave sha256 {digest.hexdigest()}, not {sha256}; nothing was kept")
        partial.replace(target)
    except (OSError, http.client.HTTPException, ValueError) as error:  # the last is of an address that is none
        raise ModelError(
            f"cannot fetch {hide_secrets(f'{url}: {error}')}; without a network give a local safetensors file as "
            "model.weights"
        ) from error
    finally:
        partial.unlink(missing_ok=True)
