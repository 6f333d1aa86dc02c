"""One seed for everything that is drawn at random, without a trace in the caller's generators."""

import contextlib
import random

import keras
import numpy as np


@contextlib.contextmanager
def seeded(seed):
    """Seed Python, NumPy and Keras with `seed`, an int, in a `with` block.

    Afterwards the global generators of Python and NumPy are as they were before, also after an error. Those
    of Keras and its backend, whose state cannot be read, stay seeded.
    """
    python = random.getstate()
    numpy = np.random.get_state()
    try:
        keras.utils.set_random_seed(seed)
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
