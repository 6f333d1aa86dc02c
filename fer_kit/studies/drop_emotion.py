"""Dropping an emotion: what murphy reported, and the same fairly (murphy-dropdisgust).

A network with six emotions answers easier questions than one with seven. To see what training without an
emotion gains, both have to answer the same: the network that knows all is scored on the faces of the others,
with the dropped emotion masked out of its softmax.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from fer_kit.evaluation import metrics
from fer_kit.evaluation.scores import Scores, compare, recorded_scores, scaled
from fer_kit.evaluation.scoring import evaluate
from fer_kit.studies.common import PLAIN, train
from fer_kit.training.records import Run


@dataclass(frozen=True, eq=False)
class Drop:
    """What dropping emotions did.

    `dropped` their names; `full` the Scores of the network that knows all emotions, on faces of all;
    `masked` those of the same network on the faces of the others, with `dropped` masked; `reduced` those of
    the network that was trained without `dropped`, on the same faces as `masked`. `full_run` and
    `reduced_run` are the two training runs.
    """

    dropped: tuple
    full: Scores
    masked: Scores
    reduced: Scores
    full_run: Run
    reduced_run: Run

    @property
    def parts(self):
        """The reported difference of accuracy taken apart, a Series of three shares that add up to it.

        `easier faces`: the same network and answers, without the faces of the dropped emotion. `fewer
        answers`: the dropped emotion masked as well. `trained without`: the other network on the same task.
        """
        asked = self.full.right[_rows_without(self.full, self.dropped)].mean()
        steps = self.full.accuracy, asked, self.masked.accuracy, self.reduced.accuracy
        return pd.Series(np.diff(steps), ["easier faces", "fewer answers", "trained without"], dtype=float)

    @property
    def reported(self):
        """The difference of the two accuracies, each on its own task, as murphy gives it."""
        return self.reduced.accuracy - self.full.accuracy

    @property
    def fair(self):
        """The `difference` that training without the emotion made, on one task."""
        return difference(self.masked, self.reduced)


def drop_study(network, faces, recipe, out, dropped="disgust", usage="PublicTest", seed=None, **options):
    """Train a network with all emotions and without some, and return the `Drop`.

    Args:
        network: A name of `models.MODELS`, or a function from the number of emotions to a fresh model.
        faces: A `FaceSet` with Training and PublicTest faces.
        recipe: A `Recipe` or its name.
        out: Folder of the study; a finished run in it is not trained again.
        dropped: One emotion or several.
        usage: The faces that score both networks; PrivateTest counts as one look for each run.
        seed: Of the weights and the order of the batches.
        options: Those of `training.fit`.

    Returns:
        `Drop`.

    Raises:
        ValueError: There is no such emotion, or fewer than two would be left. Nothing is trained before.
    """
    dropped = (dropped,) if isinstance(dropped, str) else tuple(dropped)
    others = faces
    for name in dropped:
        others = others.drop(name)
    runs = []
    scores = []
    for some, folder in ((faces, PLAIN), (others, f"without-{'-'.join(dropped)}")):
        runs.append(train(network, some, recipe, Path(out) / folder, seed=seed, **options))
        scores.append(evaluate(runs[-1], some, usage))
    return Drop(dropped, scores[0], without(scores[0], *dropped), scores[1], *runs)


def recorded_drop(full_run, reduced_run):
    """Return the `Drop` of two finished `Run`s from their records alone, on the faces that selected them.

    The second was trained without some emotions of the first. Raises ValueError when it was not.
    """
    known, kept = (run.provenance["emotions"] for run in (full_run, reduced_run))
    dropped = tuple(name for name in known if name not in kept)
    if not dropped or set(kept) - set(known):
        raise ValueError(f"{reduced_run.folder} knows {kept}: no emotion was dropped from {known}")
    full = recorded_scores(full_run)
    return Drop(dropped, full, without(full, *dropped), recorded_scores(reduced_run), full_run, reduced_run)


def without(scores, *dropped):
    """Return the `Scores` of the same network as if it did not know the emotions `dropped`.

    Their faces are left out, their probabilities masked and the rest scaled to add up to 1, which is what
    `evaluate` does for faces without them. Nothing is predicted anew. Raises ValueError for an emotion that
    is not there and when fewer than two would be left.
    """
    faces = scores.scored
    for name in dropped:
        faces = faces.drop(name)
    rows = _rows_without(scores, dropped)
    kept = [k for k, name in enumerate(scores.scored.names) if name not in dropped]
    predictions = scaled(scores.predictions[np.ix_(rows, kept)])
    twins = None if scores.twins is None else scores.twins[rows]
    return replace(scores, scored=faces, predictions=predictions, twins=twins)


def _rows_without(scores, dropped):
    labels = [k for k, name in enumerate(scores.scored.names) if name in dropped]
    return np.flatnonzero(~np.isin(scores.scored.labels, labels))


def difference(first, second):
    """Return how much more accurate `second` is than `first` on the same faces, a dict.

    `points` the difference of the accuracies (-1 to 1); `low` and `high` its 95 % interval, by drawing the
    faces anew ten thousand times; `p` of McNemar's test; `first_only` and `second_only`, the faces that one
    alone got right. All this is the chance of the test faces; that of the training takes several seeds.
    Raises ValueError when the faces are not the same.
    """
    p, first_only, second_only = compare(first, second)
    both = int((first.right & second.right).sum())
    agreement = np.array([[both, first_only], [second_only, first.faces - both - first_only - second_only]])

    def gained(counts):
        return (counts[..., 1, 0] - counts[..., 0, 1]) / counts.sum((-1, -2))

    low, high = metrics.bootstrap(agreement, gained, rounds=10_000)
    found = {"points": float(gained(agreement)), "low": low, "high": high, "p": p}
    return found | {"first_only": first_only, "second_only": second_only}
