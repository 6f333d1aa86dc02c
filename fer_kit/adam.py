"""Adam in one step: networks of many weights train half as fast again on a CPU."""

import contextlib
from functools import partial

import keras

from fer_kit import devices


@contextlib.contextmanager
def fused_adam(optimiser):
    """In a `with` block, let Adam change each weight with TensorFlow's own kernel.

    Keras writes the update as a dozen operations, and each reads and writes all weights anew: for the 43
    million of zhao-cnn that is a third of a step. The kernel computes the same, but for rounding
    (benchmarks/training_speed.py --model zhao-cnn). The optimiser's state and files stay Keras' own. Other
    optimisers, GPUs, several devices at once, JAX and torch are left alone.
    """
    fused = _can_be_fused(optimiser)
    if fused:
        optimiser.update_step = partial(_update_step, optimiser)
    try:
        yield
    finally:
        if fused:
            del optimiser.update_step


def _can_be_fused(optimiser):
    if keras.backend.backend() != "tensorflow" or type(optimiser) is not keras.optimizers.Adam:
        return False
    import tensorflow as tf

    return not (optimiser.amsgrad or devices.gpus() or tf.distribute.has_strategy())


def _update_step(optimiser, gradient, variable, learning_rate):
    """What `keras.optimizers.Adam.update_step` does to one weight, a TensorFlow variable."""
    import tensorflow as tf

    number, kind = optimiser._get_variable_index(variable), variable.dtype
    step = tf.cast(optimiser.iterations + 1, kind)
    tf.raw_ops.ResourceApplyAdam(
        var=variable.handle,
        m=optimiser._momentums[number].value.handle,
        v=optimiser._velocities[number].value.handle,
        beta1_power=tf.pow(tf.cast(optimiser.beta_1, kind), step),
        beta2_power=tf.pow(tf.cast(optimiser.beta_2, kind), step),
        lr=tf.cast(learning_rate, kind),
        beta1=optimiser.beta_1,
        beta2=optimiser.beta_2,
        epsilon=optimiser.epsilon,
        grad=tf.cast(gradient, kind),
    )
