import pytest
import torch
import torch.nn.functional as F

from windtunnel.config.models import Airbench, Funnel
from windtunnel.core.rng import seeded
from windtunnel.errors import ModelError
from windtunnel.models.summary import count_macs


def build(*, size=32, seed=0, **fields):
    with seeded(seed):
        return Funnel(**fields).build(num_classes=10, in_channels=3, image_size=(size, size)).eval()


def draw(size=32):
    return torch.randn(4, 3, size, size, generator=torch.Generator().manual_seed(1))


def test_equal_pairs_of_width_are_airbench94():
    funnel = build(widths=((64, 64), (256, 256), (256, 256)), activation="gelu")
    airbench = Airbench().build(num_classes=10, in_channels=3, image_size=(32, 32)).eval()
    airbench.load_state_dict(funnel.state_dict())
    images = draw()
    torch.testing.assert_close(funnel(images), airbench(images))


def test_narrow_convolutions_in_front_of_pools_save_what_they_should():
    wide, narrow = (
        count_macs(build(widths=((8, 16), (front, 32))), (3, 32, 32))["groups.1.conv1"] for front in (32, 16)
    )
    assert wide == 2 * narrow == 9 * 16 * 32 * 15 * 15


def test_larger_images_are_shrunk_without_aliasing_and_others_left():
    net, plain = (build(widths=((8, 8), (8, 8)), input_size=size) for size in (24, None))
    images = draw()
    shrunk = F.interpolate(images, (24, 24), mode="bilinear", antialias=True)
    torch.testing.assert_close(net(images), plain(shrunk))
    torch.testing.assert_close(net(draw(20)), plain(draw(20)))
    net.initialise_from(images)
    plain.initialise_from(shrunk)
    torch.testing.assert_close(net.whiten.weight, plain.whiten.weight)


def test_third_convolution_has_a_path_around_it():
    net = build(widths=((8, 8),), depth=3)
    torch.nn.init.zeros_(net.groups[0].conv3.weight)
    shallow = build(widths=((8, 8),))
    shallow.load_state_dict(net.state_dict(), strict=False)
    expected = shallow.groups(torch.ones(1, 24, 8, 8))
    torch.testing.assert_close(net.groups(torch.ones(1, 24, 8, 8)), F.silu(expected))


@pytest.mark.parametrize("fields", [{"size": 8}, {"input_size": 8}])
def test_images_too_small_for_the_pools_are_refused(fields):
    with pytest.raises(ModelError, match="at least 9x9, not 8"):
        build(**fields)
