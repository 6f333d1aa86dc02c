"""Weights files of `keras.applications`: looked through before they are loaded."""

import hashlib
import re
from collections import Counter
from pathlib import Path


def load_weights_file(network, path, name):
    """Load a weights file into `network` and return in words where the weights are from.

    What the file holds is compared with what the network needs first: Keras itself takes a file with a top,
    or with half of the layers missing, with no more than a warning. Raises ValueError or FileNotFoundError,
    naming the file.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(
            f"there is no weights file {path}; give the path of {name}'s weights without its top (.h5), "
            "'imagenet' to download them, or None for random ones"
        )
    there = _shapes_in(path)
    needed = Counter(tuple(weight.shape) for weight in network.weights if weight.shape)
    missing, extra = needed - there, there - needed
    if missing:
        raise ValueError(
            f"{path} is not {name}: it lacks {missing.total()} of {needed.total()} arrays, such as one of "
            f"{next(iter(missing))}. Give the weights of the same architecture (and the same options)"
        )
    if extra:
        raise ValueError(
            f"{path} holds {extra.total()} arrays more than {name} without its top; get the file with "
            "'notop' in its name, or save it from a model built with include_top=False"
        )
    network.load_weights(path)
    return f"{path.name} (sha256 {hashlib.sha256(path.read_bytes()).hexdigest()[:8]})"


def _shapes_in(path):
    """Return a Counter of the shapes of all arrays in a weights file, but for those of an optimiser."""
    import h5py

    shapes = Counter()

    def count(where, item):
        if isinstance(item, h5py.Dataset) and item.shape and not re.search("optimizer|seed_generator", where):
            shapes[item.shape] += 1

    try:
        with h5py.File(path) as file:
            file.visititems(count)
    except OSError as error:
        raise ValueError(
            f"{path} cannot be read as a weights file; it may be cut off. Copy or download it again ({error})"
        ) from None
    return shapes
