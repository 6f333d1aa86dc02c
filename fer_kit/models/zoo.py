"""The networks of the reports and three of the kit's own: built from a name, and what each of them costs.

`build` puts the same three parts around every network: augmentation (active only in training),
standardisation, and a softmax. One saved file therefore holds everything from pixels to emotions. The
network itself is a function of `networks`.
"""

import math
import operator
import statistics
import time

import keras
import numpy as np
import pandas as pd
from keras import layers

from fer_kit.data.augment import augmentation_layers
from fer_kit.data.faceset import SIZE
from fer_kit.models import networks
from fer_kit.models.catalogue import MODELS, find_architecture
from fer_kit.runtime.devices import require_channels_last

TRAINING_PIXELS = 129.4733, 4230.824
"""Mean and variance of the grey levels, 0-255, of FER-2013's 28,709 Training faces."""


def build(name, classes=7, augment=True, gaussian_init=False, dropout=None):
    """Return the network `name` of `MODELS` as a Keras model, not yet compiled.

    It takes uint8 (B, 48, 48, 1), 0-255, and returns float32 (B, `classes`), each row adding up to 1,
    also under mixed precision. Its layers include "standardise" (see `adapt_standardisation`), "last_conv",
    "embedding" and "probabilities".

    Args:
        name: A name of `MODELS`, such as "kit-small".
        classes: How many emotions it tells apart, at least 2.
        augment: True for the augmentation named in `MODELS`, a strength of `augmentation_layers`, or None
            for none.
        gaussian_init: Draw the convolutions' weights from N(0, 0.04) (zhao-init).
        dropout: One rate, 0 to below 1, for all Dropout layers in place of their own.

    Returns:
        A `keras.Model`.

    Raises:
        ValueError: For an unknown name or augmentation, fewer than two classes, a dropout rate for a network
            without Dropout layers, or when Keras is set to channels_first.
    """
    require_channels_last()
    architecture = find_architecture(name)
    classes = operator.index(classes)
    if classes < 2:
        raise ValueError(f"a softmax needs at least two classes, not {classes}")
    x = faces = keras.Input((SIZE, SIZE, 1), dtype="uint8", name="faces")
    strength = architecture.augmentation if augment is True else augment
    for layer in augmentation_layers(strength) if strength else ():
        # Keras marks them as not compilable, as in TensorFlow's XLA; JAX would then compile nothing at all.
        layer.supports_jit |= keras.backend.backend() == "jax"
        x = layer(x)
    x = getattr(networks, name.replace("-", "_"))(_standardise(x))
    x = layers.Dense(classes, activation="softmax", dtype="float32", name="probabilities")(x)
    model = keras.Model(faces, x, name=name)
    if gaussian_init:
        draw_gaussian_weights(model)
    if dropout is not None:
        _set_dropout(model, dropout)
    return model


def adapt_standardisation(model, images):
    """Set the model's standardisation to the mean and variance of `images` (hejslet-standardise).

    Call it before training, with the Training faces only. Until then a model standardises with
    `TRAINING_PIXELS`. `images` is uint8 (N, 48, 48) or (N, 48, 48, 1).
    """
    counts, _ = np.histogram(images, bins=256, range=(0, 256))
    grey = np.arange(256)
    mean = np.average(grey, weights=counts)
    _set_pixels(model.get_layer("standardise"), mean, np.average((grey - mean) ** 2, weights=counts))
    _forget_compiled(model)


def put_back(model, weights):
    """Set all weights of a model, as `get_weights` returned them, and standardise by them again."""
    model.set_weights(weights)
    for layer in model.layers:
        if isinstance(layer, layers.Normalization):
            layer.finalize_state()
    _forget_compiled(model)


def _forget_compiled(model):
    """Have a model compile its steps again: one compiled before holds a standardisation's old numbers."""
    for step in ("train", "test", "predict"):
        setattr(model, f"{step}_function", None)


def draw_gaussian_weights(model, deviation=0.04):
    """Redraw all convolution kernels from a normal distribution of mean 0 and this deviation (zhao-init)."""
    seeds = keras.random.SeedGenerator()
    for layer in model.layers:
        for weight in layer.weights:
            if weight.name.endswith("kernel") and not isinstance(layer, layers.Dense):
                weight.assign(keras.random.normal(weight.shape, 0.0, deviation, seed=seeds))


def multiply_accumulates(model):
    """Return the multiply-accumulate operations that `model` needs for one face, an int.

    Convolutions and dense layers are counted, also those of nested models; the rest is small beside them.
    """
    return sum(_of_layer(layer) for layer in model.layers)


def listing():
    """Return a DataFrame of all models: name, parameters, multiply_accumulates, source, description."""
    rows = []
    for name, architecture in MODELS.items():
        model = build(name, augment=None)
        rows.append(
            (
                name,
                model.count_params(),
                multiply_accumulates(model),
                architecture.source,
                architecture.description,
            )
        )
    columns = ["name", "parameters", "multiply_accumulates", "source", "description"]
    return pd.DataFrame(rows, columns=columns)


def milliseconds(call, inputs):
    """Return how long `call(x)` takes, as the median over the list `inputs`, in milliseconds (float).

    `call` may be a network, a detector or any function of one argument. It is called once more beforehand,
    since a first call compiles and allocates.
    """
    call(inputs[0])
    seconds = []
    for x in inputs:
        start = time.perf_counter()
        call(x)
        seconds.append(time.perf_counter() - start)
    return 1000 * statistics.median(seconds)


def _standardise(x):
    # float32 also under mixed precision: in bfloat16 the mean of the pixels would be off by half a level.
    layer = layers.Normalization(axis=None, dtype="float32", name="standardise")
    layer.build(x.shape)
    _set_pixels(layer, *TRAINING_PIXELS)
    return layer(x)


def _set_pixels(layer, mean, variance):
    layer.adapt_mean.assign(mean)
    layer.adapt_variance.assign(variance)
    layer.finalize_state()


def _set_dropout(model, rate):
    found = [layer for layer in model.layers if isinstance(layer, layers.Dropout)]
    if not found:
        raise ValueError(f"{model.name} has no Dropout layers; leave dropout={rate} out")
    if not 0 <= rate < 1:
        raise ValueError(f"dropout is {rate}; it has to lie between 0 and 1")
    for layer in found:
        layer.rate = rate


def _of_layer(layer):
    if isinstance(layer, keras.Model):
        return multiply_accumulates(layer)
    # A kernel is used once at each place of the output: H * W places, and one for a dense layer.
    places = math.prod(layer.output.shape[1:-1]) if hasattr(layer, "output") else 0
    kinds = (layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D, layers.Dense)
    if not isinstance(layer, kinds):
        return 0
    return sum(places * math.prod(w.shape) for w in layer.weights if w.name.endswith("kernel"))
