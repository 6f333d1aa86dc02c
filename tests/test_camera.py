"""Frames from every source, what is drawn and written of them, and `python -m fer_kit watch`."""

import base64
import http.server
import itertools
import os
import re
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fer_kit.camera import sources, timeline
from fer_kit.camera.annotation import annotate, save_picture, video
from fer_kit.camera.boxes import overlap
from fer_kit.camera.demo import moving_faces, portrait
from fer_kit.camera.detection import Face
from fer_kit.camera.pipeline import AT_ONCE, FacePipeline, FaceResult, crop_faces
from fer_kit.camera.sources import decode, frames
from fer_kit.data.emotions import COLOURS, EMOTIONS, colours_of
from fer_kit.plots import camera
from fer_kit.runtime.files import partial_of
from fer_kit.tools import cli, watch

HAPPY = EMOTIONS.index("happy")


def classify(faces):
    """Say happy to everything."""
    return np.eye(len(EMOTIONS))[[HAPPY] * len(faces)]


def result(box=(10, 20, 30, 40), number=1, emotion="happy"):
    probabilities = np.eye(len(EMOTIONS), dtype=np.float32)[EMOTIONS.index(emotion)]
    return FaceResult(number, box, emotion, probabilities)


def save(path, image):
    """Write an image, RGB or grey, with OpenCV."""
    assert cv2.imwrite(str(path), image[..., ::-1] if image.ndim == 3 and image.shape[2] == 3 else image)
    return path


def film(path, count=40, size=(64, 48)):
    """Write a video, .webm or .avi, in which frame k has the grey level 5 k."""
    way = (cv2.CAP_FFMPEG, "VP80") if path.suffix == ".webm" else (cv2.CAP_OPENCV_MJPEG, "MJPG")
    writer = cv2.VideoWriter(str(path), way[0], cv2.VideoWriter_fourcc(*way[1]), 20, size)
    for k in range(count):
        writer.write(np.full((size[1], size[0], 3), 5 * k, np.uint8))
    writer.release()
    return path


# ---- pictures ----


def test_a_picture_is_one_frame_in_rgb(tmp_path):
    image = np.zeros((20, 30, 3), np.uint8)
    image[..., 0] = 200  # red
    source = frames(save(tmp_path / "red.png", image))
    assert (source.kind, source.count) == ("pictures", 1)
    for _ in range(2):  # as often as one likes
        ((seconds, frame),) = source
        assert seconds == 0
        np.testing.assert_array_equal(frame, image)


@pytest.mark.parametrize(
    ("name", "image", "expected"),
    [
        ("grey", np.full((5, 4), 77, np.uint8), (77, 77, 77)),
        ("rgba, laid on white", np.full((5, 4, 4), 77, np.uint8), (201, 201, 201)),
        ("16-bit", np.full((5, 4), 77 * 257, np.uint16), (77, 77, 77)),
        ("one pixel", np.full((1, 1, 3), 77, np.uint8), (77, 77, 77)),
    ],
)
def test_any_picture_becomes_8_bit_rgb(tmp_path, name, image, expected):
    ((_, frame),) = frames(save(tmp_path / f"{name}.png", image))
    assert frame.dtype == np.uint8 and frame.shape == (*image.shape[:2], 3)
    assert np.abs(frame.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_a_rotated_phone_picture_comes_upright(tmp_path, orientation):
    upright = np.zeros((40, 60, 3), np.uint8)
    upright[:20, :30] = 255  # the upper left quarter
    turns = {3: 2, 6: 1, 8: 3}[orientation]  # quarter turns to the left, as the sensor saw it
    stored = Image.fromarray(np.ascontiguousarray(np.rot90(upright, turns)))
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "phone.jpg", exif=exif, quality=95)
    ((_, frame),) = frames(tmp_path / "phone.jpg")
    assert frame.shape == upright.shape
    assert np.abs(frame.astype(int) - upright).mean() < 5


def test_a_folder_gives_its_pictures_by_name_and_counts_the_rest(tmp_path):
    for name, level in (("b.png", 2), ("a.jpg", 1), ("c.bmp", 3)):
        save(tmp_path / name, np.full((8, 8, 3), 50 * level, np.uint8))
    (tmp_path / "notes.txt").write_text("not a picture")
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    source = frames(tmp_path)
    assert "3 pictures" in source.name and "2 other files left out" in source.name
    assert [(seconds, round(frame.mean() / 50)) for seconds, frame in source] == [(0, 1), (1, 2), (2, 3)]


def test_a_damaged_picture_in_a_folder_is_left_out_with_a_warning(tmp_path):
    save(tmp_path / "a.png", np.zeros((8, 8, 3), np.uint8))
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:20])
    with pytest.warns(UserWarning, match=r"b\.png"):
        assert len(list(frames(tmp_path))) == 1


def test_hidden_pictures_are_left_out_as_in_datasets(tmp_path):
    for name in ("a.png", ".b.png", "._a.png"):
        save(tmp_path / name, np.zeros((8, 8, 3), np.uint8))
    assert [path.name for path in frames(tmp_path).files] == ["a.png"]


