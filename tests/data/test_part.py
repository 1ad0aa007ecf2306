import torch

from windtunnel.core.types import ImageBytes
from windtunnel.data import part as part_module
from windtunnel.data.part import Part


def make_whole(count=20):
    pixels = torch.randint(0, 256, (count, 3, 4, 2), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    return ImageBytes(pixels.permute(0, 3, 1, 2), torch.arange(count))


def test_a_cut_part_holds_the_rows_its_indices_name():
    whole, indices = make_whole(), torch.tensor([1, 4, 5, 19])
    part = Part(whole, indices)
    assert part.images.equal(whole.images[indices])
    assert part.labels.equal(indices)
    assert (len(part), part.image_shape, part.num_bytes) == (4, (2, 3, 4), 4 * 24)
    assert part.gather(torch.tensor([3, 0])).equal(whole.images[[19, 1]])
    assert part.gather(torch.tensor([3])).is_contiguous(memory_format=torch.channels_last)


def test_a_whole_part_is_the_map_itself_and_a_head_is_its_front():
    whole = make_whole()
    part = Part.of(whole)
    assert part.images.data_ptr() == whole.images.data_ptr()
    assert part.load(torch.device("cpu")).images.data_ptr() == whole.images.data_ptr()
    assert part.head(3).images.equal(whole.images[:3])
    assert len(part.head(99)) == 20


def test_chunks_hold_few_bytes_and_every_row_once(monkeypatch):
    monkeypatch.setattr(part_module, "_CHUNK_BYTES", 24 * 6 + 1)
    chunks = list(Part.of(make_whole()).chunks())
    assert [len(chunk) for chunk in chunks] == [6, 6, 6, 2]
    assert torch.cat(chunks).equal(torch.arange(20))
