"""What every notebook does first: set the style, say what it runs on, and look for a GPU."""

import contextlib
import importlib
import os
import platform
from importlib import metadata

from fer_kit import settings


def setup():
    """Set the plot style; print versions and profile, so that no output is mistaken for another."""
    from fer_kit.plots import use_style

    use_style()
    with quiet():
        _import_backend()
    packages = ["fer-kit", "keras", settings.backend(), "numpy"]
    profile = settings.profile()
    print(" · ".join(f"{p} {_version(p)}" for p in packages), f"· Python {platform.python_version()}")
    print(f"Profile {profile.name}: {profile.meaning}.")


def check_hardware():
    """Print what Keras will compute on; warn, and never fail, when that is not a GPU."""
    with quiet():
        from fer_kit import devices

        gpus = devices.gpus()
    if gpus:
        print(f"GPU: {', '.join(name for name, _ in gpus)}")
        return
    print(f"No GPU found, computing on {os.cpu_count()} CPU cores: everything runs, training takes longer.")
    print("In Colab, choose Runtime, Change runtime type, GPU. The profile `lab` fits a CPU.")


@contextlib.contextmanager
def quiet():
    """Keep what is written to the process's error stream, below Python, out of the notebook.

    TensorFlow greets with a dozen lines on its CPU kernels, which a notebook shows in red.
    """
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _import_backend():
    name = settings.backend()
    try:
        backend = importlib.import_module(name)
    except ImportError as error:
        message = f"{name} is not installed: `pip install {name}`, or set KERAS_BACKEND to one that is"
        raise ImportError(message) from error
    if name == "tensorflow":
        backend.get_logger().setLevel("ERROR")  # it warns of retracing whenever a lesson uses several models
        # The first generator of a process makes TensorFlow say something about memory: let it be this one.
        next(iter(backend.data.Dataset.from_generator(lambda: [0], "int32")))


def _version(package):
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"
