"""Fused batch normalisation: training on TensorFlow becomes up to twice as fast."""

import contextlib
import warnings
from functools import partial

import keras
import numpy as np
from keras.layers import BatchNormalization

from fer_kit.models.layers import all_layers


@contextlib.contextmanager
def fused_normalisation(model):
    """In a `with` block, let the batch normalisation of `model` train with TensorFlow's fused kernel.

    Keras writes it as a dozen operations, each of which reads and writes all maps, in float32 even under
    mixed precision; in the networks here they take longer than the convolutions. The kernel computes the
    same except for rounding (benchmarks/training_speed.py). Layers, weights, files and inference stay Keras'
    own. On JAX, whose compiler fuses operations itself, and on torch nothing changes.

    The kernel is tried on a layer of its own first. Where that fails, as it may with another version of
    Keras or TensorFlow, a warning says so and the model trains in Keras' way, with the same results.
    """
    layers = [layer for layer in all_layers(model) if _can_be_fused(layer)]
    if layers and not _works():
        layers = []
    for layer in layers:
        layer.call = partial(_normalise, layer)
    try:
        yield
    finally:
        for layer in layers:
            del layer.call


def _can_be_fused(layer):
    if keras.backend.backend() != "tensorflow" or type(layer) is not BatchNormalization:
        return False
    unusual = getattr(layer, "synchronized", False) or getattr(layer, "renorm", False)
    return layer.axis in (-1, 3) and layer.scale and layer.center and not unusual


def _works():
    """Return whether the fused kernel does the same as Keras to one small layer; warn if not."""
    try:
        for own, fused in zip(_one_step(fuse=False), _one_step(fuse=True), strict=True):
            np.testing.assert_allclose(fused, own, rtol=1e-3, atol=1e-3)
    except Exception as error:  # whatever it is, training goes on without the kernel
        warnings.warn(
            "batch normalisation trains in Keras' own, slower way, because the fused kernel failed: "
            f"{type(error).__name__}: {error}",
            stacklevel=2,
        )
        return False
    return True


def _one_step(fuse):
    """Return the maps and the running statistics of a new layer after one step of training."""
    maps = np.arange(16, dtype=np.float32).reshape(2, 2, 2, 2)
    layer = BatchNormalization(dtype="float32", name="trial")
    layer.build(maps.shape)
    if fuse:
        layer.call = partial(_normalise, layer)
        answer = layer(maps, training=True)
        del layer.call
    else:
        answer = layer(maps, training=True)
    return [keras.ops.convert_to_numpy(array) for array in (answer, layer.moving_mean, layer.moving_variance)]


def _normalise(layer, inputs, training=None, mask=None):
    """Normalise maps (B, H, W, C) in training; leave everything else to Keras."""
    if not (training and layer.trainable) or len(inputs.shape) != 4 or mask is not None:
        return BatchNormalization.call(layer, inputs, training=training, mask=mask)
    import tensorflow as tf

    maps, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=inputs, scale=layer.gamma, offset=layer.beta, mean=[], variance=[], epsilon=layer.epsilon
    )
    values = tf.cast(tf.size(inputs) // tf.size(mean), variance.dtype)
    variance *= (values - 1) / values  # the kernel's is that of a sample, Keras' that of these values
    for running, new in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
        running.assign(running * layer.momentum + new * (1 - layer.momentum))
    return maps
