"""Where frames come from: pictures, a video file, a camera or the demo video, all through one function.

    for seconds, frame in frames("holiday.mp4"):
        results = pipeline.step(frame)

The cameras of a browser, which Python cannot open, are in browser and colab.
"""

import contextlib
import itertools
import mimetypes
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from fer_kit.camera.demo import moving_faces

DEMO_FRAMES = 250
DEMO_RATE = 25.0
PATIENCE = 1.0
"""Seconds for which a camera may give no picture before it counts as gone; some stumble for a moment."""


@dataclass(frozen=True)
class Frames:
    """Frames to loop over, as often as one likes: pairs of seconds (float) and uint8 RGB (H, W, 3).

    `name` says in words what they are. `kind` is "pictures" (one per second, with nothing to track from one
    to the next), "video" or "camera". `count` is how many are expected, None when nobody knows. `rate` is
    in frames per second; a camera's is nominal, its seconds are measured.
    """

    name: str
    kind: str
    read: Callable = field(repr=False)
    count: int | None = None
    rate: float = 25.0

    def __iter__(self):
        return self.read()


def frames(source="demo"):
    """Return the frames of a source, to loop over: `for seconds, frame in frames("holiday.mp4")`.

    A camera is opened when the loop begins and released when it ends, however it ends. A video that ends
    early and a damaged picture in a folder give a warning.

    Args:
        source: A picture, turned upright as its EXIF says; a folder, whose pictures come in the order of
            their names, and whose other files are counted and left out; a video file; 0 or another number
            for a camera of this computer; or "demo", ten seconds of three moving faces.

    Returns:
        `Frames`: pairs of seconds (float) and frame, uint8 RGB (H, W, 3).

    Raises:
        FileNotFoundError: There is no such path.
        ValueError: The file is neither picture nor video, or the folder has no pictures.
        OSError: While looping: the camera cannot be opened or stops giving pictures.
    """
    if source == "demo":
        return Frames("the demo video", "video", _demo, DEMO_FRAMES, DEMO_RATE)
    if str(source).isdigit():
        return Frames(f"camera {source}", "camera", partial(_camera, int(source)))
    path = Path(source).expanduser()
    if not path.exists():
        raise FileNotFoundError(
            f"there is no {path}: give a picture, a folder of pictures, a video, 0 for the camera, or demo"
        )
    if path.is_dir():
        return _folder(path)
    if _is_picture(path):
        frame = decode(path.read_bytes(), path)
        return Frames(str(path), "pictures", lambda: iter([(0.0, frame)]), 1, 1.0)
    return _video(path)


def decode(content, name="this"):
    """Return a picture file's bytes as a frame, uint8 RGB (H, W, 3), turned upright as its EXIF says.

    Grey becomes RGB, 16 bits become 8, transparency is dropped. Raises ValueError, naming the file `name`,
    for bytes that are no whole picture.
    """
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:  # no bytes at all, or more than 2^30 pixels
        image = None
    if image is None:
        raise ValueError(f"{name} is no picture that OpenCV can read; save it as JPEG or PNG")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def _is_picture(path):
    if not path.is_file():
        return False
    if str(path).isascii():
        return cv2.haveImageReader(str(path))
    # On Windows OpenCV opens no path with other letters: there the ending of the name has to do.
    return (mimetypes.guess_type(path.name)[0] or "").startswith("image/")


def _folder(path):
    files = sorted(entry for entry in path.iterdir() if entry.is_file())
    pictures = [file for file in files if _is_picture(file)]
    count = len(files) - len(pictures)
    others = "1 other file" if count == 1 else f"{count} other files"
    if not pictures:
        raise ValueError(f"there are no pictures in {path}, and {others}")
    name = f"{len(pictures)} pictures in {path}"
    if count:
        name += f" ({others} left out)"
    return Frames(name, "pictures", partial(_pictures, pictures), len(pictures), 1.0)


def _pictures(paths):
    for number, path in enumerate(paths):
        try:
            frame = decode(path.read_bytes(), path)
        except (OSError, ValueError) as error:
            warnings.warn(f"left out: {error}", stacklevel=2)
            continue
        yield float(number), frame


def _video(path):
    with _opened(str(path)) as capture:
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
    with _opened(str(path)) as capture:
        while (read := capture.read())[0]:
            yield number / rate, cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB)
            number += 1
    if count and number < 0.95 * count - 1:  # counts in files are estimates
        warnings.warn(f"{path} ends after {number} of {count} frames: it was cut short", stacklevel=2)


def _camera(index):
    with _opened(index) as capture:
        if not capture.isOpened():
            raise OSError(
                f"camera {index} cannot be opened: there is none, another program uses it, or Python may not "
                "(see the computer's privacy settings). The source demo needs no camera"
            )
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
    raise OSError(
        f"camera {index} has stopped giving pictures after {failing - start:.0f} s: it was unplugged, or "
        "another program took it"
    )


def _demo():
    for number, (frame, _) in zip(itertools.count(), moving_faces(DEMO_FRAMES, faces=3), strict=False):
        yield number / DEMO_RATE, frame


@contextlib.contextmanager
def _opened(source):
    """A `cv2.VideoCapture` that is released in the end, without OpenCV's remarks on what it cannot open."""
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        capture = cv2.VideoCapture(source)
    finally:
        cv2.utils.logging.setLogLevel(level)
    try:
        yield capture
    finally:
        capture.release()
