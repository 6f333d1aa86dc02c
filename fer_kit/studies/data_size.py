"""How much data: accuracy against training images, and the learning curve through it (murphy-size)."""

import re
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from fer_kit.evaluation.scores import recorded_scores
from fer_kit.evaluation.scoring import evaluate
from fer_kit.runtime.settings import choose_seed
from fer_kit.studies.common import PLAIN, train
from fer_kit.training.records import Run

SIZES = (750, 2500, None)
"""Faces of each emotion in murphy-size; None is all of them."""


def take_sizes(faces, sizes=SIZES, seed=0):
    """Return {name: FaceSet} of the Training faces cut to each size, largest last; the others stay whole.

    An emotion with fewer faces than asked for gives all that it has. Small sets lie inside the larger
    ones, so that the sizes differ in nothing else. Raises ValueError for a size below 1 or none at all.
    """
    wrong = [size for size in sizes if size is not None and size < 1]
    if wrong or not sizes:
        raise ValueError(f"sizes are faces of each emotion, at least 1, or None for all, not {sizes}")
    training = faces.training
    others = faces[faces.usage != "Training"]
    taken = {}
    for size in sorted(sizes, key=lambda size: size or np.inf):
        part = training if size is None else training.per_emotion(size, seed)
        whole = len(part) == len(training)
        taken["all" if whole else f"{size} per emotion"] = faces if whole else part.join(others)
    return taken


def study_sizes(network, faces, recipe, out, sizes=SIZES, seed=None, **options):
    """Train a network on each size of the training set and return their table, scored on PublicTest.

    All sizes get equally many epochs, so small ones make fewer steps.

    Args:
        network: A name of `models.MODELS`, or a function from the number of emotions to a fresh model.
        faces: A `FaceSet` with Training and PublicTest faces.
        recipe: A `Recipe` or its name.
        out: Folder of the study; a finished run in it is not trained again.
        sizes: Training faces of each emotion, at least 1, or None for all.
        seed: Of the drawn faces, the weights and the order of the batches.
        options: Those of `training.fit`.

    Returns:
        A DataFrame by size: `faces` trained on; `accuracy` with `low` and `high`, the ends of its 95 %
        interval, and `macro_f1`, all 0-1; `seconds` of training; `took all of`, the emotions that have fewer
        faces than asked for.

    Raises:
        ValueError: A size is below 1, or there is none.
    """
    seed = choose_seed(seed)
    rows = {}
    for name, part in take_sizes(faces, sizes, seed).items():
        folder = Path(out) / (PLAIN if name == "all" else name.replace(" ", "-"))
        run = train(network, part, recipe, folder, seed=seed, **options)
        short = _short_of(part.training) if name != "all" else "all"
        rows[name] = _row(run, evaluate(run, faces)) | {"took all of": short}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("size")


def recorded_sizes(folder):
    """Return the table of `study_sizes`, without `took all of`, from the records of its runs in `folder`.

    A damaged record is left out with a warning.
    """
    rows = {}
    for path in Path(folder).glob("*/config.json"):
        name = path.parent.name
        if name != PLAIN and not re.fullmatch(r"\d+-per-emotion", name):
            continue  # murphy's own begin with another word
        run = Run(path.parent)
        try:
            if run.finished:
                rows["all" if name == PLAIN else name.replace("-", " ")] = _row(run, recorded_scores(run))
        except (ValueError, OSError) as error:
            warnings.warn(f"left out of the table: {error}", stacklevel=2)
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("size")
    return table.sort_values("faces") if rows else table


def _row(run, scores):
    low, high = scores.interval
    return {
        "faces": run.provenance["trained_on"]["faces"],
        "accuracy": scores.accuracy,
        "low": low,
        "high": high,
        "macro_f1": scores.macro_f1,
        "seconds": float(run.history.seconds.sum()),
    }


def _short_of(faces):
    """The emotions that have fewer faces than the others, with their counts, in words."""
    counts = faces.counts().Training
    fewer = counts[counts < counts.max()]
    return ", ".join(f"{name} ({count:,})" for name, count in fewer.items())


@dataclass(frozen=True)
class PowerLaw:
    """The learning curve: error = floor + scale * faces ** -exponent (Hestness et al. 2017).

    `floor` is the error, 0-1, that no number of faces removes.
    """

    scale: float
    exponent: float
    floor: float = 0.0

    def accuracy(self, faces):
        """Return the accuracy, 0-1, expected from so many training faces (a number or an array)."""
        return 1 - self.floor - self.scale * np.asarray(faces, float) ** -self.exponent

    def faces_for(self, accuracy):
        """Return how many training faces an accuracy (0-1) takes; inf where the curve never gets there."""
        left = 1 - self.floor - accuracy
        if left <= 0 or self.exponent <= 0:
            return np.inf
        with np.errstate(over="ignore"):  # a curve that is nearly flat
            return float(np.float64(self.scale / left) ** (1 / self.exponent))


def fit_power_law(faces, accuracy, floor=0.0):
    """Return the `PowerLaw` through `accuracy` (0-1, M,) at `faces` (M,), for a given floor.

    A straight line through the logarithms, by least squares. The floor has to be known or assumed: to fit
    it too takes many more sizes than two or three. Raises ValueError for fewer than two different sizes,
    and for an error that is not above the floor.
    """
    faces = np.asarray(faces, float)
    error = 1 - np.asarray(accuracy, float) - floor
    if len(np.unique(faces)) < 2:
        raise ValueError(
            f"a learning curve needs two different sizes, not {faces.tolist()}; choose smaller ones"
        )
    if (error <= 0).any():
        raise ValueError(
            f"the accuracy {1 - floor - error.min():.3f} is better than the floor {floor} allows"
        )
    slope, start = np.polyfit(np.log(faces), np.log(error), 1)
    return PowerLaw(float(np.exp(start)), float(-slope), floor)
