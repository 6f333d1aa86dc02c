"""What was seen, drawn on frames (boxes, captions, bars of probabilities), and its pictures and videos."""

import contextlib
import functools
from pathlib import Path

import cv2
import numpy as np

from fer_kit.camera.boxes import overlap, to_rgb
from fer_kit.data.emotions import OTHER_COLOUR, colours_of
from fer_kit.runtime.files import check_free, partial_of, replacing
from fer_kit.runtime.stderr import quiet

FONT = cv2.FONT_HERSHEY_SIMPLEX
WHITE = (255, 255, 255)
VP8 = cv2.VideoWriter_fourcc(*"VP80")
"""Five times faster to write than VP9, and played by every browser."""
LONGEST = 1280
"""Longer side in pixels of a video at most: few screens show more, and VP8 takes long enough for this."""


def draw_faces(frame, results):
    """Return a copy of a frame with a box and a caption for each face.

    Args:
        frame: Any image that `to_rgb` takes.
        results: A list of `FaceResult`, as `FacePipeline.step` returns it.

    Returns:
        uint8 RGB (H, W, 3). The box has the emotion's colour; the caption gives id, emotion and probability.
    """
    drawn = to_rgb(frame).copy()
    unit = max(drawn.shape[:2]) / 640
    thick = max(1, round(2 * unit))
    for result in results:
        x, y, width, height = result.box
        colour = _colours(result)[result.emotion]
        cv2.rectangle(drawn, (x, y), (x + width, y + height), colour, thick)
        _draw_caption(drawn, result, unit, max(1, thick // 2))
    return drawn


def _draw_caption(drawn, result, unit, thick):
    """Write id, emotion and probability on a bar above the face, or over its top at the frame's edge."""
    text = f"{result.id} {result.emotion} {max(result.probabilities):.0%}"
    colour = _colours(result)[result.emotion]
    brightness = np.dot(colour, (0.299, 0.587, 0.114))
    ink = (0, 0, 0) if brightness > 150 else WHITE
    (wide, high), base = cv2.getTextSize(text, FONT, 0.5 * unit, thick)
    left = result.box[0]
    top = max(result.box[1] - high - base - 2, 0)
    cv2.rectangle(drawn, (left, top), (left + wide + 4, top + high + base + 2), colour, cv2.FILLED)
    cv2.putText(drawn, text, (left + 2, top + high + 1), FONT, 0.5 * unit, ink, thick, cv2.LINE_AA)


def _colours(result):
    """{emotion: its colour as (red, green, blue), ints 0-255} of a result's emotions; grey at need."""
    table = {result.emotion: OTHER_COLOUR} | colours_of(result.names)
    return {name: tuple(bytes.fromhex(code[1:])) for name, code in table.items()}


def annotate(frame, results):
    """Return a copy of a frame with boxes and captions as `draw_faces`, and bars of the probabilities.

    The bars, in the order and colours of the emotions that the network tells apart, stand beside the box; in
    a crowd, where they would hide another face, they are left out, and so they are where there are not as
    many emotions as probabilities.

    Args:
        frame: Any image that `to_rgb` takes.
        results: A list of `FaceResult`.

    Returns:
        uint8 RGB (H, W, 3).
    """
    drawn = draw_faces(frame, results)
    unit = max(drawn.shape[:2]) / 640
    taken = [result.box for result in results]
    for result in results:
        if len(result.probabilities) != len(result.names):
            continue
        size = (round(110 * unit), round(13 * unit) * len(result.names))
        panel = _free_place(result.box, size, taken, drawn.shape)
        if panel:
            taken.append(panel)
            _draw_bars(drawn, panel, result, unit)
    return drawn


def _free_place(box, size, taken, shape):
    """The box of a panel of this size to the right or left of a face's box, None where both are taken."""
    gap = 6 * size[0] // 110
    for left in (box[0] + box[2] + gap, box[0] - gap - size[0]):
        panel = (left, box[1], *size)
        inside = left >= 0 and left + size[0] <= shape[1]
        if inside and not any(overlap(panel, other) for other in taken):
            return panel
    return None


def _draw_bars(drawn, panel, result, unit):
    left, top, width, height = panel
    drawn[top : top + height, left : left + width] //= 2
    text = left + round(3 * unit)
    start = left + round(56 * unit)
    colours = _colours(result)
    for k, (emotion, share) in enumerate(zip(result.names, result.probabilities, strict=True)):
        low = top + height * (k + 1) // len(result.names) - round(3 * unit)
        cv2.putText(drawn, emotion, (text, low), FONT, 0.35 * unit, WHITE, 1, cv2.LINE_AA)
        end = start + round(50 * unit * float(share))
        cv2.rectangle(drawn, (start, low - round(7 * unit)), (end, low), colours[emotion], cv2.FILLED)


def can_write(path):
    """Return whether a picture in colour of the kind that the ending of `path` names can be written.

    OpenCV crashes on a name that is not UTF-8, so it is asked about the ending alone.
    """
    ending = Path(path).suffix
    return ending.isascii() and _writes(ending)


@functools.cache
def _writes(ending):
    try:
        with quiet():
            return cv2.imencode(ending, np.zeros((64, 64, 3), np.uint8))[0]  # JPEG 2000 needs some pixels
    except cv2.error:  # no kind of picture, or one that this OpenCV was built to refuse
        return False


def save_picture(path, frame):
    """Write a frame, uint8 RGB (H, W, 3), as a picture of the kind that its ending names, all or nothing.

    Missing folders are made. Raises ValueError for an ending that OpenCV does not know, OSError when the
    picture cannot be written.
    """
    if not can_write(path):
        raise ValueError(f"{path}: pictures are written as .jpg or .png")
    _, content = cv2.imencode(Path(path).suffix, cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    with replacing(path) as file:
        file.write(content)


@contextlib.contextmanager
def video(path, rate=25.0, overwrite=False):
    """Open a video file that browsers play, VP8 in .webm, and return the function `write(seconds, frame)`.

    Frames are uint8 RGB (H, W, 3). The first decides the size, at most `LONGEST` pixels wide or high, and
    others are fitted into it. The video has `rate` frames per second: a frame that comes late is preceded by
    the one before, and one that comes too soon is left out, so that the video lasts as long as what it shows.
    The file appears under its name when it is whole, also when the block is left by an exception: what was
    seen until then is in it.

    Raises ValueError for another ending than .webm, FileExistsError for a file that is there, unless
    `overwrite`, and OSError when it cannot be written.
    """
    path = Path(path)
    if path.suffix != ".webm":
        raise ValueError(f"{path}: videos are written as .webm, which every browser plays")
    path.parent.mkdir(parents=True, exist_ok=True)
    check_free(path, overwrite)
    partial = partial_of(path).with_suffix(".fer_kit-partial.webm")
    file = None

    def write(seconds, frame):
        nonlocal file
        file = file or _Webm(partial, rate, frame.shape)
        file.write(seconds, frame)

    try:
        yield write
    finally:
        if file:
            whole = file.close()
            if not whole:
                partial.unlink(missing_ok=True)
                raise OSError(f"{path} could not be written to its end: is the disk full?")
            partial.replace(path)


class _Webm:
    """A video of `rate` frames per second under way."""

    def __init__(self, path, rate, shape):
        self.path = path
        scale = min(1, LONGEST / max(shape[:2]))
        # Even sides, as VP8 wants them, and not tiny.
        self.size = tuple(max(16, round(n * scale) // 2 * 2) for n in shape[1::-1])
        self.rate = rate
        self.written = 0
        self.last = None
        with quiet():  # OpenCV remarks on every .webm that it had to choose a tag
            self.writer = cv2.VideoWriter(str(path.resolve()), cv2.CAP_FFMPEG, VP8, rate, self.size)
        if not self.writer.isOpened():
            raise OSError(f"{path} cannot be written: is the folder writable, and does this OpenCV have VP8?")

    def write(self, seconds, frame):
        late = round(seconds * self.rate) - self.written
        if late < 0:
            return
        image = cv2.cvtColor(_fitted(frame, self.size), cv2.COLOR_RGB2BGR)
        for _ in range(late):
            self.writer.write(image if self.last is None else self.last)
        self.writer.write(image)
        self.written += late + 1
        self.last = image

    def close(self):
        """End the file; return whether all frames are in it: OpenCV does not say when the disk is full."""
        self.writer.release()
        video = cv2.VideoCapture(str(self.path.resolve()), cv2.CAP_FFMPEG)
        found = video.get(cv2.CAP_PROP_FRAME_COUNT)  # from the duration, which is written last
        video.release()
        return found >= self.written - 1


def _fitted(frame, size):
    """A frame scaled into `size`, (width, height), on black where its proportions differ."""
    scale = min(size[0] / frame.shape[1], size[1] / frame.shape[0])
    width, height = (max(1, round(n * scale)) for n in frame.shape[1::-1])
    fitted = np.zeros((size[1], size[0], 3), np.uint8)
    left = (size[0] - width) // 2
    top = (size[1] - height) // 2
    fitted[top : top + height, left : left + width] = cv2.resize(frame, (width, height))
    return fitted
