import io
import os
import struct
import threading
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageOps

from windtunnel.data import decode
from windtunnel.data.decode import decode_image, decode_into, detect_mode
from windtunnel.errors import DataError


def save(image, kind="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("BMP", {}), ("WEBP", {"lossless": True})])
def test_lossless_formats_come_back_exactly(sets, kind, options):
    pixels = sets.make_images(1)[0]
    assert np.array_equal(decode_image(save(Image.fromarray(pixels), kind, **options), "x", "RGB", None), pixels)


def test_jpeg_comes_back_nearly(sets):
    pixels = np.full((16, 16, 3), 100, dtype=np.uint8)
    decoded = decode_image(save(Image.fromarray(pixels), "JPEG"), "x", "RGB", None)
    assert np.abs(decoded.astype(int) - 100).max() <= 3


def test_a_palette_is_only_another_packing(sets):
    image = Image.fromarray(sets.make_images(1)[0]).quantize(8)
    decoded = decode_image(save(image), "x", "RGB", None)
    assert np.array_equal(decoded, np.asarray(image.convert("RGB")))


def test_grey_in_a_colour_file_is_grey(sets):
    grey = sets.make_images(1, 8, 8, 1)[0]
    colour = save(Image.fromarray(grey.repeat(3, axis=2)), "WEBP", lossless=True)
    assert np.array_equal(decode_image(colour, "x", "L", None), grey)


MISFITS = [("L", "RGB"), ("RGB", "L"), ("RGBA", "RGB"), ("LA", "L"), ("I;16", "L")]


@pytest.mark.parametrize(("stored", "wanted"), MISFITS)
def test_another_mode_is_refused_by_name(sets, stored, wanted):
    if stored == "I;16":
        image = Image.fromarray(np.arange(64, dtype=np.uint16).reshape(8, 8))
    else:
        image = Image.fromarray(sets.make_images(1, 8, 8)[0]).convert(stored)
    with pytest.raises(DataError, match=rf"pictures/1\.png: the image's mode is {stored} and the set is {wanted}"):
        decode_image(save(image), "pictures/1.png", wanted, None)


def test_transparent_pixels_are_refused_in_every_mode(sets):
    colour = Image.fromarray(sets.make_images(1, 8, 8)[0])
    for image, hidden in ((colour, (1, 2, 3)), (colour.convert("L"), 3), (colour.quantize(8), 0)):
        with pytest.raises(DataError, match=f"mode is {image.mode} with transparency"):
            decode_image(save(image, transparency=hidden), "x", "L" if image.mode == "L" else "RGB", None)


def test_a_palette_of_colours_is_no_grey_image(sets):
    colour = Image.fromarray(sets.make_images(1, 8, 8)[0])
    for encoded in (save(colour.quantize(8)), save(colour, "GIF")):
        with pytest.raises(DataError, match=r"mode is P and the set is L \(grey\)"):
            decode_image(encoded, "x", "L", None)
    grey = colour.convert("L").quantize(8)
    assert np.array_equal(decode_image(save(grey), "x", "L", None)[..., 0], np.asarray(grey.convert("RGB"))[..., 0])


def orient(value):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = value
    return exif


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
@pytest.mark.parametrize("value", range(1, 9))
def test_an_image_is_turned_as_its_exif_says(sets, kind, value):
    options = {"lossless": True} if kind == "WEBP" else {}
    encoded = save(Image.fromarray(sets.make_images(1, 6, 9)[0]), kind, exif=orient(value), **options)
    shown = ImageOps.exif_transpose(Image.open(io.BytesIO(encoded)))
    assert np.array_equal(decode_image(encoded, "x", "RGB", None), np.asarray(shown))


def test_a_large_photo_is_scaled_and_turned(sets):
    photo = Image.fromarray(sets.make_images(1, 3, 9)[0]).resize((900, 300), Image.Resampling.BICUBIC)
    upright = decode_image(save(photo.rotate(90, expand=True), "JPEG", quality=95), "x", "RGB", (36, 12))
    turned = decode_image(save(photo, "JPEG", quality=95, exif=orient(8)), "x", "RGB", (36, 12))
    assert turned.shape == (36, 12, 3)
    assert np.abs(turned.astype(int) - upright.astype(int)).mean() < 2


@pytest.mark.parametrize("exif", [b"", b"Exif\0\0", b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12", b"no exif at all"])
def test_an_image_with_a_damaged_orientation_is_read_as_it_lies(sets, exif):
    pixels = sets.make_images(1, 6, 9)[0]
    assert np.array_equal(decode_image(save(Image.fromarray(pixels), exif=exif), "x", "RGB", None), pixels)


def test_a_photo_with_a_preview_behind_it_is_no_animation(sets):
    photo = Image.fromarray(np.full((40, 60, 3), 100, dtype=np.uint8))
    encoded = save(photo, "MPO", save_all=True, append_images=[Image.new("RGB", (6, 4))])
    assert decode_image(encoded, "x", "RGB", None).shape == (40, 60, 3)
    assert np.abs(decode_image(encoded, "x", "RGB", (8, 8)).astype(int) - 100).max() <= 3


def test_an_animation_is_refused(sets):
    frames = [Image.fromarray(pixels) for pixels in sets.make_images(2, 8, 8)]
    with pytest.raises(DataError, match="animation"):
        decode_image(save(frames[0], "GIF", save_all=True, append_images=frames[1:]), "x", "RGB", None)


def test_a_decompression_bomb_is_refused_by_its_header(monkeypatch, sets):
    monkeypatch.setattr(decode, "_MAX_PIXELS", 63)
    with pytest.raises(DataError, match="8x8 pixels is more than this reader decodes"):
        decode_image(sets.encode_image(sets.make_images(1, 8, 8)[0]), "x", "RGB", None)


def test_a_header_that_declares_a_bomb_is_refused():
    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    chunks = [struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
              for kind, body in ((b"IHDR", header), (b"IDAT", zlib.compress(b"")))]  # fmt: skip
    with pytest.raises(DataError, match=r"bomb: .*decompression bomb"):
        decode_image(b"\x89PNG\r\n\x1a\n" + b"".join(chunks), "bomb", "RGB", None)


def test_resizing_gives_the_wanted_size(sets):
    encoded = sets.encode_image(sets.make_images(1, 20, 10)[0])
    assert decode_image(encoded, "x", "RGB", (16, 12)).shape == (16, 12, 3)


def test_a_large_jpeg_is_scaled_while_it_is_decoded_and_looks_the_same(sets):
    photo = Image.fromarray(sets.make_images(1, 12, 16)[0]).resize((640, 480), Image.Resampling.BICUBIC)
    encoded = save(photo, "JPEG", quality=95)
    whole = np.asarray(Image.open(io.BytesIO(encoded)).resize((32, 24), Image.Resampling.BICUBIC)).astype(int)
    scaled = decode_image(encoded, "x", "RGB", (24, 32)).astype(int)
    assert scaled.shape == (24, 32, 3)
    assert np.abs(scaled - whole).mean() < 1
    assert not np.array_equal(scaled, whole)


def test_mode_is_told_by_the_file(sets):
    assert detect_mode(sets.encode_image(sets.make_images(1, 8, 8, 1)[0]), "x") == "L"
    assert detect_mode(sets.encode_image(sets.make_images(1, 8, 8, 3)[0]), "x") == "RGB"


@pytest.mark.parametrize("count", [0, 1, 700])
def test_many_images_keep_their_order(sets, count):
    images = sets.make_images(count, 2, 2)
    out = np.zeros_like(images)
    rows = ((str(index), sets.encode_image(image)) for index, image in enumerate(images))
    assert decode_into(out, rows, "RGB", None) == count
    assert np.array_equal(out, images)


def test_files_are_read_by_the_threads_that_decode_them(sets, tmp_path):
    images = sets.make_images(130, 2, 2)
    for index, image in enumerate(images):
        (tmp_path / f"{index}.png").write_bytes(sets.encode_image(image))
    out = np.zeros_like(images)
    rows = ((str(index), tmp_path / f"{index}.png") for index in range(130))
    assert decode_into(out, rows, "RGB", None) == 130
    assert np.array_equal(out, images)


def test_no_more_is_held_than_a_few_chunks_a_thread(sets, monkeypatch):
    taken, go_on = [], threading.Event()
    image = sets.encode_image(sets.make_images(1, 2, 2)[0])
    most = (decode._CHUNKS_AHEAD * len(os.sched_getaffinity(0)) + 1) * 3
    slow = decode.decode_image
    monkeypatch.setattr(decode, "_CHUNK_BYTES", 2 * len(image) + 1)
    monkeypatch.setattr(decode, "decode_image", lambda *args: go_on.wait(10) and slow(*args))
    rows = ((str(index), taken.append(index) or image) for index in range(200))
    work = threading.Thread(target=decode_into, args=(np.zeros((200, 2, 2, 3), np.uint8), rows, "RGB", None))
    work.start()
    work.join(0.3)
    assert 3 <= len(taken) <= most
    go_on.set()
    work.join(10)
    assert len(taken) == 200


def test_the_first_failure_drops_what_is_waiting(monkeypatch):
    tried = []
    monkeypatch.setattr(decode, "decode_image", lambda encoded, name, *args: tried.append(name) or [][0])
    with pytest.raises(IndexError):
        decode_into(np.zeros((9999, 2, 2, 3), np.uint8), ((str(index), b"") for index in range(9999)), "RGB", None)
    assert len(tried) < 200


def test_more_images_than_declared_are_refused(sets):
    rows = [(str(index), sets.encode_image(image)) for index, image in enumerate(sets.make_images(3, 2, 2))]
    with pytest.raises(DataError, match="more images than the file declares"):
        decode_into(np.zeros((2, 2, 2, 3), dtype=np.uint8), rows, "RGB", None)


@given(data=st.binary(max_size=300))
@settings(max_examples=150, deadline=None)
def test_any_bytes_are_refused_in_words(data):
    with pytest.raises(DataError, match="x cannot be read as an image"):
        decode_image(data, "x", "RGB", None)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
@given(cut=st.floats(0, 1), place=st.floats(0, 1), value=st.integers(0, 255))
@settings(max_examples=60, deadline=None)
def test_any_damage_is_read_or_refused_in_words(kind, cut, place, value):
    pixels = np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3)
    whole = bytearray(save(Image.fromarray(pixels), kind))
    whole[int(place * (len(whole) - 1))] = value
    try:
        decode_image(bytes(whole[: int(cut * len(whole))]), "x", "RGB", None)
    except DataError as error:
        assert str(error).startswith("x")
