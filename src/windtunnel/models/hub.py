"""Public weights on the Hugging Face hub: which file of which revision, and where its copy is kept. Without torch."""

from dataclasses import dataclass
from pathlib import Path

from windtunnel.core.places import cache_root


@dataclass(frozen=True)
class HubFile:
    """A file on the Hugging Face hub.

    Args:
        repository: owner and name.
        revision: commit.
        name: the file there.
        sha256: of its content.
    """

    repository: str
    revision: str
    name: str
    sha256: str

    def url(self, endpoint: str) -> str:
        """Return the file's address."""
        return f"{endpoint.rstrip('/')}/{self.repository}/resolve/{self.revision}/{self.name}"

    def local_path(self) -> Path:
        """Return where its copy is kept, whether it is there or not."""
        return cache_root() / "weights" / f"{self.repository.replace('/', '--')}-{self.sha256[:12]}.safetensors"


RESNET18 = HubFile(
    repository="timm/resnet18.tv_in1k",
    revision="bbd144b3e5565108aad885f145491d11bc6ce807",
    name="model.safetensors",
    sha256="694f673df6520a3158624e8a89af086f59923ee4cd7436fe5bc3bc71d295ad81",
)
