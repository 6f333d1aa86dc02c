"""Averaged weights (EMA): a callback that scores and saves them as a model of their own."""

import keras


class Averages(keras.callbacks.SwapEMAWeights):
    """Scores and saves the averaged weights, with batch statistics that belong to them.

    Keras averages the weights and not the running means and variances of batch normalisation; those fit
    the weights of the last steps, and the averaged model would be scored as if it knew nothing. So they
    are measured anew for the averaged weights, on `images` uint8 (N, 48, 48, 1), 0-255, while these are in
    place (Izmailov et al. 2018, section 3.3).
    """

    def __init__(self, images, batch_size=256):
        super().__init__()
        self.images, self.batch_size = images, batch_size

    def on_test_begin(self, logs=None):
        super().on_test_begin(logs)
        layers = self.model._flatten_layers(include_self=False)
        self.normalisers = [n for n in layers if isinstance(n, keras.layers.BatchNormalization)]
        self.running = [[v.numpy() for v in n.non_trainable_variables] for n in self.normalisers]
        measure_batch_statistics(self.model, self.normalisers, self.images, self.batch_size)

    def on_test_end(self, logs=None):
        for layer, values in zip(self.normalisers, self.running, strict=True):
            for variable, value in zip(layer.non_trainable_variables, values, strict=True):
                variable.assign(value)
        super().on_test_end(logs)


def measure_batch_statistics(model, normalisers, images, batch_size):
    """Set the running statistics of the layers `normalisers` to their mean over all batches of `images`."""
    ours = {variable.path for layer in normalisers for variable in layer.non_trainable_variables}
    sums, starts = dict.fromkeys(ours, 0.0), range(0, len(images), batch_size)
    momenta = [layer.momentum for layer in normalisers]
    for layer in normalisers:
        layer.momentum = 0.0  # a running statistic is then that of the last batch
    for start in starts:
        _, after = model.stateless_call(
            model.trainable_variables,
            model.non_trainable_variables,
            images[start : start + batch_size],
            training=True,
        )
        for variable, value in zip(model.non_trainable_variables, after, strict=True):
            if variable.path in ours:
                sums[variable.path] += keras.ops.convert_to_numpy(value) / len(starts)
    for layer, momentum in zip(normalisers, momenta, strict=True):
        layer.momentum = momentum
        for variable in layer.non_trainable_variables:
            variable.assign(sums[variable.path])
