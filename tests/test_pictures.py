"""One reader of pictures for datasets and cameras: upright, 8 bits, and never black by mistake."""

import errno
import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from fer_kit.camera.sources import decode
from fer_kit.data.files.pictures import read_faces, read_picture, to_uint8
from fer_kit.data.loading import load_faces

WAVE = (np.add.outer(np.arange(40) * 3, np.arange(60) * 2) % 256).astype(np.uint8)
COLOUR = np.dstack([WAVE, WAVE[::-1], 255 - WAVE])


def packed(image, kind="PNG", **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def declaring(side, kind):
    """A small picture whose header declares `side` x `side` pixels."""
    content = bytearray(packed(Image.new("L", (8, 8)), kind))
    if kind == "PNG":
        content[16:24] = struct.pack(">2I", side, side)
        content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    else:
        content[18:26] = struct.pack("<2I", side, side)
    return bytes(content)


def cut(content):
    return content[: len(content) // 2]


def tiff(values):
    return cv2.imencode(".tif", values)[1].tobytes()


def test_every_orientation_is_turned_upright_in_every_format():
    turned = {1: WAVE, 2: WAVE[:, ::-1], 3: WAVE[::-1, ::-1], 4: WAVE[::-1], 5: WAVE.T}
    turned |= {6: np.rot90(WAVE, 1), 7: WAVE[::-1, ::-1].T, 8: np.rot90(WAVE, -1)}
    for orientation, stored in turned.items():
        exif = Image.Exif()
        exif[0x112] = orientation
        picture = Image.fromarray(np.ascontiguousarray(stored))
        for kind in ("PNG", "TIFF"):
            image, _ = read_picture(packed(picture, kind, exif=exif))
            assert np.array_equal(image, WAVE), (orientation, kind)
        image, done = read_picture(packed(picture, "JPEG", exif=exif, quality=95))
        assert image.shape == WAVE.shape and np.abs(image.astype(int) - WAVE).mean() < 3
        assert ("turned upright" in done) == (orientation > 1)


@pytest.mark.parametrize(
    "content",
    [
        tiff(WAVE.astype(np.uint16) * 257),
        tiff(WAVE.astype(np.uint16)),  # 8 bits in a file for 16
        tiff(WAVE.astype(np.int16) - 128),
        tiff(WAVE.astype(np.int32)),
        tiff(WAVE.astype(np.int32) * 257),  # 16 bits in a file for 32 with a sign
        tiff(WAVE.astype(np.int32) * 4112),  # 20 bits
        tiff(WAVE.astype(np.float32) / 255),
        tiff(WAVE.astype(np.float32)),
        tiff(WAVE.astype(np.float64) / 127.5 - 1),
        packed(Image.fromarray(WAVE).convert("P")),
        packed(Image.fromarray(WAVE).convert("CMYK"), "TIFF"),
        packed(Image.merge("LA", (Image.fromarray(WAVE), Image.new("L", (60, 40), 255)))),
    ],
    ids=[
        "16",
        "8-in-16",
        "signed",
        "32",
        "16-in-32",
        "20-in-32",
        "unit",
        "float",
        "-1-to-1",
        "palette",
        "cmyk",
        "alpha",
    ],
)
def test_the_same_picture_stored_in_many_ways_is_read_alike_by_datasets_and_cameras(content):
    image, _ = read_picture(content)
    grey = image if image.ndim == 2 else image[..., 1]
    assert np.abs(grey.astype(int) - WAVE).max() <= 1
    assert np.abs(decode(content)[..., 1].astype(int) - WAVE).max() <= 1


def test_twelve_bits_are_not_nearly_black():
    image, done = read_picture(cv2.imencode(".png", WAVE.astype(np.uint16) * 16)[1].tobytes())
    assert np.abs(image.astype(int) - WAVE).max() <= 1
    assert done == ("16-bit",)
    for opaque in (65_535, 4_095):  # all bits of the file, or those of the colours
        seen = np.dstack([WAVE.astype(np.uint16) * 16] * 3 + [np.full(WAVE.shape, opaque, np.uint16)])
        image, done = read_picture(cv2.imencode(".png", seen)[1].tobytes())
        assert np.abs(image[..., 0].astype(int) - WAVE).max() <= 1 and done == ("16-bit",)


@pytest.mark.parametrize(
    ("values", "pixels", "done"),
    [
        ([0, 0.5, 1.004], [0, 128, 255], "float"),
        ([-0.02, 0.5, 1.1], [0, 128, 255], "float"),
        ([-1.02, 0, 1.03], [0, 128, 255], "signed float"),
        ([-0.4, 100, 254.9], [0, 100, 255], "float"),
        ([-8.3, 100, 262], [0, 100, 255], "float"),
        ([-0.15, 0.5, 1.19], [0, 128, 255], "float"),  # Lanczos
        ([0, 0.6, 1.19], [0, 153, 255], "float"),
        ([-48, 51, 304], [0, 51, 255], "float"),
        # No range of fractions, so stretched: means or scores subtracted, and what overshoots by far.
        ([-128, -0.5, 127], [0, 128, 255], "signed float"),
        ([-100, 0, 100], [0, 128, 255], "signed float"),
        ([-25, 20, 110], [0, 85, 255], "signed float"),
        ([-2, 0, 2], [0, 128, 255], "signed float"),
        ([-0.3, 0.6, 1.5], [0, 128, 255], "signed float"),
        ([0, 0.5, 1], [0, 128, 255], "float"),
        ([0, 2, 255], [0, 2, 255], "float"),
    ],
)
def test_fractions_may_overshoot_their_range_as_resampling_makes_them(values, pixels, done):
    found, word = to_uint8(np.array(values, np.float32))
    assert (found.tolist(), word) == (pixels, done)


@given(st.sampled_from([np.uint16, np.int16, np.uint32, np.int32]), st.data())
def test_no_bright_pixel_of_whole_numbers_becomes_black(kind, data):
    bright = data.draw(st.integers(64, np.iinfo(kind).max))
    pixels, _ = to_uint8(np.array([0, bright], kind))
    assert pixels[0] == 0 and pixels[1] >= 63


def test_what_is_transparent_is_white_whatever_colour_hides_there():
    hidden = np.dstack([np.zeros_like(COLOUR), np.full(WAVE.shape, 255, np.uint8)])
    hidden[:20, :, 3] = 0
    image, done = read_picture(packed(Image.fromarray(hidden)))
    assert (image[:20] == 255).all() and (image[20:] == 0).all()
    assert done == ("partly transparent",)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is an empty file"),
        (b"hello", "is a text"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1", "placeholder of a few bytes"),
        (b"<!DOCTYPE html><html>", "web page"),
        (cut(packed(Image.fromarray(COLOUR))), "is no whole picture"),
        (cut(packed(Image.fromarray(COLOUR), "JPEG")), "is no whole picture"),
        (tiff(np.where(WAVE > 9, WAVE, np.nan).astype(np.float32)), "pixels that are no numbers"),
        (tiff(np.full((9, 9), np.inf, np.float32)), "pixels that are no numbers"),
        (b"\0\0\0\x18ftypheic" + bytes(60), "pillow-heif"),
        (declaring(60_000, "PNG"), "more pixels than any camera"),
        (declaring(60_000, "BMP"), "more pixels than any camera"),
        (packed(Image.new("1", (20_000, 20_000)), "PNG"), "more pixels than any camera"),
    ],
    ids=[
        "empty",
        "text",
        "lfs",
        "html",
        "cut png",
        "cut jpeg",
        "nan",
        "inf",
        "heic",
        "png header",
        "bmp header",
        "whole",
    ],
)
def test_what_is_no_picture_is_told(content, words):
    with pytest.raises(ValueError, match=words):
        read_picture(content)


def test_unreadable_pictures_are_left_out_by_name_and_never_black():
    whole = packed(Image.fromarray(WAVE))
    files = {"a.png": whole, "b.png": cut(whole), "c.png": b"", "d.png": whole}
    images, readable, notes = read_faces(files, list(files))
    assert readable.tolist() == [True, False, False, True]
    assert images[0].max() > 200
    assert any("2 unreadable images left out, the first is b.png: it is no whole" in n.text for n in notes)
    with pytest.raises(ValueError, match=r"no readable picture among 2: the first, b.png, is no whole"):
        read_faces({"b.png": cut(whole), "c.png": b""}, ["b.png", "c.png"])


def test_what_libraries_remark_on_damaged_pictures_is_kept_away(capfd):
    face = Image.fromarray(WAVE)
    png = packed(face)
    files = {
        "a.png": png[:60] + b"\1\2\3\4" + png[64:],
        "b.tif": cut(packed(face, "TIFF")),
        "c.jpg": cut(packed(face, "JPEG")),
        "d.png": png,
    }
    assert read_faces(files, list(files))[1].tolist() == [False, False, False, True]
    assert capfd.readouterr().err == ""


KINDS = [np.bool_, np.int8, np.uint16, np.int16, np.uint32, np.int32, np.float32, np.float64]


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(KINDS).flatmap(lambda kind: arrays.arrays(kind, (3, 4))))
def test_any_numbers_become_pixels_in_their_order(values):
    if not np.isfinite(values).all():
        with pytest.raises(ValueError, match="no numbers"):
            to_uint8(values)
        return
    pixels, _ = to_uint8(values)
    assert pixels.dtype == np.uint8 and pixels.shape == values.shape
    order = np.argsort(values.ravel(), kind="stable")
    assert (np.diff(pixels.ravel()[order].astype(int)) >= 0).all()


