"""The networks of the reports and two of the kit's own, each from uint8 faces to probabilities.

`build` puts the same three parts around every network: augmentation (at work in training alone),
standardisation, and a softmax. So one saved file holds the whole way from pixels to emotions. The
network itself is a function from standardised faces to their embedding, and reads like its report.

Where a report is silent we chose: convolutions pad to keep the size, batch normalisation comes before
ReLU, and the convolution in front of it has no bias.
"""

import difflib
from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
from keras import layers

from fer_kit.augment import augmentation_layers
from fer_kit.bricks import activate, average, conv, dense, pool, project, residual, separable
from fer_kit.faceset import SIZE

TRAINING_PIXELS = 129.4733, 4230.824
"""Mean and variance of the grey levels, 0-255, of FER-2013's 28,709 Training faces."""


# Networks: each takes standardised faces (B, 48, 48, 1) and returns the input of the softmax layer. All
# name their last feature maps "last_conv" and their embedding "embedding".


def zhao_cnn(x):
    """Three convolutions; nine parameters in ten lie between the flattened maps and 4096 units."""
    for filters, name in ((64, None), (128, None), (256, "last_conv")):
        x = pool(conv(x, filters, name=name))
    x = layers.Dropout(0.2)(layers.Flatten()(x))
    x = layers.Dense(4096, activation="relu")(x)
    return dense(layers.Dropout(0.5)(x), 1024, 256)


def zhao_vgg(x):
    """Blocks of small convolutions instead of single ones, as VGG; two layers of 4096 units."""
    for filters, convs in ((32, 2), (64, 3), (128, 3)):
        for _ in range(convs - 1):
            x = conv(x, filters)
        x = pool(conv(x, filters, name="last_conv" if filters == 128 else None))
    x = layers.Dropout(0.5)(layers.Flatten()(x))
    return dense(x, 4096, 4096, 1024, 256)


def zhao_resnet(x):
    """ResNet-18. The report is silent on the first stride: 2, as in He et al. 2016."""
    x = conv(x, 64, size=7, strides=2)
    x = layers.MaxPooling2D(3, 2, padding="same")(x)
    for filters in (64, 128, 256, 512):
        x = residual(x, filters, strides=1 if filters == 64 else 2)
        x = residual(x, filters, name="last_conv" if filters == 512 else None)
    return average(x)


def zhao_sepconv(x):
    """The report names no layers: we follow the mini-Xception family (Arriaga et al. 2017)."""
    x = conv(conv(x, 8), 8)
    for filters in (16, 32, 64, 128):
        shortcut = project(x, filters, strides=2)
        x = separable(separable(x, filters), filters, activation=None)
        x = layers.MaxPooling2D(3, 2, padding="same")(x)
        x = layers.Add(name="last_conv" if filters == 128 else None)([x, shortcut])
    return average(x)


def choudhari_cnn(x):
    """The report names the kinds of layers; their number and widths are ours."""
    for filters, name in ((32, None), (64, None), (128, "last_conv")):
        x = layers.Dropout(0.25)(pool(conv(x, filters, name=name)))
    return layers.Dropout(0.5)(dense(layers.Flatten()(x), 128))


def hejslet_large(x):
    """Phase 1: enough parameters to learn the Training faces by heart."""
    return _hejslet(x, blocks=((64, 64), (128, 128), (256,)), rate=0.25, width=512)


def hejslet_light(x):
    """Phase 2. The report gives 1.5 million parameters and no widths; these are ours and have as many."""
    return _hejslet(x, blocks=((32, 32), (64, 64), (128, 128)), rate=0.4, width=256)


def _hejslet(x, blocks, rate, width):
    for block in blocks:
        for filters in block[:-1]:
            x = conv(x, filters)
        x = conv(x, block[-1], name="last_conv" if block is blocks[-1] else None)
        x = layers.Dropout(rate)(pool(x))
    x = layers.Dense(width, use_bias=False)(layers.Flatten()(x))
    return layers.Dropout(0.5)(activate(x, name="embedding"))


def kit_small(x):
    """Many thin separable layers with shortcuts: depth is what 60,000 parameters buy best."""
    x = conv(conv(x, 16), 32, strides=2)
    for filters in (32, 64):
        x = residual(x, filters, brick=separable)
        x = residual(x, filters, brick=separable)
        x = pool(separable(x, 64 if filters == 32 else 88))
    x = residual(x, 88, brick=separable, name="last_conv")
    return layers.Dropout(0.1)(average(x))


def kit_best(x):
    """The VGG trunk that has worked best on FER-2013, with averaging in place of flattening."""
    for filters in (64, 128, 256, 512):
        x = conv(x, filters)
        x = conv(x, filters, name="last_conv" if filters == 512 else None)
        x = layers.Dropout(0.1)(pool(x) if filters < 512 else x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(256, use_bias=False)(x)
    return layers.Dropout(0.4)(activate(x, name="embedding"))


class Architecture(NamedTuple):
    """A network, the augmentation it is trained with, where it comes from and what it is."""

    network: Callable
    augmentation: str
    source: str
    description: str


MODELS = {
    "zhao-cnn": Architecture(
        zhao_cnn, "light", "zhao-cnn", "three convolutions, then almost all parameters in dense layers"
    ),
    "zhao-vgg": Architecture(
        zhao_vgg, "light", "zhao-vgg", "eight convolutions in three blocks, the same dense layers"
    ),
    "zhao-resnet": Architecture(
        zhao_resnet, "light", "zhao-resnet", "ResNet-18: shortcuts, average pooling, no dense layers"
    ),
    "zhao-sepconv": Architecture(
        zhao_sepconv, "light", "zhao-sepconv", "depthwise separable convolutions for real time; layers ours"
    ),
    "choudhari-cnn": Architecture(
        choudhari_cnn, "murphy", "choudhari-cnn", "the textbook CNN with dropout; widths ours"
    ),
    "hejslet-large": Architecture(
        hejslet_large, "hejslet", "hejslet-large", "five convolutions, 5.28 million parameters: overfits"
    ),
    "hejslet-light": Architecture(
        hejslet_light, "hejslet", "hejslet-light", "the same idea with 1.5 million parameters; widths ours"
    ),
    "kit-small": Architecture(
        kit_small, "light", "kit", "separable and residual, under 60,000 parameters, for real time"
    ),
    "kit-best": Architecture(
        kit_best, "kit", "kit", "eight wide convolutions and average pooling: the kit's most accurate"
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
