"""Features of a frozen backbone: computed once, kept on disk, and trained on in place of the faces.

A frozen backbone gives the same output for a face in every epoch, so it is computed once and cached. There is
one `.npy` file per (faces, backbone), written batch by batch and memory-mapped, so that only one batch is in
memory.
"""

import hashlib
import os
import time
import warnings
from functools import cached_property
from pathlib import Path

import numpy as np

from fer_kit.runtime import settings
from fer_kit.training.callbacks import progress_bar


class Features:
    """Faces with their features in place of pixels: the part of a `FaceSet` that `training.fit` needs.

    `x` is float32 (N, channels), computed when it is first asked for (see `extract`). `images`, `labels`,
    `usage`, `names`, `files` and `source` are those of the FaceSet `faces`. A part of it is again Features.
    """

    steps_per_execution = 8
    """How many batches Keras takes at once: its work between two batches takes longer than a head's step."""

    def __init__(self, faces, backbone, cache=None):
        self.faces = faces
        self.backbone = backbone
        self.cache = cache
        self.images = faces.images
        self.labels = faces.labels
        self.usage = faces.usage
        self.names = faces.names
        self.files = faces.files
        self.source = faces.source

    def __len__(self):
        return len(self.faces)

    def __getitem__(self, rows):
        return Features(self.faces[rows], self.backbone, self.cache)

    @property
    def training(self):
        """The features of the Training faces."""
        return Features(self.faces.training, self.backbone, self.cache)

    @property
    def public_test(self):
        """The features of the PublicTest faces."""
        return Features(self.faces.public_test, self.backbone, self.cache)

    @property
    def fingerprint(self):
        """The fingerprint of the faces."""
        return self.faces.fingerprint

    @property
    def digests(self):
        """A digest of each face's pixels, bytes (N,)."""
        return self.faces.digests

    def has_twin_in(self, other):
        """Return a bool mask (N,): which of these faces have a pixel-identical face in `other`."""
        return self.faces.has_twin_in(other)

    def sample(self, count, seed=0):
        """Return the features of `count` random faces."""
        return Features(self.faces.sample(count, seed), self.backbone, self.cache)

    @cached_property
    def x(self):
        """The features, float32 (N, channels), read from disk as they are needed."""
        return extract(self.faces, self.backbone, self.cache)


def extract(faces, backbone, cache=None, batch_size=64):
    """Return the features of all faces by a frozen backbone, computed where the cache does not hold them.

    An interrupted extraction resumes after its last whole batch. A file that is cut off, or of something
    else, is computed again, with a warning.

    Args:
        faces: A FaceSet.
        backbone: A `Backbone`, see `models.load_backbone`.
        cache: A folder, by default `features` in the kit's cache. The file's name depends on these images
            in this order, the backbone, its weights, size and precision.
        batch_size: How many faces are computed at once.

    Returns:
        float32 (N, channels), a read-only np.memmap.

    Raises:
        OSError: When the disk is full; it says how much room the features need.
    """
    path, key = feature_file(faces, backbone, cache)
    layout = np.dtype([("key", "S64"), ("rows", "<i8"), ("features", "<f4", (len(faces), backbone.channels))])
    kept = _open(path, key, layout)
    if kept is None or kept["rows"][0] < len(faces):
        try:
            kept = _allocate(path, key, layout, fresh=kept is None)
        except OSError as error:
            need = f"{layout.itemsize / 1e6:.0f} MB"
            raise OSError(
                f"could not write the features to {path} ({error}). They need {need}: make room, or set "
                "FER_CACHE to a folder on another disk. What is written is kept"
            ) from error
        _compute(kept, faces, backbone, batch_size)
    return np.lib.format.open_memmap(path, "r")["features"][0]


def feature_file(faces, backbone, cache=None):
    """Return (the Path of the features' file, their fingerprint of 64 hexadecimal digits)."""
    key = hashlib.sha256(b"".join(faces.digests.tolist()) + backbone.fingerprint.encode()).hexdigest()
    folder = Path(cache) if cache else settings.cache_dir() / "features"
    return folder / f"{backbone.name}-{key[:16]}.npy", key


def _open(path, key, layout):
    """Return what a file keeps, as a memmap of one record of `layout`; None where there is nothing of use."""
    if not path.exists():
        return None
    try:
        kept = np.lib.format.open_memmap(path, "r")
    except (ValueError, EOFError, OSError) as error:
        warnings.warn(f"{path} is damaged ({error}) and computed anew", stacklevel=3)
        return None
    if kept.dtype != layout or kept.shape != (1,) or kept["key"][0] != key.encode():
        warnings.warn(f"{path} holds the features of something else and is computed anew", stacklevel=3)
        return None
    return kept


def _allocate(path, key, layout, fresh):
    """Return the file at `path` as a writable memmap; a `fresh` one takes the place of any other."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if fresh:
        # Another kernel may read or fill a file of this name: it keeps the old one.
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        kept = np.lib.format.open_memmap(draft, "w+", layout, (1,))
        kept["key"] = key
        del kept  # an open file cannot be moved on Windows
        draft.replace(path)
    if hasattr(os, "posix_fallocate"):
        # Writing to a mapped file on a full disk kills the process; room that is reserved cannot run out.
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return np.lib.format.open_memmap(path, "r+")


def _compute(kept, faces, backbone, batch_size):
    """Fill the features from the last whole batch on. Two kernels that do so write the same numbers."""
    model = backbone.extractor
    start = time.monotonic()
    done = int(kept["rows"][0]) // batch_size * batch_size
    with progress_bar(len(faces), done, "face") as bar:
        bar.set_description("features", refresh=False)
        for first in range(done, len(faces), batch_size):
            rows = np.arange(first, first + batch_size) % len(faces)  # a smaller batch would be compiled anew
            batch = np.asarray(model.predict_on_batch(faces.x[rows]), np.float32)[: len(faces) - first]
            kept["features"][0, first : first + len(batch)] = batch
            kept["rows"] = first + len(batch)
            bar.update(len(batch))
    kept.flush()
    print(f"Features of {len(faces):,} faces by {backbone}: {time.monotonic() - start:.0f} s", flush=True)
