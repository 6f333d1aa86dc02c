"""What libraries write to the screen below Python, and how to keep it away from the reader."""

import contextlib
import os


@contextlib.contextmanager
def quiet():
    """Keep what is written to the process's error stream, below Python, out of the notebook.

    TensorFlow greets with a dozen lines on its CPU kernels, which a notebook shows in red.
    """
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
