"""What a file's place says: `train/angry/Training_7.jpg` is a Training face and angry."""

import functools
import re
from collections import Counter
from dataclasses import dataclass, field

from fer_kit.data.emotions import EMOTIONS, USAGES, emotion_of
from fer_kit.data.faceset import Note
from fer_kit.data.files.kinds import kind_of, looks_like_picture

USAGE_WORDS = {
    "Training": ("train", "training", "trained"),
    "PublicTest": ("val", "valid", "validation", "validate", "dev", "public", "publictest"),
    "PrivateTest": ("test", "testing", "private", "privatetest"),
}
"""The words in a folder's name that stand for a usage, alone or beside others (`training_set`)."""

_USAGE_OF = {word: usage for usage, words in USAGE_WORDS.items() for word in words}
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


@dataclass
class Layout:
    """Where the faces are: `names`, `words` (the emotion, or a number) and `usage` side by side.

    `notes` are `Note`s on what was left out; `skipped` what lies beside the faces, as a Counter of words.
    """

    names: list = field(default_factory=list)
    words: list = field(default_factory=list)
    usage: list = field(default_factory=list)
    notes: list = field(default_factory=list)
    skipped: Counter = field(default_factory=Counter)


@dataclass(frozen=True)
class _Place:
    """What a folder says: the last folder's `word`, its `emotion` (or number, or None), its `usage`, None
    when no folder's name says so, and `root`, the folders around it without that of the usage."""

    word: str
    emotion: str | None
    usage: str | None
    root: str


def read_layout(files):
    """Return the `Layout` of a mapping `files` of names (relative paths with `/`); it may hold no face.

    The csv's prefix in a file name (`PublicTest_123.jpg`) goes before the folder (`test`), because the
    Kaggle archive keeps both test sets in one folder. Order: usage, then emotion, then name. Of copies of
    the dataset that are equal file by file the first is taken.
    Raises ValueError for copies that differ and for folders whose words are no usage.
    """
    found = {}
    skipped = Counter()
    spelled = {}
    places = functools.cache(_place)
    for name in files:
        folder, _, file = name.rpartition("/")
        if file.startswith(".") or "__MACOSX" in folder:
            continue
        place = places(folder)
        if not looks_like_picture(file) and (place.emotion is None or kind_of(files.head(name)) != "picture"):
            skipped[f"{_ending(file)} files, which are no images"] += 1
        elif place.emotion is None:
            skipped[f"images in {_folder(place.word)}, which names none of the seven emotions"] += 1
        else:
            if place.word != place.emotion and not place.emotion.isdecimal():
                spelled[place.word] = place.emotion
            key = (place.root, place.usage is not None)
            found.setdefault(key, []).append((_usage_in(file) or place.usage, place.emotion, name))
    notes = [Note("assumed", f"the folder {word!r} is read as {e}") for word, e in sorted(spelled.items())]
    chosen, note = _one_copy(files, found) if found else ([], [])
    return _layout(chosen, [*notes, *note], skipped)


def usage_of(word):
    """Return the usage that a folder's or a file's name stands for, None when it names none or several."""
    words = [part.lower() for part in _WORD.findall(word)]
    if {"public", "private"} & set(words):
        words = [word for word in words if word != "test"]
    named = {_USAGE_OF[word] for word in words if word in _USAGE_OF}
    return named.pop() if len(named) == 1 else None


def known_usages():
    """Return the words that stand for each usage, in words, for messages."""
    return "; ".join(f"{usage}: {', '.join(words)}" for usage, words in USAGE_WORDS.items())


def _place(folder):
    """Return the `_Place` of a path like `fer/train/angry` or `fer/angry/train`."""
    outer = folder.split("/")
    word = outer.pop()
    usage = None
    if _emotion(word) is None and outer and usage_of(word) and _emotion(outer[-1]):
        usage = usage_of(word)
        word = outer.pop()
    for k in range(len(outer) - 1, -1, -1):
        if usage is None and usage_of(outer[k]):
            usage = usage_of(outer.pop(k))
    return _Place(word, _emotion(word), usage, "/".join(outer))


def _emotion(word):
    """Return the emotion that a folder's name stands for, or its number, which may mean any."""
    return str(int(word)) if word.strip().isdecimal() else emotion_of(word)


def _usage_in(file):
    prefix = file.partition("_")[0]
    return prefix if prefix in USAGES else None


def _one_copy(files, found):
    """Return the rows (usage, emotion, name) of the one dataset among the places `found`, and notes on it."""
    roots = sorted({root for root, _ in found})
    if len(roots) == 1:
        with_usage = found.get((roots[0], True), [])
        without = found.get((roots[0], False), [])
        if with_usage and without and not all(usage for usage, *_ in without):
            raise ValueError(_mixed(files, without))
        return [*with_usage, *without], []
    copies = {root: found.get((root, True), []) + found.get((root, False), []) for root in roots}
    first, *others = roots
    if all(_equal(files, first, copies[first], other, copies[other]) for other in others):
        text = f"the dataset is there {len(roots)} times, in {_listed(roots)}, all equal: the first is read"
        return copies[first], [Note("left out", text)]
    raise ValueError(_several(files, roots, copies))


def _equal(files, root, rows, other, theirs):
    mine = {name.removeprefix(root).lstrip("/"): name for *_, name in rows}
    yours = {name.removeprefix(other).lstrip("/"): name for *_, name in theirs}
    return mine.keys() == yours.keys() and all(files[mine[k]] == files[yours[k]] for k in mine)


def _several(files, roots, copies):
    """Return what to say of several folders that hold emotions: unknown words for usages, or two copies."""
    unknown = [root for root in roots if not any(usage for usage, *_ in copies[root])]
    if unknown:
        return (
            f"{files.where} has emotion folders in {_listed(roots)}; "
            f"{_listed(unknown)} {'names' if len(unknown) == 1 else 'name'} no usage that the kit knows "
            f"({known_usages()}). Rename {'it' if len(unknown) == 1 else 'them'}, or point at one of them"
        )
    return (
        f"{files.where} holds several copies of the dataset, in {_listed(roots)}, that differ; "
        f"point at one of them, such as {files.where / roots[-1]}"
    )


def _mixed(files, rows):
    name = rows[0][-1]
    return (
        f"{files.where} has emotion folders for a usage and others for none, {name.rpartition('/')[0]} for "
        f"one; put them into a folder that names a usage ({known_usages()}), or point at one folder"
    )


def _layout(rows, notes, skipped):
    rows = sorted((usage or "Training", _order(emotion), emotion, name) for usage, emotion, name in rows)
    notes += [Note("left out", f"{count:,} {what}, left out") for what, count in skipped.items()]
    usage, _, words, names = (list(c) for c in zip(*rows, strict=True)) if rows else ([], [], [], [])
    return Layout(names, words, usage, notes, skipped)


def _order(emotion):
    return int(emotion) if emotion.isdecimal() else EMOTIONS.index(emotion)


def _ending(file):
    dot = file.rfind(".")
    return file[dot:].lower() if dot > 0 else "nameless"


def _folder(word):
    return f"the folder {word!r}" if word else "the top folder"


def _listed(roots):
    return " and ".join(repr(root) if root else "the top folder" for root in sorted(roots))
