"""The imbalance toolbox: ways to treat rare emotions, in one comparison.

Each method changes the training faces or the loss; network, recipe, seed and the faces that score are
the same for all.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from fer_kit.data.augment import augment_disgust, augment_face
from fer_kit.data.balancing import multiply
from fer_kit.evaluation.scores import compare
from fer_kit.evaluation.scoring import evaluate
from fer_kit.runtime import settings
from fer_kit.studies.common import PLAIN, recorded_in_lab, train
from fer_kit.training.recipes import find_recipe
from fer_kit.training.records import RECORDS

METHODS = {
    "none": {},
    "class weights": {"class_weight": "balanced"},
    "oversampling": {},
    "rare x10": {},
    "mild x10": {},
    "focal loss": {"loss": "focal"},
    "logit adjustment": {"loss": "logit-adjusted"},
}
"""What each method changes in the recipe. Some of them change the faces: see `treat`."""

COPIES = {"rare x10": augment_disgust, "mild x10": augment_face}
"""What makes the copies of these methods. murphy lowered the strength when accuracy fell."""

RECORD = "imbalance.csv"
"""The methods from several seeds, among the records."""


def oversample(faces, seed=0):
    """Return the faces with those of each emotion repeated until it has as many as the most frequent one.

    All faces stay; which of them stand there once more than the others is drawn by `seed`. Raises
    ValueError when an emotion has no face.
    """
    counts = np.bincount(faces.labels, minlength=len(faces.names))
    if not counts.all():
        name = faces.names[int(np.argmin(counts))]
        raise ValueError(f"there is no {name} face to repeat; leave it out with faces.drop({name!r})")
    rng = np.random.default_rng(seed)
    order = [rng.permutation(np.flatnonzero(faces.labels == k)) for k in range(len(counts))]
    return faces[np.concatenate([np.resize(rows, counts.max()) for rows in order])]


def treat(method, faces, recipe, rare="disgust", seed=0):
    """Return (faces, recipe) as a method of `METHODS` changes them; only Training faces are touched.

    "class weights" weighs the loss by `augment.class_weights` (murphy-weights), "oversampling" is
    `oversample`, "rare x10" and "mild x10" multiply the emotion `rare` tenfold by copies, augmented as
    strongly as murphy's (murphy-disgust-aug) or as mildly as hejslet's (hejslet-augment), "focal loss" and
    "logit adjustment" are those of `losses`. Raises ValueError for another method or an emotion that is not
    there.
    """
    if method not in METHODS:
        raise ValueError(f"no method {method!r}; there are {', '.join(METHODS)}")
    recipe = replace(find_recipe(recipe), **METHODS[method])
    others = faces[faces.usage != "Training"]
    if method == "oversampling":
        faces = oversample(faces.training, seed).join(others)
    if method in COPIES:
        faces = multiply(faces.training, rare, 10, seed=seed, change=COPIES[method]).join(others)
    return faces, recipe


def compare_methods(
    network, faces, recipe, out, methods=tuple(METHODS), rare="disgust", seed=None, **options
):
    """Train a network once by each method and return their table, scored on PublicTest.

    Methods with more images make more steps in the same number of epochs.

    Args:
        network: A name of `models.MODELS`, or a function from the number of emotions to a fresh model.
        faces: A `FaceSet` with Training and PublicTest faces.
        recipe: A `Recipe` or its name.
        out: Folder of the study; a finished run in it is not trained again.
        methods: Names from `METHODS`.
        rare: The emotion that "rare x10" and "mild x10" multiply.
        seed: Of the copies, the weights and the order of the batches.
        options: Those of `training.fit`.

    Returns:
        A DataFrame by method: `images` per epoch and `seconds` of training; `accuracy`, `macro_f1` and
        `balanced_accuracy` (the mean recall), 0-1; `p` of McNemar's test against the first method; and the
        recall of each emotion, 0-1, in a column of its name.
    """
    seed = settings.choose_seed(seed)
    treated = {method: treat(method, faces, recipe, rare, seed) for method in methods}
    rows = {}
    first = None
    for method, (shown, changed) in treated.items():
        folder = Path(out) / (PLAIN if method == "none" else method.replace(" ", "-"))
        run = train(network, shown, changed, folder, seed=seed, **options)
        scores = evaluate(run, faces)
        first = first or scores
        spent = {"images": run.provenance["trained_on"]["faces"], "seconds": float(run.history.seconds.sum())}
        rows[method] = spent | {"p": compare(first, scores)[0]} | numbers(scores)
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("method")


def numbers(scores):
    """Return {name: share 0-1} of `Scores`: accuracy, macro-F1, mean recall, and each emotion's recall."""
    whole = {name: getattr(scores, name) for name in ("accuracy", "macro_f1", "balanced_accuracy")}
    return whole | scores.per_emotion.recall.to_dict()


def recorded(records=RECORDS):
    """Return (DataFrame, `Source`) of the methods from several seeds that the kit comes with, or None.

    The kit's `kit-quick` in `lab`, selected and scored on PublicTest: a row for each method and seed, its
    columns `method`, `seed`, `images` and those of `compare_methods` that are shares.
    """
    return recorded_in_lab(RECORD, records)
