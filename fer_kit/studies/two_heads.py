"""One trunk, two heads: a network for two tasks, trained on faces that have a label for one task each."""

from dataclasses import replace

import keras
import numpy as np
from keras import layers, ops

from fer_kit.models import zoo
from fer_kit.models.catalogue import find_architecture
from fer_kit.runtime import devices
from fer_kit.runtime.seeds import seeded
from fer_kit.runtime.settings import choose_seed
from fer_kit.training import loop
from fer_kit.training.recipes import find_recipe


def join_tasks(first, second):
    """Return one FaceSet of the faces of both, each with its own label; the other one is missing.

    `names` are those of `first`, then those of `second`, so that a label also tells whose question it
    answers. Raises ValueError when they share a name.
    """
    shared = set(first.names) & set(second.names)
    if shared:
        raise ValueError(f"both tasks have a label {sorted(shared)[0]!r}; give one of them another name")
    names = first.names + second.names
    moved = replace(second, labels=second.labels + len(first.names), names=names)
    joined = replace(first, names=names).join(moved)
    return replace(joined, source=f"{first.source} + {second.source}")


class TwoHeads(keras.Model):
    """A functional model of `two_heads`, whose accuracy asks each face its own question alone.

    `sizes` are the numbers of outputs of the heads. Saved, it is an ordinary Keras model.
    """

    sizes = ()

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """Compare labels with probabilities among the outputs of the face's own question."""
        return super().compute_metrics(x, y, y_pred * own_head(y, self.sizes), sample_weight)


def own_head(targets, sizes):
    """Return 1 for the outputs of the head that a target belongs to and 0 for the others, as (B, K).

    `targets` (B, K) one-hot over the outputs of all heads, `sizes` how many outputs each head has.
    """
    ends = np.cumsum(sizes)
    parts = [targets[:, end - size : end] for end, size in zip(ends, sizes, strict=True)]
    return ops.concatenate([ops.ones_like(p) * ops.max(p, axis=1, keepdims=True) for p in parts], axis=1)


def two_heads(name, sizes, precision="auto", **variant):
    """Return the network `name` of `MODELS` with one softmax per entry of `sizes` on its one trunk.

    It takes uint8 (B, 48, 48, 1) and returns float32 (B, sum(sizes)): the heads' probabilities side by
    side, each divided by the number of heads, so that a row adds up to 1. Then the cross-entropy of a face
    whose label belongs to one head is that head's own, plus a constant: the other head, whose label is
    missing, gets no gradient. `precision`: see `devices.choose_precision`; `variant`: see `models.build`.
    """
    policy, _ = devices.choose_precision(precision, find_architecture(name).separable)
    with devices.precision_policy(policy):
        built = zoo.build(name, **variant)
    embedding = built.get_layer("probabilities").input
    heads = [
        layers.Dense(size, activation="softmax", dtype="float32", name=f"head_{i}")(embedding)
        for i, size in enumerate(sizes)
    ]
    both = layers.Concatenate(dtype="float32")(heads)
    both = layers.Rescaling(1 / len(sizes), dtype="float32", name="probabilities")(both)
    model = TwoHeads(built.input, both, name=f"{name}-{len(sizes)}-heads")
    model.sizes = tuple(sizes)
    return model


def fit_together(name, first, second, recipe, out, precision="auto", **options):
    """Train one network of two heads on the faces of both tasks by `training.fit`; return its `Run`.

    `evaluate(run, faces)` then scores either task: outputs that the faces have no names for are masked.
    Label smoothing and mixup are switched off, because both would give a missing label a value; a class
    weight would not, but counts the labels of both tasks. `options` go to `fit`.
    """
    recipe = replace(find_recipe(recipe), label_smoothing=0.0, mixup=0.0)
    faces = join_tasks(first, second)
    with seeded(choose_seed(options.get("seed"))):
        model = two_heads(name, (len(first.names), len(second.names)), precision)
    run = loop.fit(model, faces, recipe, out, **options)
    if run.finished:
        _score_each(run, first.names, second.names)
    return run


def _score_each(run, *tasks):
    """Put each task's accuracy in the place of the one over all outputs, which compares unlike things."""
    labels = run.predictions["labels"]
    probabilities = run.predictions["probabilities"]
    scores = {}
    start = 0
    for names in tasks:
        end = start + len(names)
        rows = (labels >= start) & (labels < end)
        right = probabilities[rows, start:end].argmax(1) + start == labels[rows]
        scores[" / ".join(names)] = {"faces": int(rows.sum()), "accuracy": float(right.mean())}
        start = end
    run.add_scores(run.provenance["selected_on"], scores)