def test_a_picture_that_cannot_be_opened_is_named_and_left_out(tmp_path):
    for usage in ("train", "test"):
        for emotion, grey in (("happy", 90), ("sad", 40)):
            (tmp_path / usage / emotion).mkdir(parents=True)
            Image.new("L", (48, 48), grey).save(tmp_path / usage / emotion / "a.png")
    for link in ("broken.png", "broken"):
        (tmp_path / "train" / "happy" / link).symlink_to(tmp_path / "gone")
    faces = load_faces(tmp_path)
    assert sorted(faces.images[:, 0, 0].tolist()) == [40, 40, 90, 90]
    assert any("1 unreadable" in str(n) and "train/happy/broken.png" in str(n) for n in faces.notes)


def test_a_picture_of_another_user_is_named_and_left_out():
    class Locked(dict):
        def __getitem__(self, name):
            if name == "theirs.png":
                raise PermissionError(errno.EACCES, "Permission denied", name)
            return super().__getitem__(name)

    mine = packed(Image.fromarray(WAVE))
    files = Locked({"theirs.png": b"", "mine.png": mine})
    images, readable, notes = read_faces(files, ["theirs.png", "mine.png"])
    assert readable.tolist() == [False, True]
    assert np.array_equal(images[1], read_faces({"mine.png": mine}, ["mine.png"])[0][0])
    assert "theirs.png: it cannot be opened (Permission denied)" in str(notes[-1])
    with pytest.raises(ValueError, match="no readable picture"):
        read_faces(files, ["theirs.png"])
