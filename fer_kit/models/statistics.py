"""Batch statistics: the running means and variances of batch normalisation, measured anew."""

import keras

from fer_kit.models.layers import all_layers


def batch_normalisers(model):
    """Return the layers of `model`, at any depth, that normalise over the batch."""
    return [layer for layer in all_layers(model) if isinstance(layer, keras.layers.BatchNormalization)]


def running_statistics(normalisers):
    """Return the variables with the running means and variances of the layers `normalisers`, as a list."""
    return [variable for layer in normalisers for variable in layer.non_trainable_variables]


def in_use(model):
    """Return a model of the layers of `model`, in which batch normalisation alone is always in training.

    A model that is itself one of the layers is in training as a whole.
    """

    def call(layer, *args, **kwargs):
        trains = isinstance(layer, (keras.layers.BatchNormalization, keras.Model))
        return layer(*args, **kwargs | {"training": trains})

    layers = keras.Model(model.inputs, model.outputs)
    return keras.models.clone_model(layers, clone_function=lambda layer: layer, call_function=call)


def statistics_step(model, normalisers):
    """Return a function of (trainable, non-trainable values, images) that returns the batch's statistics.

    They are the running statistics of `normalisers` after one batch, had they no memory. `model` is `in_use`.
    """

    def step(trainable, non_trainable, images):
        momenta = [layer.momentum for layer in normalisers]
        try:
            for layer in normalisers:
                layer.momentum = 0.0  # a running statistic is then that of the last batch
            _, after = model.stateless_call(trainable, non_trainable, images)
        finally:
            for layer, momentum in zip(normalisers, momenta, strict=True):
                layer.momentum = momentum
        of = dict(zip((v.path for v in model.non_trainable_variables), after, strict=True))
        return [of[variable.path] for variable in running_statistics(normalisers)]

    return step


def measure_batch_statistics(model, step, images, batch_size):
    """Return the mean of `step`'s statistics over all batches of `images`, a list of float32 arrays."""
    state = [[v.value for v in part] for part in (model.trainable_variables, model.non_trainable_variables)]
    batches = [images[start : start + batch_size] for start in range(0, len(images), batch_size)]
    measured = [[keras.ops.convert_to_numpy(v) for v in step(*state, batch)] for batch in batches]
    return [sum(parts) / len(batches) for parts in zip(*measured, strict=True)]


def assign(variables, values):
    """Set each variable to its value."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def compiled(function):
    """Return `function` as one graph, where the backend makes one: without, each operation is sent alone."""
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        return jax.jit(function)
    if backend == "tensorflow":
        import tensorflow as tf

        return tf.function(function)
    return function
