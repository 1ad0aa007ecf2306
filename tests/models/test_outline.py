"""Block diagrams: what is folded, what goes around, and that the drawing holds it all."""

import itertools
import re
from xml.etree import ElementTree

import pytest
import torch
from pydantic import TypeAdapter
from torch import nn

from windtunnel.config.models import ModelConfig
from windtunnel.config.models.catalogue import CARDS
from windtunnel.models.outline import outline
from windtunnel.report.model_diagram import draw_diagram


def build(model, size=32):
    with torch.device("meta"):
        return (
            TypeAdapter(ModelConfig)
            .validate_python(model)
            .build(num_classes=10, in_channels=3, image_size=(size, size))
        )


def picture(model):
    return outline(build(model), (3, 32, 32))


def walk(box):
    yield box
    for child in (*box.children, *box.side):
        yield from walk(child)


def test_a_trunk_is_folded_into_its_stages():
    boxes = picture("bn4").children
    assert [(box.label, box.repeat) for box in boxes[:4]] == [
        ("conv 5x5, 32 · norm · relu · max pool 2", 1),
        ("Bottleneck", 3),
        ("conv 5x5, 64 · norm · relu · max pool 2", 1),
        ("Bottleneck", 3),
    ]
    assert [box.label for box in boxes[-3:]] == ["flatten", "linear 64 · layer norm · relu", "linear 10"]
    assert [child.label.split(" · ")[0] for child in boxes[1].children] == [
        "conv 1x1, 8",
        "conv 3x3, 8",
        "conv 1x1, 32",
    ]


def test_shapes_join_from_box_to_box():
    for name in ("hwy_v2", "slim_resnet", "airbench94_residual"):
        boxes = picture(name).children
        assert boxes[0].in_shape == (3, 32, 32) and boxes[-1].out_shape == (10,)
        assert all(one.out_shape == other.in_shape for one, other in itertools.pairwise(boxes))


def test_a_projection_goes_around_and_the_activation_follows_the_sum():
    block = picture("slim_resnet").children[2]
    assert (block.joined, block.after) == ("add", "relu")
    assert [box.label for box in block.side] == ["conv 1x1, 64 /2 · norm"]
    assert [box.label for box in block.children] == ["conv 3x3, 64 /2 · norm · relu", "conv 3x3, 64 · norm"]


def test_equal_branches_are_one_stack():
    branch = picture("bnv2").children[1]
    assert (branch.label, branch.joined, branch.repeat) == ("mean of 3 branches", "mean", 3)
    (stack,) = branch.children
    assert stack.repeat == 3 and stack.children[-1].label == "norm"


def test_a_repeated_row_of_different_blocks_is_one_block():
    boxes = picture("bnv1").children
    row = boxes[1]
    assert (row.label, row.repeat, row.in_shape, row.out_shape) == ("block", 3, (32, 16, 16), (32, 16, 16))
    assert [box.label for box in row.children] == ["concat of 3 branches", "conv 1x1, 32 · norm · relu"]
    assert len(boxes) == 11


@pytest.mark.parametrize("name", sorted(CARDS))
def test_every_model_is_drawn_within_its_frame(name):
    found = picture(name)
    root = ElementTree.fromstring(draw_diagram(found, title=f"{name} <&>"))
    width, height = float(root.get("width")), float(root.get("height"))
    words = " ".join(part.text for part in root.iter("{http://www.w3.org/2000/svg}text"))
    assert f"{name} <&>" in words
    assert all(box.label in words for box in walk(found) if box is not found)
    for rect in root.iter("{http://www.w3.org/2000/svg}rect"):
        if rect.get("x") is not None:
            assert 0 <= float(rect.get("x")) <= float(rect.get("x")) + float(rect.get("width")) <= width
            assert 0 <= float(rect.get("y")) <= float(rect.get("y")) + float(rect.get("height")) <= height


def test_no_two_boxes_of_a_drawing_overlap_without_holding_each_other():
    branches = ["residual", ["bottleneck", "bottleneck"], {"name": "highway", "blocks": ["residual"]}]
    blocks = [{"name": "conv", "out_channels": 8}, {"name": "branch", "branches": branches}, {"name": "head"}]
    drawing = draw_diagram(picture({"name": "sequential", "blocks": blocks}), title="x")
    found = re.findall(r'<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"', drawing)
    boxes = [(float(x), float(y), float(x) + float(w), float(y) + float(h)) for x, y, w, h in found]
    assert len(boxes) > 10
    for index, one in enumerate(boxes):
        for other in boxes[index + 1 :]:
            assert apart(one, other) or holds(one, other) or holds(other, one)


def apart(one, other):
    return one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]


def holds(outer, inner):
    return outer[0] <= inner[0] and outer[1] <= inner[1] and inner[2] <= outer[2] and inner[3] <= outer[3]


class _OwnBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.skip = nn.Conv2d(3, 8, 1)
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.note = nn.Identity()

    def forward(self, images):
        return self.note(self.skip(images) + self.conv(images))


def test_a_layer_called_skip_in_a_network_of_ones_own_is_a_layer():
    drawn = outline(nn.Sequential(_OwnBlock()), (3, 8, 8))
    assert {"conv 1x1, 8", "conv 3x3, 8"} <= {box.label for box in walk(drawn)}