@pytest.mark.parametrize("out", ["drawn", "drawn.webm"])
def test_a_folder_of_which_nothing_can_be_read_is_an_error_and_leaves_no_table(tmp_path, out):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jpg").write_bytes(b"\xff\xd8\xff" + bytes(40))
    with (
        pytest.warns(UserWarning, match="a.jpg"),
        pytest.raises(ValueError, match="no picture among 1.*a.jpg"),
    ):
        look(tmp_path / "in", tmp_path / out)
    assert not [path for path in tmp_path.rglob("*") if path.suffix in (".csv", ".webm")]


def test_a_source_that_does_not_open_leaves_no_table_to_be_in_the_way(tmp_path):
    for _ in range(2):
        with pytest.raises(OSError, match="camera 97 cannot be opened"):
            look("97", tmp_path / "out.webm")
    assert not list(tmp_path.iterdir())


def test_what_ffmpeg_remarks_on_damaged_videos_is_kept_away(tmp_path):
    with video(tmp_path / "a.webm") as write:
        for number in range(12):
            write(number / 25, np.random.default_rng(number).integers(0, 256, (48, 64, 3), np.uint8))
    content = (tmp_path / "a.webm").read_bytes()
    (tmp_path / "a.webm").write_bytes(content[: len(content) // 2])
    code = "import sys; from fer_kit.camera.sources import frames; list(frames(sys.argv[1]))"
    command = [sys.executable, "-W", "ignore", "-c", code, tmp_path / "a.webm"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_a_folder_without_pictures_says_what_is_there(tmp_path):
    (tmp_path / "notes.txt").write_text("not a picture")
    with pytest.raises(ValueError, match="no pictures in .*1 other file"):
        frames(tmp_path)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=60) | st.binary(max_size=60).map(lambda tail: b"\x89PNG\r\n\x1a\n" + tail))
def test_decoding_rubbish_raises_value_error_with_the_name(content):
    with pytest.raises(ValueError, match="holiday"):
        decode(content, "holiday")


# ---- videos ----


def test_a_video_gives_its_frames_with_their_seconds(tmp_path):
    source = frames(film(tmp_path / "film.webm"))
    seen = list(source)
    assert (source.kind, source.count, source.rate) == ("video", 40, 20)
    np.testing.assert_allclose([seconds for seconds, _ in seen], np.arange(40) / 20)
    np.testing.assert_allclose([frame.mean() for _, frame in seen], 5 * np.arange(40), atol=6)


def test_a_video_of_odd_size_keeps_it(tmp_path):
    ((_, frame), *_) = frames(film(tmp_path / "odd.avi", 3, (61, 47)))
    assert frame.shape == (47, 61, 3)


def test_a_video_cut_short_gives_what_is_there_and_a_warning(tmp_path):
    path = tmp_path / "cut.avi"
    whole = film(path, 40).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.warns(UserWarning, match="of 40 frames: it was cut short"):
        seen = list(frames(path))
    assert 5 < len(seen) < 30


class Said:
    """Stands in for a capture whose file says these times, in milliseconds, for its frames."""

    def __init__(self, *times):
        self.times = iter(times)

    def read(self):
        self.time = next(self.times, None)
        return self.time is not None, np.zeros((2, 2, 3), np.uint8)

    def get(self, what):
        return {cv2.CAP_PROP_POS_MSEC: self.time}[what]


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ((0, 40, 120, 125, 3000), (0, 0.04, 0.12, 0.125, 3)),
        ((80, 120), (0.08, 0.12)),
        ((0, 0, 0), (0, 0.1, 0.2)),
        ((0, 50, 20, 400), (0, 0.05, 0.15, 0.4)),
        ((float("nan"), 9e12, 300), (0, 0.1, 0.3)),
        ((-40, 0, 40), (0, 0.1, 0.2)),
    ],
    ids=["uneven", "later start", "says nothing", "backwards", "nonsense", "before the start"],
)
def test_times_are_those_of_the_file_as_far_as_they_can_be_true(said, seconds):
    got = [second for second, _ in sources._timed(Said(*said), 10)]
    np.testing.assert_allclose(got, seconds)


@pytest.mark.parametrize("kind", ["gif", "webp", "png"])
def test_an_animation_plays_at_its_own_pace(tmp_path, kind):
    levels = (40, 90, 160, 220)
    stills = [Image.fromarray(np.full((24, 32, 3), level, np.uint8)) for level in levels]
    path = tmp_path / f"moving.{kind}"
    stills[0].save(path, save_all=True, append_images=stills[1:], duration=[200, 500, 100, 300])
    source = frames(path)
    assert (source.kind, source.count) == ("video", 4)
    for _ in range(2):
        seen = list(source)
        np.testing.assert_allclose([seconds for seconds, _ in seen], [0, 0.2, 0.7, 0.8])
        np.testing.assert_allclose([frame.mean() for _, frame in seen], levels, atol=4)
        assert seen[0][1].shape == (24, 32, 3)


@pytest.mark.parametrize("kind", ["gif", "webp"])
def test_the_rate_of_an_animation_is_that_of_its_shortest_frame(tmp_path, kind):
    stills = [Image.fromarray(np.full((24, 32, 3), level, np.uint8)) for level in (40, 90, 160, 220)]
    path = tmp_path / f"moving.{kind}"
    stills[0].save(path, save_all=True, append_images=stills[1:], duration=[1000, 40, 40, 40])
    assert frames(path).rate == pytest.approx(25)


