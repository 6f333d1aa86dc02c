"""The learning-rate finder: train a few steps at ever higher rates and watch the loss (Smith 2017)."""

import math
from dataclasses import replace

import keras
import numpy as np
import pandas as pd

from fer_kit.data.augment import class_weights
from fer_kit.models import zoo
from fer_kit.training.batches import Batches
from fer_kit.training.losses import make_loss
from fer_kit.training.recipes import find_recipe, make_optimiser

MEMORY = 0.9
"""How much of the smoothed loss is kept from step to step: a mean over about ten batches."""

DIVERGED = 4
"""The finder stops when the smoothed loss is so many times its lowest value (Gugger 2018)."""


MOST = 0.8
"""The share of the whole fall of the loss at which `suggest` takes the learning rate."""


def find_learning_rate(model, faces, recipe, lowest=1e-6, highest=10.0, steps=100, seed=0):
    """Train on the Training faces while the learning rate rises exponentially; return the loss of each step.

    `model`: a Keras model, or a name of `models.MODELS`, built here; at the end it has the weights that it
    had before, but is compiled anew. Optimiser and batch size are those of `recipe`, a name or a `Recipe`;
    its schedule is left out. `lowest` and `highest`: the rates of the first and the last of `steps` batches;
    the finder stops earlier where the loss runs away or is no number any more.

    Returns a DataFrame with the columns learning_rate, loss (of the batch, cross-entropy in nats) and
    smoothed (its running mean, bias-corrected as in Adam). Raises ValueError when the rates do not rise, or
    for fewer than two steps.
    """
    if not 0 < lowest < highest or steps < 2:
        raise ValueError(f"from {lowest} to {highest} in {steps} steps nothing rises; 0 < lowest < highest")
    recipe = replace(find_recipe(recipe), schedule="constant", ema=None)
    model, batches = _prepare(model, faces.training, recipe, seed)
    before = model.get_weights()
    rows, mean, best = [], 0.0, math.inf
    for step, rate in enumerate(np.geomspace(lowest, highest, steps)):
        loss = _train_on(model, batches, step, rate)
        mean = MEMORY * mean + (1 - MEMORY) * loss
        smoothed = mean / (1 - MEMORY ** (step + 1))
        if not math.isfinite(smoothed) or smoothed > DIVERGED * best:
            break
        best = min(best, smoothed)
        rows.append((rate, loss, smoothed))
    model.set_weights(before)
    return pd.DataFrame(rows, columns=["learning_rate", "loss", "smoothed"])


def suggest(curve):
    """Return the learning rate to begin with: where the smoothed loss has made most of its fall, `MOST`.

    Smith reads it off by eye; this rule is the kit's. The usual one, a tenth of the rate of the lowest loss
    (Gugger 2018), is ten to a hundred times too high where the loss does not shoot up: with Adam and batch
    normalisation a network that a high rate has broken answers the frequencies of the emotions, and the
    curve stays flat. `curve` is what `find_learning_rate` returned. Raises ValueError when the loss never
    fell.
    """
    if len(curve) < 2 or curve.smoothed.idxmin() == curve.index[0]:
        raise ValueError("the loss rose from the first step on; begin with a smaller `lowest` rate")
    before = curve.smoothed[: curve.smoothed.idxmin() + 1]
    enough = before.max() - MOST * (before.max() - before.min())
    falling = before[before.idxmax() :]
    return float(curve.learning_rate[falling.index[falling <= enough][0]])


def _prepare(model, learnt, recipe, seed):
    keras.utils.set_random_seed(seed)
    if isinstance(model, str):
        model = zoo.build(model, len(learnt.names))
    if any(layer.name == "standardise" for layer in model.layers):
        zoo.adapt_standardisation(model, learnt.images)
    model.compile(
        make_optimiser(recipe, steps=1),
        make_loss(recipe, learnt),
        jit_compile=False if keras.backend.backend() == "tensorflow" else "auto",  # as in `training`
    )
    weights = class_weights(learnt) if recipe.class_weight else None
    return model, Batches(learnt, recipe.batch_size, seed, recipe.mixup, weights)


def _train_on(model, batches, step, rate):
    """Train on the batch of a step at a learning rate and return its loss."""
    epoch, number = divmod(step, len(batches))
    if epoch != batches.epoch:
        batches.start_epoch(epoch)
    model.optimizer.learning_rate.assign(rate)
    model.reset_metrics()  # Keras would return the mean over all steps so far
    return float(model.train_on_batch(*batches[number], return_dict=True)["loss"])
