"""Where frames come from: pictures, a video, a camera here or by its address, or the demo video.

    for seconds, frame in frames("holiday.mp4"):
        results = pipeline.step(frame)

The cameras of a browser, which Python cannot open, are in browser and colab.
"""

import contextlib
import itertools
import re
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageSequence

from fer_kit.camera.boxes import to_rgb
from fer_kit.camera.demo import moving_faces
from fer_kit.data.files.kinds import HEAD, kind_of
from fer_kit.data.files.pictures import read_picture
from fer_kit.runtime import settings
from fer_kit.runtime.stderr import quiet

DEMO_FRAMES = 250
DEMO_RATE = 25.0
PATIENCE = 1.0
"""Seconds for which a camera may give no picture before it counts as gone; some stumble for a moment."""
LONGEST_GAP = 3600
"""Seconds from one frame to the next at most; a file that says more is damaged."""

ADDRESS = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]{2,}):/+(.*)", re.DOTALL)  # a drive of Windows has one letter
SCHEMES = ("http", "https", "rtsp", "rtsps", "rtmp", "rtp", "udp", "tcp", "srt")
WAIT = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, 10_000, cv2.CAP_PROP_READ_TIMEOUT_MSEC, 10_000]
"""Milliseconds to wait for an answer from the network, in the form that OpenCV takes."""

NO_CAMERA = (
    "there is none, another program uses it, or Python may not (see the computer's privacy settings). The "
    "source demo needs no camera"
)
NO_ADDRESS = (
    "nothing answers there, it wants another name or password, or it sends no video that OpenCV can read"
)
GONE = "it was unplugged or switched off, or another program took it"

ANIMATED = {"GIF", "WEBP", "PNG", "AVIF"}
"""Kinds of pictures whose several frames are shown one after the other; those of a TIFF are pages."""


@dataclass(frozen=True)
class Frames:
    """Frames to loop over, as often as one likes: pairs of seconds (float) and uint8 RGB (H, W, 3).

    `name` says in words what they are. `kind` is "pictures" (one per second, with nothing to track from one
    to the next), "video" or "camera". `count` is how many are expected, None when nobody knows. `rate` is
    in frames per second and nominal: the seconds of a video are its own, those of a camera are measured.
    `files` are the paths of pictures; the one of second k is `files[k]`.
    """

    name: str
    kind: str
    read: Callable = field(repr=False)
    count: int | None = None
    rate: float = 25.0
    files: tuple = ()

    def __iter__(self):
        return self.read()


def frames(source="demo"):
    """Return the frames of a source, to loop over: `for seconds, frame in frames("holiday.mp4")`.

    A camera is opened when the loop begins and released when it ends, however it ends. A video that ends
    early and a damaged picture in a folder give a warning.

    Args:
        source: A picture, turned upright as its EXIF says; a folder, whose pictures come in the order of
            their names, and whose other files are counted and left out; a video file; an animation (GIF,
            WebP, PNG); 0 or another number for a camera of this computer; the address of a camera or a video
            on the network, such as "rtsp://name:password@192.168.1.5/stream", whose password no message
            repeats; or "demo", ten seconds of three moving faces.

    Returns:
        `Frames`: pairs of seconds (float) and frame, uint8 RGB (H, W, 3).

    Raises:
        FileNotFoundError: There is no such path.
        ValueError: The file is neither picture nor video, the folder has no pictures, or the address is of
            a kind that is not known.
        OSError: While looping: the camera cannot be opened or stops giving pictures.
    """
    if source == "demo":
        return Frames("the demo video", "video", _demo, DEMO_FRAMES, DEMO_RATE)
    if str(source).isdigit():
        return Frames(f"camera {source}", "camera", partial(_camera, int(source)))
    if ADDRESS.match(str(source)):
        return _address(str(source))
    path = Path(source).expanduser()
    if not path.exists():
        address = re.search(":.*@", re.sub(r"^[a-zA-Z]:(?=[\\/])", "", str(path)))  # though an unknown one
        shown = without_password(str(path)) if address else path
        raise FileNotFoundError(
            f"there is no {shown}: give a picture, a folder of pictures, a video, 0 for "
            "the camera, a camera's address (rtsp://...), or demo"
        )
    if path.is_dir():
        return _folder(path)
    if (found := _animation(path)) is not None:
        return found
    if _is_picture(path):
        with quiet():
            frame = decode(path.read_bytes(), path)
        return Frames(str(path), "pictures", lambda: iter([(0.0, frame)]), 1, 1.0, (path,))
    return _video(path)


