"""What every notebook does first: set the style, say what it runs on, and look for a GPU."""

import importlib
import os
import platform
from importlib import metadata

from fer_kit.runtime import settings
from fer_kit.runtime.quiet import quiet


def setup():
    """Set the plot style; print versions and profile, so that no output is mistaken for another."""
    from fer_kit.plots.base import use_style

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
        from fer_kit.runtime import devices

        gpus = devices.gpus()
    if gpus:
        print(f"GPU: {', '.join(name for name, _ in gpus)}")
        return
    cores = f"{os.cpu_count()} CPU cores" + " with bfloat16" * devices.cpu_gains_from_bfloat16()
    print(f"No GPU found, computing on {cores}: everything runs, training takes longer.")
    print("In Colab, choose Runtime, Change runtime type, GPU. The profile `lab` fits a CPU.")


def _import_backend():
    name = settings.backend()
    try:
        backend = importlib.import_module(name)
    except ImportError as error:
        message = f"{name} is not installed: `pip install {name}`, or set KERAS_BACKEND to one that is"
        raise ImportError(message) from error
    if name == "tensorflow":
        backend.get_logger().setLevel("ERROR")  # it warns of retracing whenever a lesson uses several models


def _version(package):
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"