@pytest.mark.parametrize("kind", ["gif", "png"])
def test_an_animation_that_was_cut_says_so(tmp_path, kind):
    rng = np.random.default_rng(0)
    stills = [Image.fromarray(rng.integers(0, 256, (48, 64), np.uint8)) for _ in range(10)]
    path = tmp_path / f"cut.{kind}"
    stills[0].save(path, save_all=True, append_images=stills[1:], duration=100)
    path.write_bytes(path.read_bytes()[:-3000])
    source = frames(path)
    assert source.kind == "video" and source.rate == 10
    with pytest.raises((OSError, ValueError)):
        list(source)


def test_a_video_that_is_gone_is_named(tmp_path):
    path = film(tmp_path / "gone.webm")
    source = frames(path)
    path.unlink()
    with pytest.raises(OSError, match=r"gone\.webm can no longer be read"):
        list(source)


@pytest.mark.skipif(sys.platform == "win32", reason="names have no colon there")
def test_a_name_with_a_colon_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    film(tmp_path / "12:30.webm")
    assert len(list(frames("12:30.webm"))) > 1


def test_pages_and_single_frames_are_pictures(tmp_path):
    pages = [Image.fromarray(np.full((8, 8), level, np.uint8)) for level in (10, 200)]
    pages[0].save(tmp_path / "pages.tiff", save_all=True, append_images=pages[1:])
    pages[0].save(tmp_path / "still.gif")
    for name in ("pages.tiff", "still.gif"):
        assert frames(tmp_path / name).kind == "pictures"


@pytest.mark.parametrize("content", [b"", b"no video", film], ids=["empty", "text", "header"])
def test_what_is_neither_picture_nor_video_is_named(tmp_path, content):
    path = tmp_path / "film.webm"
    path.write_bytes(film(path).read_bytes()[:300] if content is film else content)
    with pytest.raises(ValueError, match=r"film\.webm is no picture and no video"):
        frames(path)


def test_a_path_that_does_not_exist_tells_what_there_is_to_give():
    with pytest.raises(FileNotFoundError, match="0 for the camera, .* or demo"):
        frames("nowhere.mp4")


# ---- cameras ----


class Camera:
    """Stands in for a cv2.VideoCapture that gives so many pictures and then none."""

    def __init__(self, pictures):
        self.left, self.released = pictures, False

    def isOpened(self):
        return True

    def set(self, *setting):
        return True

    def read(self):
        self.left -= 1
        return (True, np.zeros((48, 64, 3), np.uint8)) if self.left >= 0 else (False, None)

    def release(self):
        self.released = True


def test_no_camera_is_told_and_the_demo_named(capfd):
    source = frames("97")
    assert source.kind == "camera" and source.count is None
    with pytest.raises(OSError, match="camera 97 cannot be opened.*demo"):
        next(iter(source))
    assert capfd.readouterr().err == ""


def test_a_camera_that_vanishes_is_told_and_released(monkeypatch):
    capture = Camera(3)
    monkeypatch.setattr(cv2, "VideoCapture", lambda index: capture)
    monkeypatch.setattr(sources, "PATIENCE", 0.1)
    seen = []
    with pytest.raises(OSError, match="stopped giving pictures"):
        seen.extend(frame for _, frame in frames(0))  # keeps nothing when the loop fails
    assert capture.left < 0 and capture.released


@pytest.fixture
def network_camera():
    """The address of a camera that sends ten JPEG pictures over http, as telephones do, and goes off."""
    jpegs = [cv2.imencode(".jpg", np.full((48, 64, 3), 20 * k, np.uint8))[1].tobytes() for k in range(10)]

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=b")
            self.end_headers()
            for jpeg in jpegs:
                self.wfile.write(b"--b\r\nContent-Type: image/jpeg\r\n")
                self.wfile.write(b"Content-Length: %d\r\n\r\n" % len(jpeg) + jpeg + b"\r\n")

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}/video?key=secret"
        server.shutdown()


def test_a_camera_on_the_network_is_opened_by_its_address(network_camera, monkeypatch, capfd):
    monkeypatch.setattr(sources, "PATIENCE", 0.1)
    source = frames(f"http://me:secret@{network_camera}")
    assert source.kind == "camera" and source.name.startswith("http://...@127.0.0.1:")
    seen = []
    with pytest.raises(OSError, match=r"http://\.\.\.@127.* has stopped giving pictures") as error:
        seen.extend(frame for _, frame in source)
    assert len(seen) >= 8 and seen[0].shape == (48, 64, 3)
    assert "secret" not in str(error.value) + repr(source) + "".join(capfd.readouterr())


ANYTHING = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=12)


@given(ANYTHING, ANYTHING, st.sampled_from(["rtsp://", "http:/", "RTSPS://", "ftp://", "C:"]))
def test_no_message_repeats_a_password(before, after, scheme):
    address = f"{scheme}me:{before}S3CRET{after}@10.0.0.5/stream?key=S3CRET#S3CRET"
    try:
        said = repr(frames(address))
    except (ValueError, OSError) as error:
        said = str(error)
    assert "S3CRET" not in said


def test_an_address_nobody_answers_at_and_one_of_another_kind(capfd):
    with pytest.raises(OSError, match="http://...@127.0.0.1:9/ cannot be opened: nothing answers there"):
        next(iter(frames("http://me:secret@127.0.0.1:9/?key=secret")))
    with pytest.raises(
        ValueError, match="ftp://host/film.mp4 cannot be opened: .* begin with http, https, rtsp"
    ):
        frames("ftp://host/film.mp4")
    assert "secret" not in "".join(capfd.readouterr())


