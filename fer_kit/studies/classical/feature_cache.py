"""Features of a FaceSet, computed once and kept in the cache folder."""

import hashlib
import json
import warnings

import numpy as np

from fer_kit.runtime import settings
from fer_kit.runtime.files import replacing

VERSION = 1
"""Counted up whenever a descriptor computes something else, so that old caches are not used."""


def describe(descriptor, faces, cache=True):
    """Return the features float32 (N, D) of `faces`, from the cache folder where they were computed before.

    They are kept in half precision, and rounded to it also when they are new. The file's name depends on
    the pixels and their order, the descriptor's parameters and what it has learnt. A damaged file is
    computed anew, with a warning; where the folder cannot be written, nothing is kept.
    """
    path = cache_file(descriptor, faces)
    features = _read(path, len(faces)) if cache else None
    if features is None:
        features = descriptor.transform(faces.images).astype(np.float16)
        if cache:
            _keep(path, features)
    return features.astype(np.float32)


def cache_file(descriptor, faces):
    """Return the Path under which the features are kept."""
    name = type(descriptor).__name__.lower()
    asked = json.dumps([VERSION, name, descriptor.parameters()], sort_keys=True)
    digest = hashlib.sha256(asked.encode() + descriptor.state() + faces.digests.tobytes())
    return settings.cache_dir() / "features" / f"{name}-{digest.hexdigest()[:24]}.npy"


def _read(path, count):
    """The features in a file, None when there is none or it cannot be used."""
    if not path.exists():
        return None
    try:
        features = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        warnings.warn(f"{path} is damaged ({error}) and computed anew", stacklevel=3)
        return None
    if features.ndim != 2 or len(features) != count or features.dtype != np.float16:
        warnings.warn(
            f"{path} holds something else than {count} rows of features; computed anew", stacklevel=3
        )
        return None
    return features


def _keep(path, features):
    try:
        with replacing(path) as file:
            np.save(file, features)
    except OSError as error:
        warnings.warn(f"could not keep the features in {path} ({error})", stacklevel=3)
