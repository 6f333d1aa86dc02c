"""Folders and labels that are numbers: which emotion each of them means, never guessed."""

from dataclasses import replace

import numpy as np

from fer_kit.data.doctor.match import match
from fer_kit.data.doctor.signatures import Signatures
from fer_kit.data.emotions import EMOTIONS, emotion_of
from fer_kit.data.faceset import Note
from fer_kit.runtime.names import by_door

NUMBERINGS = {
    "FER-2013, ExpW": (0, EMOTIONS),
    "RAF-DB": (1, ("surprise", "fear", "disgust", "happy", "sad", "angry", "neutral")),
    "AffectNet": (0, ("neutral", "happy", "sad", "surprise", "fear", "disgust", "angry", "contempt")),
    "CK+": (0, ("neutral", "angry", "contempt", "disgust", "fear", "happy", "sad", "surprise")),
    "FER+": (0, ("neutral", "happy", "surprise", "sad", "angry", "disgust", "fear", "contempt")),
}
"""How known datasets number their emotions: the first number, and the emotions from there on."""

AGREEMENT = 0.8
"""Share of the faces under one number that must be of one emotion in FER-2013 for the number to mean it."""

FEWEST = 3
"""So many recognised faces under a number may tell its meaning."""


def name_emotions(faces, names=None):
    """Give the emotions of a FaceSet their names, where its `names` are numbers or other words.

    Numbers are named by `names`, else by the faces themselves where they are FER-2013's, else by
    elimination where a single one stands beside six emotions. Faces of none of the seven are left out.

    Args:
        faces: a FaceSet whose names are emotions in any spelling, or numbers as text.
        names: the emotions in the order of the numbers, in any usual spelling; others are left out.

    Returns:
        A FaceSet with names in the order of `EMOTIONS`, all seven.

    Raises:
        ValueError: the numbers cannot be told, or `names` do not go with them; lists the known numberings.
    """
    numbers = [name for name in faces.names if name.isdecimal()]
    if names is not None:
        _check_given(faces, numbers, names)
        meaning = dict(zip(sorted(numbers, key=int), names, strict=True))
        return _named(faces, meaning, "as given")
    if not numbers:
        return _named(faces, {})
    left = [e for e in EMOTIONS if e not in map(emotion_of, set(faces.names) - set(numbers))]
    if len(numbers) == len(left) == 1:
        return _named(faces, {numbers[0]: left[0]})
    meaning = _told_by_faces(faces, numbers)
    if meaning is None:
        raise ValueError(_refusal(faces, numbers))
    return _named(faces, meaning, "told by the faces, which are FER-2013's")


def _check_given(faces, numbers, names):
    if not numbers:
        raise ValueError(
            f"{faces.source} names its emotions itself ({', '.join(faces.names)}), or has FER-2013's codes "
            f"in a table; leave out {by_door('names', '--names')}, which is for folders and labels that "
            "are numbers"
        )
    if len(names) != len(numbers):
        raise ValueError(
            f"{faces.source} has the {len(numbers)} numbers {_listed(numbers)}, and {len(names)} names are "
            f"given ({', '.join(names)}); give one for each number, in their order"
        )


def _named(faces, meaning, why=""):
    """Return the faces with `EMOTIONS` as names, each old name being its `meaning` or what it spells."""
    words = [meaning.get(name, name) for name in faces.names]
    emotions = [emotion_of(word) if not word.isdecimal() else None for word in words]
    codes = np.array([EMOTIONS.index(emotion) if emotion else -1 for emotion in emotions])
    labels = codes[faces.labels] if len(faces) else faces.labels
    notes = list(faces.notes)
    if meaning and not why:
        notes += [Note("assumed", f"the folder {n!r} is read as {word}") for n, word in meaning.items()]
    elif meaning:
        told = ", ".join(f"{number} as {word}" for number, word in meaning.items())
        notes.append(Note("assumed", f"the numbers are read as emotions, {why}: {told}"))
    unknown = labels < 0
    if unknown.any():
        gone = ", ".join(sorted({words[k] for k in faces.labels[unknown]}))
        text = f"{unknown.sum():,} faces of {gone}, which is none of the seven emotions, left out"
        notes.append(Note("left out", text))
        faces = faces[~unknown]
        labels = labels[~unknown]
    return replace(faces, labels=labels, names=EMOTIONS, notes=tuple(notes))


def _told_by_faces(faces, numbers):
    """Return {number: emotion} where FER-2013's own faces tell it for every number, else None."""
    original = Signatures.load()
    found = match(faces.images, Signatures.of(faces), original)
    known = (found.origin >= 0) & ~found.copy.blank
    if not found.recognised:
        return None
    meaning = {}
    for number in numbers:
        here = known & (faces.labels == faces.names.index(number))
        counts = np.bincount(original.labels[found.origin[here]], minlength=len(EMOTIONS))
        if counts.sum() < FEWEST or counts.max() < AGREEMENT * counts.sum():
            return None
        meaning[number] = EMOTIONS[counts.argmax()]
    return meaning if len(set(meaning.values())) == len(meaning) else None


def _refusal(faces, numbers):
    known = "; ".join(
        f"{title}: " + ", ".join(f"{k} {name}" for k, name in enumerate(names, first))
        for title, (first, names) in NUMBERINGS.items()
    )
    example = by_door("names=('surprise', 'fear', ...)", "--names surprise,fear,...")
    return (
        f"{faces.source} names its emotions by the numbers {_listed(numbers)} alone, and datasets number "
        f"them differently ({known}). Say which emotions they are, in the order of the numbers: "
        f"{example}"
    )


def _listed(numbers):
    return ", ".join(sorted(numbers, key=int))
