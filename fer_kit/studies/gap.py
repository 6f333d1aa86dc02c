"""The 19-point riddle: what can part validation and test as far as murphy's 67.98 and 48.66 % do?

Each candidate cause is produced on purpose and measured against the same honest run. PublicTest stands for
the test set: here a fifth of the Training faces selects, so that PublicTest is free to play that part, and
PrivateTest is not touched. A cause that makes a large gap here can have made murphy's; that it did, nobody
can tell without their code.
"""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from scipy.stats import norm

from fer_kit.data.balancing import multiply, originals
from fer_kit.studies.common import train
from fer_kit.training.recipes import find_recipe

REPORTED_GAP = 0.6798 - 0.4866
"""Validation less test accuracy of murphy-dropdisgust."""

PREPROCESSING = {
    "divided by 255 twice": lambda pixels: pixels / 255,
    "not divided by 255": lambda pixels: pixels * 255,
    "0..1 where -1..1 was learnt": lambda pixels: (pixels + 255) / 2,
    "-1..1 where 0..1 was learnt": lambda pixels: 2 * pixels - 255,
}
"""Mistakes between training and test, as what they do to pixels float (N, 48, 48, 1) in 0-255.

A network that has learnt from x / 255 and is tested on 2 x / 255 - 1 sees what the pixels 2 x - 255 give.
"""

FOLDER_ORDER = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
"""How a folder listing sorts the emotions."""


def split_then_augment(faces, times=10, seed=0):
    """Return (learnt, held out): a fifth is held out first, then the rest is multiplied by copies.

    Each face that is learnt from stands there `times` times, itself and copies through `augment_disgust`.
    `faces` are Training faces; the split is `FaceSet.split` (murphy-split).
    """
    learnt, held_out = faces.split(seed=seed)
    return _multiply_all(learnt, times, seed), held_out


def augment_then_split(faces, times=10, seed=0):
    """Return (learnt, held out) the wrong way round: first the copies, then the split.

    Copies of one face lie on both sides.
    """
    return _multiply_all(faces, times, seed).split(seed=seed)


def _multiply_all(faces, times, seed):
    for number, name in enumerate(faces.names):
        faces = multiply(faces, name, times, seed=seed + number)
    return faces


def seen_before(learnt, held_out):
    """Return bool (N,): which held-out faces are, pixel by pixel or as a copy, among the `learnt` ones."""
    copies = np.isin(originals(held_out), originals(learnt))
    return copies | held_out.has_twin_in(learnt)


def study_gap(network, faces, recipe, out, times=10, seed=0, **options):
    """Produce the candidate causes and return their table.

    Trains three runs: one honest (`split_then_augment`), the same once more to log its test accuracy after
    every epoch, and one on `augment_then_split`. The table is a DataFrame by cause: validation and test
    accuracy (0-1), `gap` between them, `margin` (half of the gap's 95 % interval, from the number of faces),
    and `seen`, the share of validation faces that were learnt from, as a copy or a pixel-identical twin. The
    learning rate may not react to validation, so a plateau schedule becomes constant and nothing stops
    early. `network`, `out` and `options`: see `studies`.
    """
    recipe = replace(find_recipe(recipe), early_stopping=None)
    if recipe.schedule == "plateau":
        recipe = replace(recipe, schedule="constant")
    right_way = split_then_augment(faces.training, times, seed)
    wrong_way = augment_then_split(faces.training, times, seed)
    test = faces.public_test

    def run_on(learnt, validation, folder):
        folder, options["validation"] = Path(out) / folder, validation
        return train(network, learnt.join(test), recipe, folder, seed=seed, **options)

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
    pixels, network, found = test.x.astype(np.float32), takes_floats(model), {}
    for name, change in PREPROCESSING.items():
        found[f"test pixels {name}"] = _accuracy(network, test, change(pixels))
    return found | {"test labels in a folder's order": _accuracy(model, in_folder_order(test))}


def _accuracy(model, faces, pixels=None):
    probabilities = model.predict(faces.x if pixels is None else pixels, batch_size=256, verbose=0)
    return float((probabilities.argmax(1) == faces.labels).mean())


def _rows(run, split, tests, faces):
    """The rows of the table for what was tested, on so many faces, beside the validation of one run."""
    validation, (learnt, held_out), rows = run.best_accuracy, split, {}
    seen = seen_before(learnt, held_out).mean()
    for cause, tested in tests.items():
        variance = validation * (1 - validation) / len(held_out) + tested * (1 - tested) / faces
        margin = float(norm.ppf(0.975) * np.sqrt(variance))
        accuracies = {"validation": validation, "test": tested, "gap": validation - tested}
        rows[cause] = accuracies | {"margin": margin, "seen": seen}
    return rows


def in_folder_order(faces):
    """Return the faces with labels that count the emotions as a folder listing sorts them.

    The names stay in the kit's order: whoever reads these labels with them mistakes sad for surprise.
    """
    listed = [name for name in FOLDER_ORDER if name in faces.names]
    return replace(faces, labels=np.array([listed.index(name) for name in faces.names])[faces.labels])


def takes_floats(model):
    """Return the same layers behind an input of float32 (B, 48, 48, 1), which rounds no pixel to 0-255."""
    pixels = keras.Input(model.input_shape[1:], dtype="float32")
    return keras.models.clone_model(model, input_tensors=pixels, clone_function=lambda layer: layer)
