"""Image files to grey 48x48 faces, many at a time."""

import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat

import cv2
import numpy as np

from fer_kit.data.faceset import SIZE

CHUNK = 512
"""Images per task; large enough that starting tasks costs nothing, small enough to share evenly."""


def to_face(image):
    """Return an image as a face, uint8 (48, 48), and a tuple of what had to be converted.

    `image` is what OpenCV decoded: (H, W), BGR (H, W, 3) or BGRA (H, W, 4), 8 or 16 bits.
    """
    done = []
    if image.dtype != np.uint8:
        image = cv2.convertScaleAbs(image, alpha=255 / np.iinfo(image.dtype).max)
        done.append("16-bit")
    if image.ndim == 3:
        code = {3: cv2.COLOR_BGR2GRAY, 4: cv2.COLOR_BGRA2GRAY}[image.shape[2]]
        image = cv2.cvtColor(image, code)
        done.append("colour")
    if image.shape != (SIZE, SIZE):
        done.append(f"{image.shape[1]}x{image.shape[0]} pixels")
        smaller = min(image.shape) > SIZE
        image = cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)
    return image, tuple(done)


def read_faces(files, names):
    """Decode the images `names` of the mapping `files` (name to bytes) on all cores.

    Returns (images uint8 (N, 48, 48), readable bool (N,), notes on what was converted or unreadable).
    """
    images = np.zeros((len(names), SIZE, SIZE), np.uint8)
    readable = np.ones(len(names), bool)

    def decode(start):
        contents = [files[name] or b"-" for name in names[start : start + CHUNK]]
        buffers = [np.frombuffer(content, np.uint8) for content in contents]
        # `map` keeps Python out of the loop, so that the threads hardly wait for one another.
        decoded = map(cv2.imdecode, buffers, repeat(cv2.IMREAD_UNCHANGED))
        converted = Counter()
        for i, image in enumerate(list(decoded), start):
            readable[i] = image is not None
            if readable[i]:
                images[i], done = to_face(image)
                converted.update(done)
        return converted

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        converted = sum(pool.map(decode, range(0, len(names), CHUNK)), Counter())
    return images, readable, _notes(converted, [n for n, ok in zip(names, readable, strict=True) if not ok])


def _notes(converted, unreadable):
    notes = [
        f"{count:,} images were {what}, converted to grey {SIZE}x{SIZE}" for what, count in converted.items()
    ]
    if unreadable:
        notes.append(f"{len(unreadable):,} unreadable images left out, the first is {unreadable[0]}")
    return notes
