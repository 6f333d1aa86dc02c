"""A small kit for teaching facial expression recognition on FER-2013.

The names below are loaded when they are first used, so that `import fer_kit` is instant and what needs
Keras is imported only by those who train.
"""

import importlib

__version__ = "0.1.0"

_HOME = {
    "EMOTIONS": "emotions",
    "FaceSet": "faceset",
    "build": "models",
    "check_hardware": "session",
    "evaluate": "evaluation",
    "examine": "doctor",
    "fit": "training",
    "load_faces": "dataset",
    "load_pretrained": "pretrained",
    "setup": "session",
}

__all__ = sorted(_HOME)  # noqa: PLE0605


def __getattr__(name):
    if name not in _HOME:
        raise AttributeError(f"module 'fer_kit' has no attribute {name!r}")
    return getattr(importlib.import_module(f"fer_kit.{_HOME[name]}"), name)


def __dir__():
    return sorted([*globals(), *_HOME])
