"""The models of the reports and three of the kit's own, each from uint8 faces to probabilities.

`build` puts the same three parts around every network: augmentation (at work in training alone),
standardisation, and a softmax. So one saved file holds the whole way from pixels to emotions. The
network itself is a function of `networks`.
"""

import difflib
from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
from keras import layers

from fer_kit.data.augment import augmentation_layers
from fer_kit.data.faceset import SIZE
from fer_kit.models import networks as nets

TRAINING_PIXELS = 129.4733, 4230.824
"""Mean and variance of the grey levels, 0-255, of FER-2013's 28,709 Training faces."""


class Architecture(NamedTuple):
    """A network, the augmentation it is trained with, where it comes from and what it is."""

    network: Callable
    augmentation: str
    source: str
    description: str


MODELS = {
    "zhao-cnn": Architecture(
        nets.zhao_cnn, "light", "zhao-cnn", "three convolutions, then almost all parameters in dense layers"
    ),
    "zhao-vgg": Architecture(
        nets.zhao_vgg, "light", "zhao-vgg", "eight convolutions in three blocks, the same dense layers"
    ),
    "zhao-resnet": Architecture(
        nets.zhao_resnet, "light", "zhao-resnet", "ResNet-18: shortcuts, average pooling, no dense layers"
    ),
    "zhao-sepconv": Architecture(
        nets.zhao_sepconv,
        "light",
        "zhao-sepconv",
        "depthwise separable convolutions for real time; layers ours",
    ),
    "choudhari-cnn": Architecture(
        nets.choudhari_cnn, "murphy", "choudhari-cnn", "the textbook CNN with dropout; widths ours"
    ),
    "hejslet-large": Architecture(
        nets.hejslet_large, "hejslet", "hejslet-large", "five convolutions, 5.28 million parameters: overfits"
    ),
    "hejslet-light": Architecture(
        nets.hejslet_light,
        "hejslet",
        "hejslet-light",
        "the same idea with 1.5 million parameters; widths ours",
    ),
    "kit-small": Architecture(
        nets.kit_small, "light", "kit", "separable and residual, under 60,000 parameters, for real time"
    ),
    "kit-compact": Architecture(
        nets.kit_compact,
        "strong",
        "kit",
        "seven convolutions, 2.7 million parameters: strong, and small enough to ship",
    ),
    "kit-best": Architecture(
        nets.kit_best, "strong", "kit", "eight wide convolutions and average pooling: the kit's most accurate"
    ),
}

SEPARABLE = {"zhao-sepconv", "kit-small"}
"""Networks of separable convolutions, which do little arithmetic for each number that they move."""


def build(name, classes=7, augment=True, gaussian_init=False, dropout=None):
    """Return the network `name` of `MODELS` as a Keras model, not yet compiled.

    It takes uint8 (B, 48, 48, 1), 0-255, and returns float32 (B, `classes`), each row adding up to 1,
    also under mixed precision. Its layers include "standardise" (see `adapt_standardisation`), "last_conv",
    "embedding" and "probabilities".

    `augment`: True for the augmentation named in `MODELS`, a strength of `augmentation_layers`, or
    None for none. `gaussian_init`: draw the convolutions' weights from N(0, 0.04) (zhao-init).
    `dropout`: one rate for all Dropout layers in place of their own. Raises ValueError for an unknown
    name or augmentation, for fewer than two classes, and for a dropout rate that has nowhere to go.
    """
    architecture = _look_up(name)
    if classes < 2:
        raise ValueError(f"a softmax needs at least two classes, not {classes}")
    x = faces = keras.Input((SIZE, SIZE, 1), dtype="uint8", name="faces")
    strength = architecture.augmentation if augment is True else augment
    for layer in augmentation_layers(strength) if strength else ():
        # Keras takes them for not compilable, as in TensorFlow's XLA; JAX would then compile nothing at all.
        layer.supports_jit |= keras.backend.backend() == "jax"
        x = layer(x)
    x = architecture.network(_standardise(x))
    x = layers.Dense(classes, activation="softmax", dtype="float32", name="probabilities")(x)
    model = keras.Model(faces, x, name=name)
    if gaussian_init:
        draw_gaussian_weights(model)
    if dropout is not None:
        _set_dropout(model, dropout)
    return model


def adapt_standardisation(model, images):
    """Give the model the mean and variance of `images`, uint8 (N, 48, 48) or (N, 48, 48, 1).

    To be done before training, with the Training faces alone (hejslet-standardise). Until then a model
    standardises with `TRAINING_PIXELS`.
    """
    counts, _ = np.histogram(images, bins=256, range=(0, 256))
    grey = np.arange(256)
    mean = np.average(grey, weights=counts)
    _set_pixels(model.get_layer("standardise"), mean, np.average((grey - mean) ** 2, weights=counts))
    for step in ("train", "test", "predict"):
        # A step compiled before would go on with the old numbers, which it holds as constants.
        setattr(model, f"{step}_function", None)


def draw_gaussian_weights(model, deviation=0.04):
    """Draw all convolution kernels anew from a normal distribution of mean 0 (zhao-init)."""
    seeds = keras.random.SeedGenerator()
    for layer in model.layers:
        for weight in layer.weights:
            if weight.name.endswith("kernel") and not isinstance(layer, layers.Dense):
                weight.assign(keras.random.normal(weight.shape, 0.0, deviation, seed=seeds))


def _look_up(name):
    if name not in MODELS:
        near = difflib.get_close_matches(str(name), MODELS, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}? There are" if near else "there are"
        raise ValueError(f"no model {name!r}; {hint} {', '.join(MODELS)}")
    return MODELS[name]


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
    if not found or not 0 <= rate < 1:
        raise ValueError(f"{model.name} has {len(found)} dropout layers; dropout={rate} has to be in [0, 1)")
    for layer in found:
        layer.rate = rate