def test_leaving_the_loop_releases_the_camera(monkeypatch):
    capture = Camera(100)
    monkeypatch.setattr(cv2, "VideoCapture", lambda index: capture)
    for _ in frames(0):
        break
    assert capture.released


def test_the_demo_is_ten_seconds_of_three_faces():
    source = frames("demo")
    seen = list(itertools.islice(source, 3))
    assert source.count / source.rate == 10
    assert [frame.shape for _, frame in seen] == [(480, 640, 3)] * 3
    truth = [frame for frame, _ in moving_faces(3, faces=3)]
    np.testing.assert_array_equal(seen[2][1], truth[2])


# ---- drawing, videos and tables ----


def test_box_and_bars_are_drawn_on_a_copy():
    frame = np.zeros((480, 640, 3), np.uint8)
    drawn = annotate(frame, [result((200, 100, 80, 100))])
    assert not frame.any()
    colour = np.array(list(bytes.fromhex(COLOURS["happy"][1:])))
    is_colour = np.abs(drawn.astype(int) - colour).max(axis=2) < 10
    assert is_colour[150, 200] and is_colour[150, 280] and is_colour[200, 240], "the box"
    assert is_colour[100:195, 340:390].any(), "the bar of happy, at the right of the box"


@pytest.mark.parametrize(
    ("emotion", "count"), [("contempt", 7), ("calm", 2), ("happy", 6), ("sleepy", 8), ("", 1)]
)
def test_a_face_of_another_networks_emotions_is_drawn(emotion, count):
    frame = np.zeros((480, 640, 3), np.uint8)
    face = FaceResult(1, (200, 100, 80, 100), emotion, np.full(count, 1 / count, np.float32))
    drawn = annotate(frame, [face])
    assert drawn[150, 200].any(), "the box"
    assert drawn[105:180, 290:400].any() == (count == 7), "the bars"


def test_other_emotions_are_drawn_and_noted_under_their_own_names(tmp_path):
    names = ("bored", "happy", "confused")
    sure = lambda faces: np.tile(np.float32([0.1, 0.2, 0.7]), (len(faces), 1))  # noqa: E731
    (frame, _), *_ = moving_faces(1)
    (seen,) = FacePipeline(sure, "haar-alt2", names=names).step(frame)
    assert (seen.emotion, seen.names) == ("confused", names)
    assert len({tuple(rgb) for rgb in np.unique(annotate(frame, [seen]).reshape(-1, 3), axis=0)}) > 1
    colours = colours_of((*EMOTIONS, "contempt"))
    assert len(set(colours.values())) == 8 and colours["happy"] == COLOURS["happy"]
    with timeline.table(tmp_path / "seen.csv", names) as note:
        note(0, [seen])
    table = pd.read_csv(tmp_path / "seen.csv")
    assert list(table.columns[-4:]) == ["emotion", *names] and table.confused[0] == pytest.approx(0.7)
    (axis,) = camera.emotions_over_time(table).axes
    assert [line.get_label() for line in axis.lines] == list(names)
    with pytest.raises(ValueError, match=r"returns probabilities \(1, 7\); it returned the shape \(1, 3\)"):
        FacePipeline(sure, "haar-alt2").step(frame)


def test_bars_hide_no_other_face():
    frame = np.zeros((480, 640, 3), np.uint8)
    faces = [result((x, 100, 80, 100), k) for k, x in enumerate((0, 100, 200, 300, 540), 1)]
    drawn = annotate(frame, faces)
    assert not drawn[130:170, 110:170].any()
    assert drawn[100:200, 424:534].any(), "there is room at the left of the last face"


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(st.integers(1, 60), st.integers(1, 60)),
    st.lists(st.tuples(*[st.integers(0, 70)] * 2, *[st.integers(1, 70)] * 2), max_size=50),
)
def test_drawing_works_at_any_size_with_up_to_50_faces(shape, boxes):
    frame = np.full((*shape, 3), 9, np.uint8)
    drawn = annotate(frame, [result(box, k, EMOTIONS[k % 7]) for k, box in enumerate(boxes, 1)])
    assert drawn.shape == frame.shape and drawn.dtype == np.uint8
    assert (frame == 9).all()


def test_a_video_lasts_as_long_as_what_it_shows(tmp_path):
    path = tmp_path / "new" / "film.webm"
    with video(path, 10) as write:
        for seconds, level in ((0, 0), (0.02, 250), (0.1, 50), (0.5, 200)):  # the second comes too soon
            write(seconds, np.full((47, 61, 3), level, np.uint8))
    seen = list(frames(path))
    assert seen[0][1].shape == (46, 60, 3)
    np.testing.assert_allclose([frame.mean() for _, frame in seen], [0, 50, 50, 50, 50, 200], atol=8)
    assert [p.name for p in path.parent.iterdir()] == ["film.webm"]


