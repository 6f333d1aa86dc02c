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
    gpus = gpu_names()
    if gpus:
        print(f"GPU: {', '.join(gpus)}")
        return
    print(f"No GPU found, computing on {os.cpu_count()} CPU cores: everything runs, training takes longer.")
    print("In Colab, choose Runtime, Change runtime type, GPU. The profile `lab` fits a CPU.")


def gpu_names():
    """Return the names of the GPUs that the Keras backend sees, a list of str."""
    backend = settings.backend()
    if backend == "jax":
        import jax

        return [d.device_kind for d in jax.devices() if d.platform == "gpu"]
    if backend == "torch":
        import torch

        return [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    import tensorflow as tf

    with quiet():
        found = tf.config.list_physical_devices("GPU")
        return [tf.config.experimental.get_device_details(g).get("device_name", g.name) for g in found]


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
    backend = importlib.import_module(settings.backend())
    if settings.backend() == "tensorflow":
        backend.get_logger().setLevel("ERROR")  # it warns of retracing whenever a lesson uses several models
        # The first generator of a process makes TensorFlow say something about memory: let it be this one.
        next(iter(backend.data.Dataset.from_generator(lambda: [0], "int32")))


def _version(package):
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"
