"""The Facial Action Coding System: which muscles move in each emotion, and what that does to a drawn face."""

import numpy as np

from fer_kit.data.emotions import EMOTIONS

ACTION_UNITS = {
    1: "inner brow raiser",
    2: "outer brow raiser",
    4: "brow lowerer",
    5: "upper lid raiser",
    6: "cheek raiser",
    7: "lid tightener",
    9: "nose wrinkler",
    10: "upper lip raiser",
    12: "lip corner puller",
    15: "lip corner depressor",
    16: "lower lip depressor",
    17: "chin raiser",
    20: "lip stretcher",
    23: "lip tightener",
    25: "lips part",
    26: "jaw drop",
    43: "eyes closed",
}
"""The action units that a drawn face has, by their number in Ekman and Friesen's FACS (1978)."""

PROTOTYPES = {
    "angry": (
        {4: 1, 5: 0.7, 7: 0.6, 23: 1},
        {4: 1, 5: 0.5, 7: 0.6, 10: 0.5, 16: 0.8, 25: 1, 26: 0.7},
        {4: 1, 7: 0.8, 17: 0.6, 23: 0.8},
    ),
    "disgust": (
        {9: 1, 15: 0.7, 16: 0.6, 4: 0.3, 7: 0.3},
        {9: 1, 10: 1, 16: 0.3, 6: 0.4, 25: 0.8},
        {9: 1, 10: 0.5, 7: 0.6, 15: 0.8, 17: 0.7},
    ),
    "fear": (
        {1: 1, 2: 0.5, 4: 0.5, 5: 1, 20: 1, 25: 0.8, 26: 0.2},
        {1: 1, 2: 0.6, 4: 0.5, 5: 1, 16: 0.5, 20: 0.9, 25: 1, 26: 0.7},
        {1: 1, 4: 0.7, 5: 0.9, 20: 1, 25: 0.5},
    ),
    "happy": (
        {6: 0.8, 12: 1, 25: 0.9},
        {6: 0.6, 12: 1},
        {6: 1, 12: 1, 25: 1, 26: 0.6},
    ),
    "sad": (
        {1: 1, 4: 0.5, 15: 1},
        {1: 0.9, 4: 0.7, 7: 0.2, 15: 0.8, 17: 0.9},
        {1: 0.9, 4: 0.2, 15: 1, 43: 0.5},
    ),
    "surprise": (
        {1: 1, 2: 1, 5: 1, 25: 1, 26: 1},
        {1: 1, 2: 1, 5: 0.9, 25: 1, 26: 0.6},
        {1: 0.9, 2: 1, 5: 0.8, 25: 0.7, 26: 0.3},
    ),
    "neutral": ({}, {}, {}),
}
"""Three ways to show each emotion: action units (after EMFACS) and their strengths, 0 to 1."""


def prototype_table():
    """Return `PROTOTYPES` as float (7, 3, 17): emotion, way of showing it, action unit."""
    table = [[[way.get(unit, 0) for unit in ACTION_UNITS] for way in PROTOTYPES[e]] for e in EMOTIONS]
    return np.array(table, dtype=float)


def express(fields, units):
    """Move brows, eyes, nose and mouth of the faces `fields` (a dict of float (N,)) by `units` (N, 17).

    Adds the fields that `drawing` draws expressions from; lengths in pixels, y downwards.
    """
    au = dict(zip(ACTION_UNITS, np.clip(units, 0, 1.3).T, strict=True))
    fields |= _brows(fields, au) | _eyes(au)
    fields |= _mouth(fields, au)
    fields["lower_edge"] = fields["mouth_y"] + fields["open_low"] + fields["lip_low"]
    fields["chin"] = np.maximum(fields["chin"] + 0.25 * fields["open_low"], fields["lower_edge"] + 3.5)


def _brows(f, au):
    level = f["eye_y"] + f["brow_y"]
    return {
        "brow_in": 3.1 - 1.2 * au[4] - 0.4 * au[9],
        "brow_out": f["eye_x"] + 4.8,
        "brow_y_in": level - 4.8 - 2.6 * au[1] + 2.5 * au[4] + 1.3 * au[9],
        "brow_y_out": level - 4.5 - 2.8 * au[2] + 0.3 * au[4],
        "brow_arch": 0.9 + 0.7 * au[2] - 0.6 * au[4],
        "ridge": 0.8 * au[2] - 1.2 * au[4],
        "glabella": 0.3 * f["age"] + 0.9 * au[4] + 0.5 * au[9],
        "forehead": 0.2 * f["age"] + 0.5 * au[1] + 0.5 * au[2],
    }


def _eyes(au):
    return {
        "eye_up": np.maximum(1.9 + 1.3 * au[5] - 0.4 * (au[6] + au[7] + au[9]) - 2.2 * au[43], 0.1),
        "eye_low": np.maximum(1.4 + 0.4 * au[5] - 0.7 * (au[6] + au[7] + au[9]) - 0.5 * au[43], 0.1),
        "cheek": np.minimum(au[6] + 0.5 * au[12] + 0.3 * au[9], 1.5),
        "crow": au[6],
        "nose": au[9] + 0.3 * au[10],
    }


def _mouth(f, au):
    parted = au[25]
    pulled = np.minimum(au[12] + au[20], 1)
    gape = au[26] * np.minimum(1.5 * parted, 1)
    wide = 1.9 * au[12] + 1.6 * au[20] - 0.8 * au[23] - 0.6 * au[17] - 1.3 * gape * (1 - pulled)
    teeth = parted * (2.0 * au[12] + 2.0 * au[10] + 1.0 * au[20]) - 0.3
    return {
        "mouth_wide": 6.3 * f["mouth_size"] + wide,
        "mouth_y": f["nose_y"] + 6.2 - 0.8 * au[17] - 0.7 * au[10] - 0.4 * au[9],
        "corner": 2.6 * au[15] + 1.0 * au[20] + 0.8 * au[10] + 0.6 * au[17] - 3.0 * au[12] - 0.3,
        "open_up": parted * (0.6 + 1.3 * au[10] + 0.4 * au[20]) + 1.3 * gape,
        "open_low": parted * (0.8 + 1.3 * au[16] + 1.4 * au[12]) + 4.0 * gape,
        "lip_up": np.maximum(1.4 * f["lips"] - 0.8 * au[23] - 0.3 * au[12], 0.3),
        "lip_low": np.maximum(2.0 * f["lips"] - 1.1 * au[23] + 0.5 * au[17] - 0.3 * au[12], 0.4),
        "teeth": np.clip(teeth, 0, 2.6),
        "teeth_low": 1.7 * au[16] * parted,
        "fold": 0.04 + 0.3 * f["age"] + 0.2 * au[12] + 0.22 * au[10] + 0.22 * au[9] + 0.06 * au[15],
    }
