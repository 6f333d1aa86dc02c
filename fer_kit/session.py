"""What every notebook does first: set the style, say what it runs on, and look for a GPU."""

import os
import platform
import warnings
from importlib import metadata

from fer_kit import settings


def setup():
    """Set the plot style; print versions and profile, so that no output is mistaken for another."""
    from fer_kit.plots import use_style

    use_style()
    backend = settings.backend()
    packages = ["fer-kit", "keras", backend, "numpy"]
    versions = " · ".join(f"{p} {_version(p)}" for p in dict.fromkeys(packages))
    profile = settings.profile()
    print(f"{versions} · Python {platform.python_version()}")
    print(f"Profile {profile.name}: {profile.meaning}.")


def check_hardware():
    """Print what Keras will compute on; warn, and never fail, when that is not a GPU."""
    gpus = gpu_names()
    if gpus:
        print(f"GPU: {', '.join(gpus)}")
        return
    print(f"CPU with {os.cpu_count()} cores")
    warnings.warn(
        "No GPU found: everything runs, training takes longer. In Colab choose Runtime, "
        "Change runtime type, GPU; the profile `lab` fits a CPU.",
        stacklevel=2,
    )


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

    found = tf.config.list_physical_devices("GPU")
    return [tf.config.experimental.get_device_details(g).get("device_name", g.name) for g in found]


def _version(package):
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"
