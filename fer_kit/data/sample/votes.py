"""Votes for the drawn faces, in the form of FER+: a simulation, for lesson 18 without people's votes."""

import numpy as np
import pandas as pd

from fer_kit.data.emotions import EMOTIONS
from fer_kit.data.sample.expressions import prototype_table
from fer_kit.data.sample.people import describe_sample

VOTERS = 10
HARD = (0.1, 0.5)
"""Standard deviation of voters' errors about how far a unit moved (1: all the way), for the easiest face and
for the hardest."""

EXPECTED = 0.8
"""The strength at which voters expect a prototype."""

SLIPS = 0.03
"""Share of votes that have nothing to do with the face."""

COLUMNS = {
    "neutral": "neutral",
    "happiness": "happy",
    "surprise": "surprise",
    "sadness": "sad",
    "anger": "angry",
    "disgust": "disgust",
    "fear": "fear",
    "contempt": "contempt",
    "unknown": "unknown",
    "NF": "NF",
}
"""FER+'s columns in its order, and what voters choose."""

_CHOICES = (*EMOTIONS, "contempt", "unknown", "NF")


def draw_votes(faces=3589, seed=0):
    """Return simulated votes for the faces of `draw_sample(faces, seed)`, as FER+'s fer2013new.csv has them.

    No person has voted. Each of ten simulated voters judges the drawn action units with errors of their own,
    larger for some faces than for others, and chooses the emotion whose nearest prototype comes closest.
    A few votes are slips: any emotion, contempt or unknown. So faint and mixed expressions divide the voters,
    as they divide people; the numbers say nothing about people. Blank images get ten votes for NF.

    Args:
        faces: how many, as for `draw_sample`.
        seed: the same seed gives the same votes.

    Returns:
        A DataFrame with the columns Usage, Image name, the seven emotions, contempt, unknown and NF.

    Raises:
        ValueError: `faces` is below 21.
    """
    files, usage, units = describe_sample(faces, seed)
    rng = np.random.default_rng([seed, 3])
    hard = rng.uniform(*HARD, (faces, 1))
    chosen = np.stack([_one_voter(units, hard, rng) for _ in range(VOTERS)], axis=1)
    counts = (chosen[:, :, None] == np.arange(len(_CHOICES))).sum(axis=1)
    table = pd.DataFrame(counts, columns=list(_CHOICES))[list(COLUMNS.values())]
    table.columns = list(COLUMNS)
    table.insert(0, "Usage", usage)
    table.insert(1, "Image name", [file.rpartition("/")[2] for file in files.tolist()])
    return table


def _one_voter(units, hard, rng):
    """Return what a voter chooses for each face, int (N,), indices into `_CHOICES`."""
    seen = units + hard * rng.standard_normal(units.shape)
    apart = np.square(seen[:, None, None] - EXPECTED * prototype_table()).sum(axis=-1).min(axis=-1)
    slip = rng.random(len(units)) < SLIPS
    chosen = np.where(slip, rng.integers(0, len(_CHOICES) - 1, len(units)), apart.argmin(axis=1))
    return np.where(np.isnan(units).any(axis=1), _CHOICES.index("NF"), chosen)
