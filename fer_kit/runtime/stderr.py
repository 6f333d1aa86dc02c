"""What libraries write to the screen below Python, and how to keep it away from the reader."""

import contextlib
import importlib
import io
import os
import subprocess
import sys
import tempfile
import warnings

from fer_kit.runtime import settings
from fer_kit.runtime.extras import extras_named

WATCHER = """
import os, sys
if not sys.stdin.buffer.read(1):
    os.lseek(1, 0, os.SEEK_SET)
    while part := os.read(1, 65536):
        os.write(2, part)
"""
"""Waits for a byte. Without it the process that should have sent it is dead: then the file that is this
program's standard output, opened for reading too, holds its last words."""


@contextlib.contextmanager
def quiet():
    """Keep what is written to the process's error stream, below Python, away from the reader.

    TensorFlow greets with a dozen lines on its CPU kernels, which a notebook shows in red. When the process
    dies within the block, what was kept is shown: it says why.
    """
    try:
        shown = os.dup(2)
    except OSError:  # a program without an error stream
        yield
        return
    with tempfile.TemporaryFile() as kept, _watched(kept, shown):
        os.dup2(kept.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(shown, 2)
            os.close(shown)


@contextlib.contextmanager
def _watched(kept, shown):
    """Let another process copy the file `kept` to `shown` should this one die within the block."""
    command = [sys.executable, "-I", "-S", "-c", WATCHER]
    ours = {"stdin": subprocess.PIPE, "stdout": kept, "stderr": shown}
    with subprocess.Popen(command, start_new_session=True, **ours) as watcher:  # a Ctrl-C is not for it
        try:
            yield
        finally:
            watcher.communicate(b".")


def print_anywhere():
    """Print a question mark for what a terminal cannot show: one without UTF-8 would end the program."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


@contextlib.contextmanager
def plain_warnings():
    """Show warnings, in a `with` block, as a sentence each, without the line of code that warned."""
    before = warnings.formatwarning
    warnings.formatwarning = lambda message, *_, **__: f"Warning: {message}\n"
    try:
        yield
    finally:
        warnings.formatwarning = before


def start_keras():
    """Import Keras and its backend, and let them compute once, without their greetings.

    Raises ImportError, saying what to install, when there is no such backend.
    """
    settings.set_default("TF_CPP_MIN_LOG_LEVEL", 1)  # 0 tells of every dataset that it came to its end
    with quiet():
        import_backend()
        import keras

        keras.ops.convert_to_numpy(keras.ops.ones(1))


def import_backend():
    """Import Keras and the backend that it is set to. Raises ImportError, saying what to install."""
    with extras_named():
        name = settings.backend()
        backend = importlib.import_module(name)
    if name == "tensorflow":
        backend.get_logger().setLevel("ERROR")  # it warns of retracing whenever several models are used
        return
    with contextlib.suppress(ImportError):
        # Keras imports it, where it is, under any backend when it first saves or copies a layer.
        importlib.import_module("tensorflow")
