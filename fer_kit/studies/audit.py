"""What changes an emotion network's answer: drawn people, of whom one thing is changed and nothing else.

Photographs of two groups of people differ in a hundred things at once; drawn people can be changed in one.
"""

import cv2
import numpy as np
import pandas as pd

from fer_kit.data.emotions import EMOTIONS
from fer_kit.data.faceset import FaceSet, Note
from fer_kit.data.sample.people import draw_people

CHANGES = {
    "as drawn": {},
    "light from the side": {"light_x": 0.9},
    "tilted by 20°": {"roll": np.radians(20)},
    "no lines": {"age": 0},
    "deep lines": {"age": 1},
    "light skin": {"skin": 0.95},
    "dark skin": {"skin": 0.35},
}
"""What all people have in common, see `draw_people`. Hair and exposure follow the skin."""

PICTURES = {
    "a third of the light": lambda image: image // 3,
    "blurred": lambda image: cv2.GaussianBlur(image, (0, 0), 1.5),
}
"""What is done to the pictures as drawn, each uint8 (48, 48)."""


def changed_people(count=20, seed=0, emotions=EMOTIONS):
    """Return drawn people under each of `CHANGES` and `PICTURES`, and which of them each face is under.

    The same people, with the same expressions, in the same order under each.

    Args:
        count: How many people show each of the emotions.
        seed: Who they are.
        emotions: Those that are shown.

    Returns:
        (a `FaceSet` of all faces, usage PublicTest, labelled with what is shown; a Series (N,) of the
        changes).
    """
    shown = {}
    for change, alike in CHANGES.items():
        faces = [draw_people(emotion, count, seed + k, alike=alike) for k, emotion in enumerate(emotions)]
        shown[change] = np.concatenate(faces)
    for change, take in PICTURES.items():
        shown[change] = np.stack([take(image) for image in shown["as drawn"]])
    labels = np.repeat([EMOTIONS.index(emotion) for emotion in emotions], count)
    files = np.array([f"{change}/{k:05d}" for change in shown for k in range(len(labels))])
    changes = np.repeat(list(shown), len(labels))
    notes = (Note("about", "the same people under each change, drawn by the kit"),)
    images = np.concatenate(list(shown.values()))
    labels = np.tile(labels, len(shown))
    faces = FaceSet(images, labels, "PublicTest", EMOTIONS, files, "drawn people, changed", notes)
    return faces, pd.Series(pd.Categorical(changes, list(shown)), name="change")
