"""What a model costs: parameters, multiply-accumulates, and the table of all of `MODELS`."""

import math

import keras
import pandas as pd
from keras import layers

from fer_kit.models.zoo import MODELS, build


def multiply_accumulates(model):
    """Return how many multiplications (each with an addition) the layers of `model` need for one face.

    Counts convolutions and dense layers, also those of nested models; the rest is small beside them.
    """
    return sum(_of_layer(layer) for layer in model.layers)


def listing():
    """Return a DataFrame of all models: name, parameters, multiply_accumulates, source, description."""
    rows = []
    for name, architecture in MODELS.items():
        model = build(name, augment=None)
        rows.append((name, model.count_params(), multiply_accumulates(model), *architecture[2:]))
    columns = ["name", "parameters", "multiply_accumulates", "source", "description"]
    return pd.DataFrame(rows, columns=columns)


def _of_layer(layer):
    if isinstance(layer, keras.Model):
        return multiply_accumulates(layer)
    # A kernel is used once at each place of the output: H * W places, and one for a dense layer.
    places = math.prod(layer.output.shape[1:-1]) if hasattr(layer, "output") else 0
    kinds = (layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D, layers.Dense)
    if not isinstance(layer, kinds):
        return 0
    return sum(places * math.prod(w.shape) for w in layer.weights if w.name.endswith("kernel"))
