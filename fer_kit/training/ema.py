"""Averaged weights (EMA): a callback with which the averaged model is scored and saved."""

import keras

from fer_kit.models.statistics import (
    assign,
    batch_normalisers,
    compiled,
    in_use,
    measure_batch_statistics,
    running_statistics,
    statistics_step,
)


class Averages(keras.callbacks.SwapEMAWeights):
    """Scores and saves the averaged weights, with batch-norm statistics that belong to them.

    Keras averages the weights but not the running means and variances of batch normalisation. These belong
    to the weights of the last steps, and with them the averaged model would predict no better than chance.
    So they are measured again with the averaged weights in place, on `images` uint8 (N, 48, 48, 1), 0-255
    (Izmailov et al. 2018, section 3.3), without augmentation and dropout, which change mean and variance and
    are off when the model is used (Li et al. 2019, Touvron et al. 2019).
    """

    def __init__(self, images, batch_size=256):
        super().__init__()
        self.images = images
        self.batch_size = batch_size

    def set_model(self, model):
        """Find the batch normalisation of `model` and compile the step that measures its statistics."""
        super().set_model(model)
        normalisers = batch_normalisers(model)
        self.statistics = running_statistics(normalisers)
        self.in_use = in_use(model)
        self.step = compiled(statistics_step(self.in_use, normalisers))
        self.measured_at = None

    def on_test_begin(self, logs=None):
        super().on_test_begin(logs)
        self.running = [keras.ops.convert_to_numpy(variable) for variable in self.statistics]
        steps = int(keras.ops.convert_to_numpy(self.model.optimizer.iterations))
        if steps != self.measured_at:  # an epoch is scored, and then saved, with the same weights
            self.own = measure_batch_statistics(self.in_use, self.step, self.images, self.batch_size)
            self.measured_at = steps
        assign(self.statistics, self.own)

    def on_test_end(self, logs=None):
        assign(self.statistics, self.running)
        super().on_test_end(logs)
