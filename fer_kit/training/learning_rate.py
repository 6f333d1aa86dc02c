"""The learning-rate finder: train for some steps at rising rates and watch the loss (Smith 2017)."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd

from fer_kit.data.augment import class_weights
from fer_kit.models import zoo
from fer_kit.runtime.seeds import seeded
from fer_kit.runtime.settings import choose_seed
from fer_kit.training.batches import Batches
from fer_kit.training.loop import make_ready
from fer_kit.training.recipes import find_recipe

MEMORY = 0.9
"""The weight of the old mean in the smoothed loss: an average over about ten batches."""

DIVERGED = 4
"""The finder stops when the smoothed loss is this many times its lowest value (Gugger 2018)."""

MOST = 0.8
"""`suggest` takes the learning rate at which this share of the decrease of the loss is reached."""


def find_learning_rate(model, faces, recipe, lowest=1e-6, highest=10.0, steps=100, seed=None):
    """Train on the Training faces while the learning rate rises exponentially; return the loss of each step.

    The finder stops early when the loss diverges or becomes NaN.

    Args:
        model: A name of `models.MODELS`, built here, or a Keras model. At the end it has its old weights
            again, but is compiled anew.
        faces: A FaceSet with Training faces.
        recipe: A name of `RECIPES` or a `Recipe`: its optimiser, loss and batch size are used, not its
            schedule.
        lowest: The learning rate of the first batch.
        highest: The learning rate of the last batch.
        steps: The number of batches, at least 2.
        seed: An int, for the order of the faces and all else that is random.

    Returns:
        A DataFrame with one row per step: learning_rate, loss (of the batch, in nats) and smoothed (its
        running mean, bias-corrected as in Adam).

    Raises:
        ValueError: When the rates do not rise, or for fewer than two steps.
    """
    if not 0 < lowest < highest or steps < 2:
        raise ValueError(f"from {lowest} to {highest} in {steps} steps nothing rises; 0 < lowest < highest")
    recipe = replace(find_recipe(recipe), schedule="constant", ema=None)
    seed = choose_seed(seed)
    with seeded(seed):
        if isinstance(model, str):
            model = zoo.build(model, len(faces.names))
        before = model.get_weights()
        try:
            batches = _prepare(model, faces.training, recipe, seed)
            rows = _rising(model, batches, np.geomspace(lowest, highest, steps))
        finally:
            zoo.put_back(model, before)
    return pd.DataFrame(rows, columns=["learning_rate", "loss", "smoothed"])


def _rising(model, batches, rates):
    """Train one step at each of the rates; return (rate, loss, smoothed loss) until the loss runs away."""
    rows = []
    mean = 0.0
    best = math.inf
    for step, rate in enumerate(rates):
        loss = _train_on(model, batches, step, rate)
        mean = MEMORY * mean + (1 - MEMORY) * loss
        smoothed = mean / (1 - MEMORY ** (step + 1))
        if not math.isfinite(smoothed) or smoothed > DIVERGED * best:
            break
        best = min(best, smoothed)
        rows.append((rate, loss, smoothed))
    return rows


def suggest(curve):
    """Return the learning rate to start with: where the smoothed loss has made most of its decrease (`MOST`).

    Smith reads it off by eye; this rule is the kit's. The usual one, a tenth of the rate of the lowest loss
    (Gugger 2018), is ten to a hundred times too high when the loss does not rise again: with Adam and batch
    normalisation, a network broken by a high rate predicts the frequencies of the emotions, and the curve
    stays flat. `curve` is what `find_learning_rate` returned. Raises ValueError when the loss never
    decreased.
    """
    if len(curve) < 2 or curve.smoothed.idxmin() == curve.index[0]:
        raise ValueError("the loss rose from the first step on; begin with a smaller `lowest` rate")
    before = curve.smoothed[: curve.smoothed.idxmin() + 1]
    enough = before.max() - MOST * (before.max() - before.min())
    falling = before[before.idxmax() :]
    return float(curve.learning_rate[falling.index[falling <= enough][0]])


def _prepare(model, learned, recipe, seed):
    make_ready(model, recipe, learned, steps=1)
    weights = class_weights(learned) if recipe.class_weight else None
    return Batches(learned, recipe.batch_size, seed, recipe.mixup, weights)


def _train_on(model, batches, step, rate):
    """Train on the batch of a step at a learning rate and return its loss."""
    epoch, number = divmod(step, len(batches))
    if epoch != batches.epoch:
        batches.start_epoch(epoch)
    model.optimizer.learning_rate.assign(rate)
    model.reset_metrics()  # Keras would return the mean over all steps so far
    return float(model.train_on_batch(*batches[number], return_dict=True)["loss"])