def test_frames_of_other_sizes_are_fitted_into_a_video(tmp_path):
    with video(tmp_path / "film.webm", 1) as write:
        for seconds, shape in enumerate([(40, 60), (60, 20), (1, 1), (400, 600)]):
            write(seconds, np.full((*shape, 3), 200, np.uint8))
    seen = [frame for _, frame in frames(tmp_path / "film.webm")]
    assert [frame.shape for frame in seen] == [(40, 60, 3)] * 4
    assert seen[1][20, 30].mean() > 150 and seen[1][20, 3].mean() < 50, "black beside the narrow one"


def test_what_was_seen_before_an_error_is_kept_whole(tmp_path):
    def run():
        with video(tmp_path / "film.webm", 10) as film, timeline.table(tmp_path / "film.csv") as note:
            film(0, np.zeros((48, 64, 3), np.uint8))
            note(0, [result()])
            raise OSError("the camera went away")

    with pytest.raises(OSError, match="went away"):
        run()
    assert len(list(frames(tmp_path / "film.webm"))) == 1
    assert len(pd.read_csv(tmp_path / "film.csv")) == 1
    assert len(list(tmp_path.iterdir())) == 2


FULL_DISK = """
import resource, sys
import numpy as np
from fer_kit.camera.annotation import video
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
with video(sys.argv[1]) as write:
    for k in range(60):
        write(k / 25, np.random.default_rng(k).integers(0, 256, (240, 320, 3), np.uint8))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on the size of files")
def test_a_video_that_ends_too_early_is_none(tmp_path):
    """OpenCV does not say that the disk is full."""
    command = [sys.executable, "-c", FULL_DISK, tmp_path / "film.webm"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "film.webm could not be written to its end: is the disk full?" in done.stderr.splitlines()[-1]
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform != "linux", reason="names have to be UTF-8 here")
def test_pictures_of_any_name_are_drawn_on(tmp_path):
    (frame, _), *_ = moving_faces(1)
    (tmp_path / "in").mkdir()
    name = os.fsdecode(b"M\xfcller.png")
    save_picture(tmp_path / "in" / name, frame)
    assert look(tmp_path / "in", tmp_path / "out") == 0
    assert (tmp_path / "out" / name).exists()
    for odd in (os.fsdecode(b"a.p\xfcg"), "a.txt", "a"):
        with pytest.raises(ValueError, match="pictures are written as"):
            save_picture(tmp_path / odd, frame)


def test_grey_pictures_of_faces_are_drawn_on_in_colour_and_what_nothing_reads_is_left_out(tmp_path):
    (tmp_path / "in").mkdir()
    (frame, _), *_ = moving_faces(1)
    cv2.imwrite(str(tmp_path / "in" / "s1.pgm"), frame[..., 0])  # as ORL and Yale come
    (tmp_path / "in" / "render.exr").write_bytes(b"v/1\1" * 10)
    assert look(tmp_path / "in", tmp_path / "out") == 0
    assert cv2.imread(str(tmp_path / "out" / "s1.pgm.png")).shape == frame.shape
    save_picture(tmp_path / "a.jp2", frame)
    for odd in ("a.pgm", "a.exr"):
        with pytest.raises(ValueError, match="pictures are written as"):
            save_picture(tmp_path / odd, frame)


def test_videos_are_webm_and_nothing_else(tmp_path):
    with pytest.raises(ValueError, match="webm"), video(tmp_path / "film.mp4"):
        pass


def test_a_table_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="file"), timeline.table(tmp_path / "file" / "film.csv"):
        pass


def test_the_table_has_a_row_per_face_and_frame(tmp_path):
    with timeline.table(tmp_path / "seen.csv") as note:
        note(0.04, [result(), result((1, 2, 3, 4), 2, "sad")])
        note(0.08, [])
        note(0.12, [result()])
    seen = pd.read_csv(tmp_path / "seen.csv")
    assert tuple(seen.columns) == timeline.COLUMNS
    assert seen.time.tolist() == [0.04, 0.04, 0.12] and seen.face.tolist() == [1, 2, 1]
    assert seen.loc[1, ["x", "y", "width", "height", "emotion", "sad"]].tolist() == [1, 2, 3, 4, "sad", 1]


def test_emotions_over_time_draws_the_faces_seen_longest():
    rows = [
        row
        for second in range(6)
        for row in timeline.rows(second, [result(number=k) for k in range(1, 7) if k > second or k == 6])
    ]
    figure = camera.emotions_over_time(pd.DataFrame(rows), source="a film", most=2)
    axes = figure.axes
    assert [axis.get_title() for axis in axes] == ["face 5", "face 6"]
    assert axes[1].get_xlabel() == "time (s)" and "%" in axes[0].get_ylabel()
    happy = axes[1].lines[HAPPY]
    assert happy.get_ydata().tolist() == [100] * 6 and happy.get_color() == COLOURS["happy"]


def test_nothing_seen_is_nothing_to_draw():
    with pytest.raises(ValueError, match="no face"):
        camera.emotions_over_time(pd.DataFrame(columns=timeline.COLUMNS))


def test_a_long_run_keeps_memory_flat(tmp_path):
    pipeline, used = FacePipeline(classify, "haar-alt2"), []
    stream = moving_faces(46, faces=2)
    tracemalloc.start()
    with video(tmp_path / "film.webm") as film, timeline.table(tmp_path / "film.csv") as note:
        for number, (frame, _) in enumerate(stream):
            faces = pipeline.step(frame)
            film(number / 25, annotate(frame, faces))
            note(number / 25, faces)
            if number in (15, 45):
                used.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert used[1] - used[0] < 100_000, "a frame alone has 921,600 bytes"


# ---- the widget's Python half ----


class Page:
    """Stands in for the page: keeps what it is sent."""

    def __init__(self):
        self.answers = []

    def send(self, answer):
        self.answers.append(answer)


def ask(step, jpeg=None):
    """Return the answer of a BrowserCamera with this step to one frame, and the camera."""
    pytest.importorskip("anywidget")
    from fer_kit.camera.browser import BrowserCamera

    if jpeg is None:
        jpeg = base64.b64encode(cv2.imencode(".jpg", np.zeros((48, 64, 3), np.uint8))[1]).decode()
    page, browser_camera = Page(), BrowserCamera(step)
    try:
        browser_camera.answer(page, {"run": "r", "id": 7, "jpeg": jpeg})
    finally:
        browser_camera.close()
        (answer,) = page.answers
        assert (answer["run"], answer["id"]) == ("r", 7)
    return answer, browser_camera


def test_a_frame_of_the_browser_is_answered_with_plain_numbers():
    answer, browser_camera = ask(lambda frame: [result()])
    assert answer["error"] == "" and browser_camera.answered == 1
    assert answer["faces"] == [
        {
            "id": 1,
            "box": [10, 20, 30, 40],
            "emotion": "happy",
            "probabilities": [float(k == HAPPY) for k in range(7)],
            "colours": [[name, COLOURS[name]] for name in EMOTIONS],
        }
    ]


def broken(faces):
    return len(faces) / 0


@pytest.mark.parametrize(
    ("classify", "told"),
    [
        (broken, "ZeroDivisionError.*line [0-9]+ of broken"),
        (lambda faces: np.zeros((len(faces), 3)), r"returned the shape \(1, 3\)"),
        (lambda faces: np.full((len(faces), 7), np.nan), "nan"),
    ],
    ids=["raises", "shape", "nan"],
)
def test_what_is_wrong_with_the_students_function_is_answered(classify, told):
    (frame, _), *_ = moving_faces(1)
    jpeg = base64.b64encode(cv2.imencode(".jpg", frame[..., ::-1])[1]).decode()
    answer, browser_camera = ask(FacePipeline(classify, "haar-alt2").step, jpeg)
    assert answer["faces"] == []
    assert re.search(told, answer["error"]), answer["error"]
    assert isinstance(browser_camera.error, Exception)


def test_a_frame_that_is_no_picture_is_answered():
    answer, _ = ask(lambda frame: [], "no base64 picture")
    assert answer["error"]


def test_an_interrupt_is_answered_and_goes_on():
    def interrupted(frame):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ask(interrupted)


def test_a_new_camera_closes_the_one_before():
    pytest.importorskip("anywidget")
    from fer_kit.camera.browser import BrowserCamera

    first = BrowserCamera(lambda frame: [])
    second = BrowserCamera(lambda frame: [])
    assert first.widget.comm is None and second.widget.comm is not None
    second.close()


def test_without_anywidget_the_extra_is_named(monkeypatch):
    from fer_kit.camera.browser import BrowserCamera

    monkeypatch.setitem(sys.modules, "anywidget", None)
    with pytest.raises(ImportError, match=r"fer-kit\[camera\]"):
        BrowserCamera(lambda frame: [])


# ---- python -m fer_kit watch ----


def look(source, out=None, classify=classify):
    return watch.watch(source, out, detector="haar-alt2", classify=classify)


@pytest.fixture(autouse=True)
def no_window(monkeypatch, request):
    """Tests open no windows, but for the one that asks whether they could."""
    if "window" not in request.node.name:
        monkeypatch.setattr(watch, "can_open_window", lambda: False)


def test_watching_a_video_writes_video_and_table_and_counts(tmp_path, capsys):
    with video(tmp_path / "in.webm") as write:
        for number, (frame, _) in enumerate(moving_faces(12, faces=2)):
            write(number / 25, frame)
    assert look(tmp_path / "in.webm", tmp_path / "out.webm") == 0
    told = capsys.readouterr()
    assert "face 1, 12 frames: happy 100%" in told.out and "face 2" in told.out
    assert not told.err, "a progress bar is for terminals"
    assert len(list(frames(tmp_path / "out.webm"))) == 12
    seen = pd.read_csv(tmp_path / "out.csv")
    truth = [boxes for _, boxes in moving_faces(12, faces=2)]
    boxes = seen[seen.time == 0][["x", "y", "width", "height"]].to_numpy().tolist()
    assert len(seen) == 24 and all(max(overlap(box, true) for box in boxes) > 0.5 for true in truth[0])


@pytest.fixture
def three_frames(tmp_path):
    """A folder with a video of three frames, in.webm."""
    with video(tmp_path / "in.webm") as write:
        for number in range(3):
            write(number / 25, np.zeros((48, 64, 3), np.uint8))
    return tmp_path


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("out", ["in.webm", "./in.webm", "link.webm", "hard.webm"])
def test_the_video_that_is_watched_is_never_written_over(three_frames, monkeypatch, out, overwrite):
    monkeypatch.chdir(three_frames)
    Path("link.webm").symlink_to("in.webm")
    os.link("in.webm", "hard.webm")
    before = contents(three_frames)
    with pytest.raises(FileExistsError, match="is what is watched"):
        watch.watch("in.webm", out, classify=classify, overwrite=overwrite)
    assert contents(three_frames) == before


@pytest.mark.parametrize("taken", ["fer2013.webm", "fer2013.csv"])
def test_a_video_and_a_table_that_are_there_stay_unless_asked(three_frames, taken):
    """Such as the dataset fer2013.csv beside --out fer2013.webm."""
    (three_frames / taken).write_text("somebody's")
    before = contents(three_frames)
    out = three_frames / "fer2013.webm"
    with pytest.raises(FileExistsError, match=f"{taken} is there already.*overwrite=True"):
        look(three_frames / "in.webm", out)
    assert contents(three_frames) == before
    args = {"detector": "haar-alt2", "classify": classify, "overwrite": True}
    assert watch.watch(three_frames / "in.webm", out, **args) == 0
    assert len(list(frames(out))) == 3 and len(pd.read_csv(out.with_suffix(".csv"))) == 0


WATCH = """
import signal, sys
for name in ("SIGHUP", "SIGINT", "SIGTERM"):  # nohup, under which the tests may run, has it ignored
    signal.signal(getattr(signal, name), signal.default_int_handler if name == "SIGINT" else signal.SIG_DFL)
