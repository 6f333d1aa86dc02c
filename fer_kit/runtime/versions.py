"""What a result depends on besides the kit's own files: installed packages, and the time."""

import contextlib
import datetime
import importlib.metadata

LIBRARIES = ("keras", "tensorflow", "jax", "torch", "numpy", "opencv-contrib-python-headless", "scikit-learn")
PACKAGES = ("fer-kit", *LIBRARIES)


def versions():
    """Return {package: version} of the installed packages on which a result depends."""
    found = {}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found


def now():
    """Return the time in UTC, to the second, as ISO 8601 text."""
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
