"""What could explain murphy's gap of 19 points between validation (67.98 %) and test (48.66 %)?

Each candidate cause is produced on purpose and compared with the same honest run. PublicTest stands for the
test set: a fifth of the Training faces selects here, so PublicTest is free, and PrivateTest is not touched. A
cause that makes a large gap here may be the cause of murphy's; without their code nobody can know.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from keras import Input, Model, layers
from scipy.stats import norm

from fer_kit.data.balancing import multiply, originals
from fer_kit.models.layers import takes_floats
from fer_kit.runtime.settings import choose_seed
from fer_kit.studies.common import recorded_in_lab, train
from fer_kit.training.recipes import find_recipe
from fer_kit.training.records import RECORDS

REPORTED_GAP = 0.6798 - 0.4866
"""Validation less test accuracy of murphy-dropdisgust."""

PREPROCESSING = {
    "divided by 255 twice": lambda pixels: pixels / 255,
    "not divided by 255": lambda pixels: pixels * 255,
    "0..1 where -1..1 was learned": lambda pixels: (pixels + 255) / 2,
    "-1..1 where 0..1 was learned": lambda pixels: 2 * pixels - 255,
}
"""Mistakes between training and test, as what they do to pixels float (N, 48, 48, 1) in 0-255.

A network that learned from x / 255 and is tested on 2 x / 255 - 1 sees what the pixels 2 x - 255 give.
"""

FOLDER_ORDER = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
"""How a folder listing sorts the emotions."""

RECORD = "gap.csv"
"""The causes from several seeds, among the records."""


def memorises(emotions):
    """Return a fresh Keras model that learns its faces by heart, uint8 (B, 48, 48, 1) to probabilities.

    Two convolutions and a wide dense layer, without augmentation, dropout or averaging.
    """
    pixels = Input((48, 48, 1), dtype="uint8")
    x = layers.Rescaling(1 / 255)(pixels)
    for filters in (32, 64):
        x = layers.MaxPooling2D()(layers.Conv2D(filters, 3, 2, activation="relu", padding="same")(x))
    x = layers.Dense(256, activation="relu")(layers.Flatten()(x))
    return Model(pixels, layers.Dense(emotions, activation="softmax")(x), name="memorises")


def split_then_augment(faces, times=10, seed=0):
    """Return (training, held out): a fifth is held out first, then the rest is multiplied by copies.

    Each training face occurs `times` times: itself and copies made by `augment_disgust`. `faces` are
    Training faces; the split is `FaceSet.split` (murphy-split).
    """
    training, held_out = faces.split(seed=seed)
    return _multiply_all(training, times, seed), held_out


def augment_then_split(faces, times=10, seed=0):
    """Return (training, held out) the wrong way round: first the copies, then the split.

    Copies of one face lie on both sides.
    """
    return _multiply_all(faces, times, seed).split(seed=seed)


def _multiply_all(faces, times, seed):
    for number, name in enumerate(faces.names):
        if number in faces.labels:  # a split of few faces may leave a rare emotion on one side alone
            faces = multiply(faces, name, times, seed=seed + number)
    return faces


def seen_before(training, held_out):
    """Return bool (N,): which held-out faces are among the `training` faces, pixel by pixel or as a copy."""
    copies = np.isin(originals(held_out), originals(training))
    return copies | held_out.has_twin_in(training)


def study_gap(network, faces, recipe, out, times=10, seed=None, **options):
    """Produce the candidate causes of a gap between validation and test, and return their table.

    Trains three runs: an honest one (`split_then_augment`), the same once more to log its test accuracy after
    every epoch, and one on `augment_then_split`. The learning rate must not react to validation, so a plateau
    schedule becomes constant and nothing stops early.

    Args:
        network: A name of `models.MODELS`, or a function from the number of emotions to a fresh model.
        faces: A `FaceSet` with Training and PublicTest faces.
        recipe: A `Recipe` or its name.
        out: Folder of the study; a finished run in it is not trained again.
        times: How often each training face occurs, itself and its copies.
        seed: Of the split, the weights and the order of the batches.
        options: Those of `training.fit`.

    Returns:
        A DataFrame by cause: `validation` and `test` accuracy (0-1); `gap`, the first minus the second;
        `margin`, half of the gap's 95 % interval; `seen`, the fraction of validation faces that are in the
        training set as well, as a copy or a pixel-identical twin.
    """
    recipe = replace(find_recipe(recipe), early_stopping=None)
    if recipe.schedule == "plateau":
        recipe = replace(recipe, schedule="constant")
    seed = choose_seed(seed)
    right_way = split_then_augment(faces.training, times, seed)
    wrong_way = augment_then_split(faces.training, times, seed)
    test = faces.public_test

    def run_on(training, validation, name):
        shown = training.join(test)
        return train(network, shown, recipe, Path(out) / name, seed=seed, validation=validation, **options)

    honest = run_on(*right_way, "split-then-augment")
    watched = run_on(right_way[0], test, "split-then-augment-watched")
    leaking = run_on(*wrong_way, "augment-then-split")
    model = honest.model()
    tests = {
        "honest: split, then augment": _accuracy(model, test),
        "the last epoch is tested": float(watched.history.val_accuracy.iloc[-1]),
        **_test_mistakes(model, test),
    }
    rows = _rows(honest, right_way, tests, len(test))
    rows |= _rows(leaking, wrong_way, {"augment, then split": _accuracy(leaking.model(), test)}, len(test))
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("cause")


def _test_mistakes(model, test):
    """The test accuracy by mistake: wrong pixels and wrong labels, of a model that nothing is wrong with."""
    pixels = test.x.astype(np.float32)
    network = takes_floats(model)
    found = {}
    for name, change in PREPROCESSING.items():
        found[f"test pixels {name}"] = _accuracy(network, test, change(pixels))
    return found | {"test labels in a folder's order": _accuracy(model, in_folder_order(test))}


def _accuracy(model, faces, pixels=None):
    probabilities = model.predict(faces.x if pixels is None else pixels, batch_size=256, verbose=0)
    return float((probabilities.argmax(1) == faces.labels).mean())


def _rows(run, split, tests, faces):
    """The rows of the table for what was tested, on so many faces, beside the validation of one run."""
    training, held_out = split
    validation = run.best_accuracy
    seen = seen_before(training, held_out).mean()
    independent = independent_faces(held_out)
    rows = {}
    for cause, tested in tests.items():
        variance = validation * (1 - validation) / independent + tested * (1 - tested) / faces
        margin = float(norm.ppf(0.975) * np.sqrt(variance))
        accuracies = {"validation": validation, "test": tested, "gap": validation - tested}
        rows[cause] = accuracies | {"margin": margin, "seen": seen}
    return rows


def independent_faces(faces):
    """Return for how many independent faces some with copies count (the effective size, Kish 1965).

    Copies of one face are right or wrong together, and a face of many copies weighs more.
    """
    _, copies = np.unique(originals(faces), return_counts=True)
    return copies.sum() ** 2 / (copies**2).sum()


def in_folder_order(faces):
    """Return the faces with labels that count the emotions as a folder listing sorts them.

    The names stay in the kit's order: whoever reads these labels with them mistakes sad for surprise.
    """
    listed = [name for name in FOLDER_ORDER if name in faces.names]
    return replace(faces, labels=np.array([listed.index(name) for name in faces.names])[faces.labels])


def recorded(records=RECORDS):
    """Return (DataFrame, `Source`) of the causes from several seeds that the kit comes with, or None.

    `memorises` after 40 epochs on 1,500 Training faces without disgust, tested on PublicTest: a row for each
    cause and seed, its columns `cause`, `seed` and those of `study_gap`.
    """
    return recorded_in_lab(RECORD, records)
