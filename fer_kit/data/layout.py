"""What a file's place says about a face: usage and emotion from names like `train/angry/Training_7.jpg`."""

import functools
from collections import Counter
from dataclasses import dataclass, field

from fer_kit.data.emotions import EMOTIONS, USAGES, emotion_of

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


@dataclass
class Layout:
    """Where the faces are: `names`, `labels` and `usage` side by side, and `notes` on what was left out."""

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
    found, skipped, roots, spelled = [], Counter(), set(), {}
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
    notes = [f"{count:,} {what}, left out" for what, count in skipped.items()]
    notes += [f"the folder {folder!r} is read as {emotion}" for folder, emotion in sorted(spelled.items())]
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
    """Return sentences on emotions that a usage has no face of, though it has faces of others."""
    pairs = set(zip(layout.usage, layout.labels, strict=True))
    return [
        f"{usage} has no faces for {', '.join(gone)}"
        for usage in dict.fromkeys(layout.usage)
        if (gone := [e for k, e in enumerate(EMOTIONS) if (usage, k) not in pairs])
    ]
