"""One part of a data set: some rows of a memory-mapped split, copied only when they are asked for."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from windtunnel.core.types import ImageBytes

_CHUNK_ROWS = 4096
_CHUNK_BYTES = 1 << 24


@dataclass(frozen=True)
class Part:
    """Train, validation or test images.

    Args:
        whole: the raw split they lie in, memory-mapped.
        indices: their places in it, ascending, none twice.
        resident: the part's images and labels on a device where another process holds them; None where nobody does.
    """

    whole: ImageBytes
    indices: Int64[Tensor, " n"]
    resident: ImageBytes | None = None

    @classmethod
    def of(cls, whole: ImageBytes) -> "Part":
        """Return the part of every image of a split."""
        return cls(whole, torch.arange(len(whole.labels)))

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.indices)

    @property
    def is_whole(self) -> bool:
        """Whether these are all images of the split, so that the map itself can serve."""
        return len(self.indices) == len(self.whole.labels)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width."""
        _, channels, height, width = self.whole.images.shape
        return channels, height, width

    @property
    def num_bytes(self) -> int:
        """Bytes of the images, one a channel of a pixel."""
        channels, height, width = self.image_shape
        return len(self) * channels * height * width

    @cached_property
    def labels(self) -> Int64[Tensor, " n"]:
        """Class index of each image."""
        return self.whole.labels if self.is_whole else self.whole.labels[self.indices]

    @cached_property
    def images(self) -> UInt8[Tensor, "n c h w"]:
        """All images: the memory map when they are a whole split, else a copy that stays in memory once made."""
        return self.whole.images if self.is_whole else self.gather(torch.arange(len(self)))

    def head(self, count: int) -> "Part":
        """Return the first ``count`` images as a part."""
        held = self.resident
        return Part(self.whole, self.indices[:count], held and ImageBytes(held.images[:count], held.labels[:count]))

    def chunks(self) -> Iterator[Int64[Tensor, " c"]]:
        """Yield the rows of the part in order, few enough at a time to hold their images in memory."""
        image_bytes = math.prod(self.image_shape)
        yield from torch.arange(len(self)).split(min(_CHUNK_ROWS, max(1, _CHUNK_BYTES // image_bytes)))

    def gather(self, rows: Int64[Tensor, " b"], *, pinned: bool = False) -> UInt8[Tensor, "b c h w"]:
        """Return a copy of the images at ``rows``, channels last in memory.

        numpy copies on the calling thread alone and lets others run meanwhile, page faults included.

        Args:
            rows: places within this part, on the CPU.
            pinned: into page-locked memory, from where a GPU copies without being waited for.
        """
        source = self.whole.images.permute(0, 2, 3, 1).numpy()
        out = torch.empty((len(rows), *source.shape[1:]), dtype=torch.uint8, pin_memory=pinned)
        # "clip" only spares numpy a buffer: every index is in range
        np.take(source, self.indices[rows].numpy(), axis=0, out=out.numpy(), mode="clip")
        return out.permute(0, 3, 1, 2)

    def load(self, device: torch.device) -> ImageBytes:
        """Return images and labels on ``device``, chunk by chunk so that main memory never holds a second copy.

        What another process holds there is used as it is.
        """
        if self.resident is not None and self.resident.images.device.type == device.type:
            return self.resident
        if device.type == "cpu":
            return ImageBytes(self.images, self.labels)
        channels, height, width = self.image_shape
        pixels = torch.empty((len(self), height, width, channels), dtype=torch.uint8, device=device)
        for rows in self.chunks():
            pixels[rows[0] : rows[-1] + 1] = self.gather(rows).permute(0, 2, 3, 1).to(device)
        return ImageBytes(pixels.permute(0, 3, 1, 2), self.labels.to(device))
