"""Fused Adam trains the same network as Keras' own, and leaves no trace in the optimiser."""

import contextlib

import keras
import numpy as np
import pytest
from keras import layers

from fer_kit import devices
from fer_kit.adam import fused_adam

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow" or devices.gpus(), reason="TensorFlow's own kernel, on a CPU"
)


def trained(fuse, optimiser):
    """Return the weights of the model and of its optimiser after five epochs of three steps."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((6,))
    x = layers.Dense(5, activation="relu", dtype="mixed_bfloat16")(inputs)
    model = keras.Model(inputs, layers.Dense(2)(x))
    model.compile(optimiser, "mse", jit_compile=False)
    x, y = np.random.default_rng(0).normal(size=(2, 30, 6))
    with fused_adam(optimiser) if fuse else contextlib.nullcontext():
        model.fit(x, y[:, :2], 10, epochs=5, shuffle=False, verbose=0)
    assert "update_step" not in vars(optimiser)
    return [w.numpy() for w in (*model.weights, *optimiser.variables)]


def schedule():
    return keras.optimizers.schedules.CosineDecay(0.01, 12)


@pytest.mark.parametrize(
    "options", [{}, {"weight_decay": 0.1}, {"use_ema": True, "ema_momentum": 0.8}, {"amsgrad": True}]
)
def test_training_is_that_of_keras(options):
    own, fused = (trained(fuse, keras.optimizers.Adam(schedule(), **options)) for fuse in (False, True))
    for one, other in zip(own, fused, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("optimiser", "at_work"), [("Adam", True), ("AdamW", False), ("SGD", False)])
def test_the_kernel_is_at_work_for_adam_alone(monkeypatch, optimiser, at_work):
    import tensorflow as tf

    calls, kernel = [], tf.raw_ops.ResourceApplyAdam
    monkeypatch.setattr(tf.raw_ops, "ResourceApplyAdam", lambda **given: calls.append(1) or kernel(**given))
    trained(True, getattr(keras.optimizers, optimiser)(0.01))
    assert bool(calls) == at_work