from fer_kit.camera import sources
from fer_kit.tools import cli, watch
sources.DEMO_FRAMES = None
watch.can_open_window = lambda: False
sure = lambda faces: [[1, 0, 0, 0, 0, 0, 0] for _ in faces]
watch.classifier = lambda model, names: (sure, names)
sys.exit(cli.main(["watch", "demo", "--detector", "haar-alt2", "--out", sys.argv[1]]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize("end", ["SIGTERM", "SIGHUP", "SIGINT", "SIGTERM SIGHUP SIGTERM"])
def test_a_stopped_job_leaves_a_readable_video_and_table(tmp_path, end):
    out = tmp_path / "out.webm"
    command = [sys.executable, "-c", WATCH, out]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        partial = partial_of(timeline_path := out.with_suffix(".csv"))
        limit = time.monotonic() + 60
        while not (partial.exists() and partial.stat().st_size > 5000) and time.monotonic() < limit:
            time.sleep(0.05)
        for name in end.split():
            process.send_signal(getattr(signal, name))
        try:
            told, _ = process.communicate(timeout=60)
        finally:
            process.kill()  # or leaving the block would wait for it forever
    assert process.returncode == 0 and "face 1, " in told and "Written: " in told
    seen = len(list(frames(out)))
    assert seen > 10 and pd.read_csv(timeline_path).time.nunique() == pytest.approx(seen, abs=1)
    assert len(list(tmp_path.iterdir())) == 2


def test_watching_without_out_stores_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sources, "DEMO_FRAMES", 3)
    assert look("demo") == 0
    assert "nothing is stored" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


def test_a_picture_without_a_face_and_others_of_all_sizes(tmp_path, capsys):
    save(tmp_path / "1 pixel.png", np.zeros((1, 1, 3), np.uint8))
    save(tmp_path / "8k.jpg", np.full((4320, 7680, 3), 128, np.uint8))
    save(tmp_path / "grey.png", np.full((240, 320), 128, np.uint8))
    assert look(tmp_path, tmp_path / "out.webm") == 0
    assert "No face was seen." in capsys.readouterr().out
    assert len(pd.read_csv(tmp_path / "out.csv")) == 0
    assert len(list(frames(tmp_path / "out.webm"))) == 3


def test_a_picture_gives_a_picture_and_a_table(tmp_path, capsys):
    photo = save(tmp_path / "anna.jpg", portrait())
    assert look(photo, tmp_path / "new" / "seen.png") == 0
    drawn = cv2.imread(str(tmp_path / "new/seen.png"))
    assert drawn.shape == portrait().shape and (drawn != cv2.imread(str(photo))).any()
    assert pd.read_csv(tmp_path / "new/seen.csv").file.tolist() == ["anna.jpg"]
    assert "seen.png and" in capsys.readouterr().out


def test_a_folder_gives_a_folder_of_the_same_names_and_a_table(tmp_path):
    album = tmp_path / "album"
    album.mkdir()
    for name in ("anna.jpg", "ben.png", "carl.bmp"):
        save(album / name, portrait())
    (album / "broken.jpg").write_bytes((album / "anna.jpg").read_bytes()[:200])
    with pytest.warns(UserWarning, match=r"broken\.jpg"):
        assert look(album, tmp_path / "seen") == 0
    names = ["anna.jpg", "ben.png", "carl.bmp"]
    assert sorted(path.name for path in (tmp_path / "seen").iterdir()) == [*names, "faces.csv"]
    assert pd.read_csv(tmp_path / "seen/faces.csv").file.tolist() == names
    with pytest.warns(UserWarning, match=r"broken\.jpg"):
        look(album, tmp_path / "album.webm")
    assert pd.read_csv(tmp_path / "album.csv").file.tolist() == names


@pytest.mark.parametrize(
    ("source", "out", "told"),
    [
        ("anna.jpg", "seen.mp4", "a picture .* or a video"),
        ("album", "seen.jpg", "a folder or a video"),
        ("demo", "seen.jpg", "written as a video"),
        ("demo", "folder", "written as a video"),
        ("anna.jpg", "anna.jpg", "is what is watched"),
        ("anna.jpg", "", "is what is watched"),
        ("album", "album", "is what is watched"),
        ("album", "album/../album/", "is what is watched"),
        ("film.webm", "film.webm", "is what is watched"),
    ],
)
def test_what_cannot_be_written_there_is_refused_before_anything_is_seen(tmp_path, source, out, told):
    (tmp_path / "album").mkdir()
    originals = [save(tmp_path / name, portrait()) for name in ("anna.jpg", "album/a.png", "album/b.png")]
    film(tmp_path / "film.webm", 3)
    before = [path.read_bytes() for path in originals]
    with pytest.raises((ValueError, FileExistsError), match=told):
        look(source if source == "demo" else tmp_path / source, tmp_path / out)
    assert [path.read_bytes() for path in originals] == before


def test_fifty_faces_in_one_picture(tmp_path, capsys):
    one = portrait()[32:232, 132:332]
    crowd = np.tile(cv2.resize(one, (128, 128), interpolation=cv2.INTER_AREA), (5, 10, 1))
    save(tmp_path / "crowd.png", crowd)
    assert look(tmp_path / "crowd.png", tmp_path / "out.webm") == 0
    assert "50 faces: happy 100%" in capsys.readouterr().out
    assert len(pd.read_csv(tmp_path / "out.csv")) == 50


def test_a_crowd_is_classified_some_faces_at_a_time():
    """150 faces at once would take a network's memory 150 times."""
    frame = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    crowd = [Face((40 * (k % 15), 44 * (k // 15), 38, 42)) for k in range(150)]
    sizes = []

    def brightness(faces):
        sizes.append(len(faces))
        share = faces.mean(axis=(1, 2), dtype=np.float32) / 255
        return np.stack([share, 1 - share, *[0 * share] * 5], axis=1)

    seen = FacePipeline(brightness, lambda frame: crowd, track=0, past=0).step(frame)
    assert sum(sizes) == 150 and max(sizes) <= AT_ONCE
    np.testing.assert_allclose([r.probabilities for r in seen], brightness(crop_faces(frame, crowd)))


@pytest.mark.parametrize("classify", [broken, lambda faces: np.zeros((1, 2))], ids=["raises", "shape"])
def test_a_wrong_classify_is_told_and_the_files_are_whole(tmp_path, monkeypatch, classify):
    monkeypatch.setattr(sources, "DEMO_FRAMES", 3)
    with pytest.raises((RuntimeError, ValueError), match="classify gets faces"):
        look("demo", tmp_path / "out.webm", classify)
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]


def test_control_c_ends_a_camera_with_a_summary(tmp_path, monkeypatch, capsys):
    (frame, _), *_ = moving_faces(1)

    class Interrupted(Camera):
        def read(self):
            if self.left == 0:
                raise KeyboardInterrupt
            return super().read()[0], frame[..., ::-1]

    real = cv2.VideoCapture
    monkeypatch.setattr(cv2, "VideoCapture", lambda *of: real(*of) if of[1:] else Interrupted(3))
    assert look(0, tmp_path / "out.webm") == 0
    assert "face 1, 3 frames" in capsys.readouterr().out
    monkeypatch.undo()
    assert len(pd.read_csv(tmp_path / "out.csv")) == 3 and (tmp_path / "out.webm").exists()


def test_no_window_without_a_display(monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    if not sys.platform.startswith("linux"):
        pytest.skip("other systems always have a display")
    assert not watch.can_open_window()


def test_a_window_shows_frames_and_closes_with_q(monkeypatch, capsys):
    shown = []
    monkeypatch.setattr(watch, "can_open_window", lambda: True)
    monkeypatch.setattr(cv2, "imshow", lambda name, image: shown.append(image))
    monkeypatch.setattr(cv2, "waitKey", lambda wait: ord("q") if len(shown) == 2 else -1)
    monkeypatch.setattr(cv2, "destroyAllWindows", lambda: shown.append("closed"))
    assert look("demo") == 0
    assert len(shown) == 3 and shown[0].shape == (480, 640, 3) and shown[-1] == "closed"
    assert "2 frames" in capsys.readouterr().out


def test_the_command_line_with_a_model_of_ones_own(tmp_path, monkeypatch, capsys):
    import keras

    inputs = keras.Input((48, 48, 1), dtype="uint8")
    outputs = keras.layers.Dense(7, activation="softmax")(keras.layers.Flatten()(inputs))
    keras.Model(inputs, outputs).save(tmp_path / "tiny.keras")
    monkeypatch.setattr(sources, "DEMO_FRAMES", 2)
    options = ["--model", str(tmp_path / "tiny.keras"), "--detector", "haar-alt2"]
    assert cli.main(["watch", "demo", *options]) == 2
    assert "which emotion each of its 7 outputs stands for" in capsys.readouterr().err
    options += ["--outputs", "a, b, c, d, e, f, g"]
    assert cli.main(["watch", "demo", *options, "--out", str(tmp_path / "out.webm")]) == 0
    seen = pd.read_csv(tmp_path / "out.csv")
    assert len(seen) == 6 and list(seen.columns[-7:]) == list("abcdefg")
    assert cli.main(["watch", "nowhere.mp4", *options]) == 2
    assert capsys.readouterr().err.endswith(
        "a video, 0 for the camera, a camera's address (rtsp://...), or demo\n"
    )
