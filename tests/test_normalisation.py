"""Fused batch normalisation trains the same network as Keras' own, and leaves no trace in it."""

import contextlib

import keras
import numpy as np
import pytest
from keras import layers

from fer_kit.training import speedups
from fer_kit.training.speedups import fused_normalisation

pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="TensorFlow's own kernel")


def trained(fuse, precision="float32", **options):
    """Return the model after three steps, its last loss and its answers."""
    keras.utils.set_random_seed(0)
    x = inputs = keras.Input((8, 8, 3), dtype=precision.rpartition("_")[2])
    x = layers.Conv2D(4, 3, use_bias=False, dtype=precision)(x)
    x = layers.BatchNormalization(momentum=0.7, dtype=precision, **options)(x)
    x = layers.BatchNormalization(dtype=precision)(layers.Flatten()(layers.Activation("relu")(x)))
    model = keras.Model(inputs, layers.Dense(2, dtype="float32")(x))
    model.compile("sgd", "mse", jit_compile=False)
    rng = np.random.default_rng(0)
    images, targets = rng.normal(5, 3, (30, 8, 8, 3)), rng.normal(size=(30, 2))
    before = [layer.get_config() for layer in model.layers]
    with fused_normalisation(model) if fuse else contextlib.nullcontext():
        history = model.fit(images, targets, 10, shuffle=False, verbose=0)
    assert [layer.get_config() for layer in model.layers] == before
    assert not any("call" in vars(layer) for layer in model.layers)
    return model, history.history["loss"][-1], model.predict(images, verbose=0)


@pytest.mark.parametrize(
    ("precision", "options", "apart"),
    [
        ("float32", {}, 1e-4),
        ("mixed_bfloat16", {}, 0.05),
        ("float32", {"scale": False}, 1e-6),
        ("float32", {"trainable": False}, 1e-6),
    ],
)
def test_training_is_that_of_keras(precision, options, apart):
    (own, own_loss, own_answers), (fused, loss, answers) = (
        trained(fuse, precision, **options) for fuse in (False, True)
    )
    assert loss == pytest.approx(own_loss, rel=apart)
    assert answers == pytest.approx(own_answers, abs=apart, rel=apart)
    for one, other in zip(own.weights, fused.weights, strict=True):
        assert other.numpy() == pytest.approx(one.numpy(), abs=apart, rel=apart), one.path


def without_the_kernel(monkeypatch):
    import tensorflow as tf

    monkeypatch.delattr(tf.raw_ops, "FusedBatchNormV3")


def without_an_attribute(monkeypatch):
    def renamed(layer, inputs, training=None, mask=None):
        return layer.running_mean  # what moving_mean may be called one day

    monkeypatch.setattr(speedups, "_normalise", renamed)


def without_replacing(monkeypatch):
    def sealed(layer, name, value, whole=layers.BatchNormalization.__setattr__):
        if name == "call":
            raise AttributeError("call is read-only")
        whole(layer, name, value)

    monkeypatch.setattr(layers.BatchNormalization, "__setattr__", sealed)


def other_numbers(monkeypatch):
    import tensorflow as tf

    kernel = tf.raw_ops.FusedBatchNormV3
    monkeypatch.setattr(tf.raw_ops, "FusedBatchNormV3", lambda x, **given: kernel(x=2 * x + 1, **given))


@pytest.mark.parametrize("gone", [without_the_kernel, without_an_attribute, without_replacing, other_numbers])
def test_where_the_kernel_fails_keras_trains_and_one_warning_says_so(monkeypatch, gone):
    own, own_loss, _ = trained(fuse=False)
    gone(monkeypatch)
    with pytest.warns(UserWarning, match="batch normalisation trains in Keras' own, slower way") as warned:
        fallen_back, loss, _ = trained(fuse=True)
    assert len([w for w in warned if "batch normalisation" in str(w.message)]) == 1
    assert loss == own_loss
    for one, other in zip(own.weights, fallen_back.weights, strict=True):
        assert np.array_equal(one.numpy(), other.numpy())


def test_the_kernel_is_at_work_in_training_alone(monkeypatch):
    import tensorflow as tf

    calls, kernel = [], tf.raw_ops.FusedBatchNormV3
    monkeypatch.setattr(tf.raw_ops, "FusedBatchNormV3", lambda **given: calls.append(1) or kernel(**given))
    trained(fuse=False)
    assert not calls
    trained(fuse=True)
    # Tried once, then traced once, for the maps; the flat layer and `predict` stay Keras' own.
    assert len(calls) == 2
