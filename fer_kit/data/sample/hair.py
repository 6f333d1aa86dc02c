"""A stand-in for UTKFace, for when there is none: drawn faces with short or long hair."""

import numpy as np

from fer_kit.data.emotions import EMOTIONS
from fer_kit.data.faceset import FaceSet
from fer_kit.data.sample.drawing import draw_faces
from fer_kit.data.sample.expressions import express, prototype_table
from fer_kit.data.sample.people import random_people

HAIR = ("short hair", "long hair")
RARE = 0.15
"""Share of the faces with dark skin: a dataset that has few of somebody, on purpose."""


def draw_hair_sample(faces=3000, seed=0):
    """Return a FaceSet of `faces` drawn faces whose labels are 0, short hair, or 1, long hair.

    The same ones for the same `seed`, all of usage Training, each of another person. Drawn faces have no
    gender, and nothing here pretends that they have. Skin is smooth or lined, dark or light, as `files` say
    (`drawn/lined_dark_00017`); dark is rare.
    """
    rng = np.random.default_rng([seed, 20])
    crowd = random_people(3 * faces + 100, rng)
    dark = np.flatnonzero(crowd["skin"] < 0.5)[: round(RARE * faces)]
    light = np.flatnonzero(crowd["skin"] > 0.65)[: faces - len(dark)]
    chosen = rng.permutation(np.concatenate([dark, light]))
    fields = {name: values[chosen] for name, values in crowd.items()}
    shown = rng.integers(0, len(EMOTIONS), faces), rng.integers(0, 3, faces)
    express(fields, prototype_table()[shown] * rng.uniform(0.2, 1.0, (faces, 1)))
    lines = np.where(fields["age"] > 0.2, "lined", "smooth")
    skins = np.where(fields["skin"] < 0.5, "dark", "light")
    files = [f"drawn/{line}_{skin}_{i:05d}" for i, (line, skin) in enumerate(zip(lines, skins, strict=True))]
    return FaceSet(
        draw_faces(fields, seed),
        (fields["ears"] == 0).astype(int),  # long hair covers the ears
        "Training",
        HAIR,
        np.array(files),
        "drawn faces with short or long hair",
        ("drawn by the kit in place of UTKFace; the labels are hair, not gender",),
    )