def without_password(address):
    """Return an address, from its host on, as it may be shown: without user, password and query.

    A query may hold a key. Where an @ comes after a question mark, nobody can tell password from query, and
    nothing is shown.
    """
    before, at, host = address.rpartition("@")
    if re.search("[?#]", before):
        return "..."
    return f"{'...@' if at else ''}{re.split('[?#]', host)[0]}"


def _address(address):
    """Return the `Frames` of a camera or a video on the network."""
    scheme, rest = ADDRESS.match(address).groups()
    shown = f"{scheme.lower()}://{without_password(rest)}"
    if scheme.lower() not in SCHEMES:
        raise ValueError(f"{shown} cannot be opened: addresses of cameras begin with {', '.join(SCHEMES)}")
    return Frames(shown, "camera", partial(_network, f"{scheme.lower()}://{rest}", shown))


def decode(content, name="this"):
    """Return a picture file's bytes as a frame, uint8 RGB (H, W, 3), turned upright as its EXIF says.

    Grey becomes RGB, all numbers become 8 bits, what is transparent white. Raises ValueError, naming the
    file `name`, for bytes that are no whole picture.
    """
    try:
        image, _ = read_picture(content)
    except ValueError as error:
        raise ValueError(f"{name} {error}") from error
    return cv2.cvtColor(image, cv2.COLOR_GRAY2RGB) if image.ndim == 2 else np.ascontiguousarray(image)


def _is_picture(path):
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return kind_of(file.read(HEAD)) == "picture" or str(path).isascii() and _opencv_reads(path)


def _opencv_reads(path):
    try:
        return cv2.haveImageReader(str(path))
    except cv2.error:  # a kind that this OpenCV was built to refuse, such as .exr
        return False


def _folder(path):
    files = sorted(entry for entry in path.iterdir() if entry.is_file() and not entry.name.startswith("."))
    pictures = [file for file in files if _is_picture(file)]
    count = len(files) - len(pictures)
    others = "1 other file" if count == 1 else f"{count} other files"
    if not pictures:
        raise ValueError(f"there are no pictures in {path}, and {others}")
    name = f"{len(pictures)} pictures in {path}"
    if count:
        name += f" ({others} left out)"
    return Frames(name, "pictures", partial(_pictures, pictures), len(pictures), 1.0, tuple(pictures))


def _pictures(paths):
    seen = 0
    for number, path in enumerate(paths):
        try:
            with quiet():  # the readers of pictures remark on damaged ones
                frame = decode(path.read_bytes(), path)
        except (OSError, ValueError) as error:
            warnings.warn(f"left out: {error}", stacklevel=2)
            continue
        seen += 1
        yield float(number), frame
    if not seen:
        raise ValueError(f"no picture among {len(paths)} can be read, the first is {paths[0]}")


def _animation(path):
    """Return the `Frames` of an animated picture, None for any other file."""
    try:
        with Image.open(path) as image:
            count = getattr(image, "n_frames", 1)
            if image.format not in ANIMATED or count < 2:
                return None
            shortest = min(_durations(image), default=0.1)
    except (
        OSError,
        ValueError,
        SyntaxError,
        Image.DecompressionBombError,
    ):  # no picture that Pillow can read
        return None
    return Frames(str(path), "video", partial(_read_animation, path), count, 1 / shortest)


def _read_animation(path):
    seconds = 0.0
    with Image.open(path) as image:
        for frame in ImageSequence.Iterator(image):
            yield seconds, to_rgb(np.asarray(frame.convert("RGBA")))
            seconds += _duration(image)


def _durations(image):
    """Yield the seconds of the frames, up to the first that is damaged: who reads it will be told."""
    with contextlib.suppress(OSError, EOFError, RuntimeError, SyntaxError):
        for frame in ImageSequence.Iterator(image):
            if image.format != "GIF":
                frame.load()  # others say it with the pixels
            yield _duration(frame)


