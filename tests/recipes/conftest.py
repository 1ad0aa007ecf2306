import numpy as np
import pytest


@pytest.fixture
def images(tmp_path, monkeypatch):
    """Say where 48 random images of a number of channels and size lie."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def write(channels, size):
        shape = (48, size, size, 3) if channels == 3 else (48, size, size)
        drawn = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        np.savez(tmp_path / "drawn.npz", images=drawn, labels=np.arange(48) % 10)
        return f"data.source={{name: npz, path: {tmp_path / 'drawn.npz'}}}"

    return write
