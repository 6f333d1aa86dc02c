"""From files to faces: what a file's place says (`train/angry/Training_7.jpg`), and what is in it."""

import functools
import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import repeat

import cv2
import numpy as np

from fer_kit.data.emotions import EMOTIONS, USAGES, emotion_of
from fer_kit.data.faceset import SIZE, Note

IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".pgm"}

_USAGE_FOLDERS = {
    "train": "Training",
    "training": "Training",
    "val": "PublicTest",
    "valid": "PublicTest",
    "validation": "PublicTest",
    "publictest": "PublicTest",
    "test": "PrivateTest",
    "privatetest": "PrivateTest",
}

CHUNK = 512
"""Images per task; large enough that starting tasks costs nothing, small enough to share evenly."""


@dataclass
class Layout:
    """Where the faces are: `names`, `labels` and `usage` side by side, and a `Note` on what was left out."""

    names: list = field(default_factory=list)
    labels: list = field(default_factory=list)
    usage: list = field(default_factory=list)
    notes: list = field(default_factory=list)


def read_layout(names, where):
    """Return the `Layout` of the files `names` (relative paths with `/`) found in `where`.

    The csv's prefix in a file name (`PublicTest_123.jpg`) goes before the folder (`test`), because the
    Kaggle archive keeps both test sets in one folder. Order: usage, then emotion, then name.
    Raises ValueError when there are no emotion folders or two copies of the dataset.
    """
    found = []
    skipped = Counter()
    roots = set()
    spelled = {}
    places = functools.cache(_place)
    for name in names:
        folder, _, file = name.rpartition("/")
        suffix = file[file.rfind(".") :].lower()
        if file.startswith(".") or "__MACOSX" in folder:
            continue
        if suffix not in IMAGE_SUFFIXES:
            skipped[f"{suffix} files, which are no images"] += 1
            continue
        word, emotion, usage, root = places(folder)
        if emotion is None:
            skipped[f"images in the folder {word!r}, which names none of the seven emotions"] += 1
            continue
        if word != emotion:
            spelled[word] = emotion
        roots.add(root)
        found.append((_usage_in(file) or usage, EMOTIONS.index(emotion), name))
    if not found:
        raise ValueError(_nothing_found(where, skipped))
    if len(roots) > 1:
        raise ValueError(
            f"{where} holds several copies of the dataset, in {_listed(roots)}; point at one of them"
        )
    return _layout(sorted(found), skipped, spelled)


def _place(folder):
    """(last folder's name, its emotion, usage, the folder around it all) of a path like `fer/train/angry`."""
    outer, _, word = folder.rpartition("/")
    root, _, usage_folder = outer.rpartition("/")
    usage = _USAGE_FOLDERS.get(usage_folder.lower())
    return word, emotion_of(word), usage or "Training", root if usage else outer


def _usage_in(file):
    prefix = file.partition("_")[0]
    return prefix if prefix in USAGES else None


def _layout(found, skipped, spelled):
    notes = [Note("left out", f"{count:,} {what}, left out") for what, count in skipped.items()]
    notes += [Note("assumed", f"the folder {word!r} is read as {e}") for word, e in sorted(spelled.items())]
    usage, labels, names = (list(column) for column in zip(*found, strict=True))
    return Layout(names, labels, usage, notes)


def _nothing_found(where, skipped):
    seen = "; ".join(f"{count:,} {what}" for what, count in skipped.items()) or "it is empty"
    return (
        f"{where} has no faces in emotion folders ({seen}). "
        f"Expected train/<emotion>/*.jpg and test/<emotion>/*.jpg with the emotions {', '.join(EMOTIONS)}"
    )


def _listed(roots):
    return " and ".join(repr(root) if root else "the top folder" for root in sorted(roots))


def missing_emotions(layout):
    """Return a `Note` for each usage that has faces of some emotions and none of others."""
    pairs = set(zip(layout.usage, layout.labels, strict=True))
    return [
        Note("missing", f"{usage} has no faces for {', '.join(gone)}")
        for usage in dict.fromkeys(layout.usage)
        if (gone := [e for k, e in enumerate(EMOTIONS) if (usage, k) not in pairs])
    ]


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

    Returns (images uint8 (N, 48, 48), readable bool (N,), list of `Note`: what was converted or unreadable).
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
    grey = f"converted to grey {SIZE}x{SIZE}"
    notes = [Note("converted", f"{count:,} images were {what}, {grey}") for what, count in converted.items()]
    if unreadable:
        text = f"{len(unreadable):,} unreadable images left out, the first is {unreadable[0]}"
        notes.append(Note("left out", text))
    return notes