def _duration(image):
    """Seconds for which a frame of an animation is shown; where it says none, a tenth, as in browsers."""
    milliseconds = image.info.get("duration") or 0
    return milliseconds / 1000 if milliseconds > 10 else 0.1


def _video(path):
    with _opened(str(path.resolve())) as capture:
        if not capture.read()[0]:
            raise ValueError(
                f"{path} is no picture and no video that OpenCV can read, or its beginning is damaged"
            )
        rate = capture.get(cv2.CAP_PROP_FPS)
        count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    rate = rate if 1 <= rate <= 240 else 25.0  # recordings of a browser have no rate, or one of 1000
    count = count if count > 0 else None
    return Frames(str(path), "video", partial(_read_video, path, rate, count), count, rate)


def _read_video(path, rate, count):
    number = 0
    with _opened(str(path.resolve())) as capture:
        for seconds, frame in _timed(capture, rate):
            yield seconds, frame
            number += 1
    if not number:
        raise OSError(f"{path} can no longer be read: it was moved, replaced or cut")
    # Counts in files are estimates: of an uneven frame rate from its mean, of a short film by rounding.
    if count and number < 0.95 * count - 1 and seconds < 0.95 * count / rate - 1 / rate:
        warnings.warn(f"{path} ends after {number} of {count} frames: it was cut short", stacklevel=2)


def _timed(capture, rate):
    """Yield the frames of a video with their seconds as the video itself says them."""
    seconds = None
    while (read := capture.read())[0]:
        seconds = _time_of_frame(capture, seconds, rate)
        yield seconds, cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB)


def _time_of_frame(capture, before, rate):
    """Return when the frame that was just read is shown, in seconds, as the file says.

    Frames need not come evenly: telephones and screen recorders make fewer in bad light or when nothing
    moves. Where the file says nothing, or nothing that can be true, a frame lasts 1 / rate.
    """
    said = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
    if before is None:
        return said if 0 <= said < LONGEST_GAP else 0.0
    return said if before < said < before + LONGEST_GAP else before + 1 / rate


def _camera(index):
    with _opened(index) as capture:
        yield from _live(capture, f"camera {index}", NO_CAMERA)


def _network(address, name):
    with _opened(address) as capture:
        if capture.isOpened() and capture.get(cv2.CAP_PROP_FRAME_COUNT) > 0:  # a video, which has an end
            yield from _timed(capture, capture.get(cv2.CAP_PROP_FPS) or 25.0)
        else:
            yield from _live(capture, name, NO_ADDRESS)


def _live(capture, name, why):
    """Yield what a camera sees, with the seconds since the start; `why` says why it may be closed."""
    if not capture.isOpened():
        raise OSError(f"{name} cannot be opened: {why}")
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # else every frame is as late as the buffer is long
    start = time.monotonic()
    failing = None
    while failing is None or time.monotonic() - failing < PATIENCE:
        ok, image = capture.read()
        if ok:
            failing = None
            yield time.monotonic() - start, cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        else:
            failing = failing or time.monotonic()
            time.sleep(0.02)
    raise OSError(f"{name} has stopped giving pictures after {failing - start:.0f} s: {GONE}")


def _demo():
    for number, (frame, _) in zip(itertools.count(), moving_faces(DEMO_FRAMES, faces=3), strict=False):
        yield number / DEMO_RATE, frame


@contextlib.contextmanager
def _opened(source):
    """A `cv2.VideoCapture` that is released in the end, without OpenCV's remarks on what it cannot open."""
    settings.set_default("OPENCV_FFMPEG_LOGLEVEL", -8)  # FFmpeg's own number for silence
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        if ADDRESS.match(str(source)):
            with quiet():  # FFmpeg would repeat the address, with the password
                capture = cv2.VideoCapture(source, cv2.CAP_FFMPEG, WAIT)
        else:
            capture = cv2.VideoCapture(source)
    finally:
        cv2.utils.logging.setLogLevel(level)
    try:
        yield capture
    finally:
        capture.release()
