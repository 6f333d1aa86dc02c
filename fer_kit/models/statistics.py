"""Batch-norm statistics: the running means and variances of batch normalisation, measured again."""

import keras
import numpy as np

from fer_kit.models.layers import all_layers


def batch_normalisers(model):
    """Return the batch normalisation layers of `model`, at any depth, as a list."""
    return [layer for layer in all_layers(model) if isinstance(layer, keras.layers.BatchNormalization)]


def running_statistics(normalisers):
    """Return the running means and variances of the layers `normalisers`, a list of Keras variables."""
    return [variable for layer in normalisers for variable in layer.non_trainable_variables]


def in_use(model):
    """Return a model of the same layers, in which only batch normalisation is in training mode, always.

    A nested model is in training mode as a whole.
    """

    def call(layer, *args, **kwargs):
        if isinstance(layer, keras.Layer):  # an operation, such as x[:, 1:], knows no training
            kwargs["training"] = isinstance(layer, (keras.layers.BatchNormalization, keras.Model))
        return layer(*args, **kwargs)

    layers = keras.Model(model.inputs, model.outputs)
    return keras.models.clone_model(layers, clone_function=lambda layer: layer, call_function=call)


def statistics_step(model, normalisers):
    """Return a function of (trainable values, non-trainable values, images) that measures one batch.

    It returns what the running statistics of `normalisers` would be after this batch with momentum 0, as a
    list. `model` is what `in_use` returned.
    """

    def step(trainable, non_trainable, images):
        momenta = [layer.momentum for layer in normalisers]
        try:
            for layer in normalisers:
                layer.momentum = 0.0  # the running statistics are then those of the last batch
            _, after = model.stateless_call(trainable, non_trainable, images)
        finally:
            for layer, momentum in zip(normalisers, momenta, strict=True):
                layer.momentum = momentum
        # By identity: in nested models two layers may have one path.
        of = dict(zip(map(id, model.non_trainable_variables), after, strict=True))
        return [of[id(variable)] for variable in running_statistics(normalisers)]

    return step


def measure_batch_statistics(model, step, images, batch_size):
    """Return the mean of `step`'s statistics over all `images`, a list of float32 arrays."""
    state = [[v.value for v in part] for part in (model.trainable_variables, model.non_trainable_variables)]
    batches = [images[start : start + batch_size] for start in range(0, len(images), batch_size)]
    measured = [[keras.ops.convert_to_numpy(v) for v in step(*state, batch)] for batch in batches]
    shares = [len(batch) / len(images) for batch in batches]  # the last one may be small
    return [np.average(parts, 0, shares).astype(np.float32) for parts in zip(*measured, strict=True)]


def assign(variables, values):
    """Set each variable to its value."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def compiled(function):
    """Return `function` compiled, on TensorFlow and JAX: otherwise each operation is started on its own."""
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        return jax.jit(function)
    if backend == "tensorflow":
        import tensorflow as tf

        return tf.function(function)
    return function
