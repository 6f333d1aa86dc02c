"""Faces of sub-packages: names that are looked up when first used, so that importing one costs nothing."""

import importlib

from fer_kit.runtime.extras import extras_named


def face(package, names):
    """Return `(__getattr__, __dir__, __all__)` for a sub-package's `__init__`.

    `names` is {module: "name name ..."}: where each name of the face is found. A module that is to be a name
    itself has an empty string.
    """
    homes = {name: module for module, listed in names.items() for name in listed.split()}
    modules = [module for module, listed in names.items() if not listed]

    def look_up(name):
        with extras_named():
            if name in homes:
                return getattr(importlib.import_module(f"{package}.{homes[name]}"), name)
            if name in modules:
                return importlib.import_module(f"{package}.{name}")
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    listed = sorted([*homes, *modules])
    return look_up, lambda: listed, listed
