"""The seven emotions: their one order, their spellings, their official counts and their colours."""

import itertools

EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""The order of `fer2013.csv`, used everywhere: a label is an index into this tuple.
A folder listing sorts neutral before sad, which is why labels are never taken from one."""

USAGES = ("Training", "PublicTest", "PrivateTest")

OFFICIAL_COUNTS = {
    "Training": (3995, 436, 4097, 7215, 4830, 3171, 4965),
    "PublicTest": (467, 56, 496, 895, 653, 415, 607),
    "PrivateTest": (491, 55, 528, 879, 594, 416, 626),
}
"""Faces per emotion and usage of FER-2013, in the order of `EMOTIONS`."""

COLOURS = {
    "angry": "#D55E00",
    "disgust": "#009E73",
    "fear": "#332288",
    "happy": "#F0B000",
    "sad": "#0072B2",
    "surprise": "#E39AC4",
    "neutral": "#999999",
}
"""One colour per emotion in every figure: Okabe and Ito's colour-blind-safe set, with some shades moved, an
indigo and a grey added, so that all seven differ to colour-blind readers and in grey print."""

OTHER_COLOUR = "#777777"
"""Of an emotion that is none of the seven, as a network of somebody's own may have."""
SPARE = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#332288", "#CC79A7", "#56B4E9")
"""Colours for names of another kind, in turn."""

BESIDE = ("#56B4E9", "#8C564B", "#000000")
"""Colours for further names beside emotions of the seven, in turn: far from those of the seven."""

_SPELLINGS = {
    "angry": ("anger",),
    "disgust": ("disgusted",),
    "fear": ("afraid", "fearful", "scared"),
    "happy": ("happiness", "joy", "smile"),
    "sad": ("sadness",),
    "surprise": ("surprised", "suprise"),
    "neutral": ("neutrality",),
}
_BY_SPELLING = {word: emotion for emotion, words in _SPELLINGS.items() for word in (emotion, *words)}


def colours_of(names):
    """Return {name: colour}, an emotion's own colour and for other names the next free one."""
    free = itertools.cycle(BESIDE if set(names) & set(COLOURS) else SPARE)
    return {name: COLOURS.get(name) or next(free) for name in names}


def emotion_of(word):
    """Return the emotion that a folder name or a label in any usual spelling stands for.

    `word` may differ in case and may carry a number in front (`0_angry`, `3 happiness`) or be the
    csv's code alone (`"0"` to `"6"`). Returns one of `EMOTIONS`, or None for a word that names none
    of them (`contempt`).
    """
    text = str(word).strip().lower()
    letters = text.lstrip("0123456789 _-.")
    if letters:
        return _BY_SPELLING.get(letters)
    return EMOTIONS[int(text)] if text in {str(i) for i in range(len(EMOTIONS))} else None
