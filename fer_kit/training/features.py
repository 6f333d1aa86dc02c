"""Features of a frozen backbone: computed once, kept on disk, and trained on in place of the faces.

A frozen backbone says the same about the same face in every epoch. So it is asked once. The features lie in
one file per set of faces and backbone, rows of float32 behind 64 bytes that say whose they are; they are
written batch after batch and read where they lie, so that memory holds one batch of them at a time.
"""

import hashlib
import time
from functools import cached_property
from pathlib import Path

import numpy as np

from fer_kit.runtime import settings
from fer_kit.training.callbacks import progress_bar

HEADER = 64
"""Bytes in front of the features: the fingerprint of faces and backbone, in hexadecimal digits."""


class Features:
    """Faces with their features for pixels: as much of a `FaceSet` as `training.fit` asks for.

    `x` is float32 (N, channels), computed when it is first asked for (see `extract`). Parts of it are
    Features of their own; all else, such as `labels`, is that of the FaceSet `faces`.
    """

    steps_per_execution = 8
    """How many batches Keras takes at once: between two of them it works longer than a head learns."""

    def __init__(self, faces, backbone, cache=None):
        self.faces, self.backbone, self.cache = faces, backbone, cache

    def __getattr__(self, name):
        return getattr(self.faces, name)

    def __len__(self):
        return len(self.faces)

    def __getitem__(self, rows):
        return Features(self.faces[rows], self.backbone, self.cache)

    def part(self, usage):
        """Return the features of one `usage`. Raises ValueError when there is none."""
        self.faces.part(usage)
        return self[self.faces.usage == usage]

    @property
    def training(self):
        """The features of the Training faces."""
        return self.part("Training")

    @property
    def public_test(self):
        """The features of the PublicTest faces."""
        return self.part("PublicTest")

    def sample(self, count, seed=0):
        """Return the features of `count` random faces."""
        return Features(self.faces.sample(count, seed), self.backbone, self.cache)

    @cached_property
    def x(self):
        """The features, float32 (N, channels), read from disk as they are needed."""
        return extract(self.faces, self.backbone, self.cache)


def extract(faces, backbone, cache=None, batch_size=64):
    """Return the features of all `faces`, float32 (N, channels), as a read-only np.memmap.

    They are computed where the folder `cache` (by default `features` in the kit's cache) does not hold
    them: for just these images in this order, this backbone, its weights, size and precision. An
    interrupted extraction goes on after its last whole batch. Raises ValueError when the file with their
    name holds anything else, OSError, saying how much room is needed, when the disk is full.
    """
    path, key = feature_file(faces, backbone, cache)
    row = 4 * backbone.channels
    there = _rows_there(path, key, row, len(faces))
    if there < len(faces):
        try:
            _compute(path, key, faces, backbone, there // batch_size * batch_size, batch_size)
        except OSError as error:
            need = f"{len(faces) * row / 1e6:.0f} MB"
            raise OSError(
                f"could not write the features to {path} ({error}). They need {need}: make room, or set "
                "FER_CACHE to a folder on another disk. What is written is kept"
            ) from error
    return np.memmap(path, np.float32, "r", HEADER, (len(faces), backbone.channels))


def feature_file(faces, backbone, cache=None):
    """Return (the Path of the features' file, their fingerprint of 64 hexadecimal digits)."""
    key = hashlib.sha256(b"".join(faces.digests.tolist()) + backbone.fingerprint.encode()).hexdigest()
    folder = Path(cache) if cache else settings.cache_dir() / "features"
    return folder / f"{backbone.name}-{key[:16]}.features", key


def _rows_there(path, key, row, rows):
    if not path.exists() or path.stat().st_size < HEADER:
        return 0
    with path.open("rb") as file:
        owner = file.read(HEADER)
    there = (path.stat().st_size - HEADER) // row
    if owner != key.encode() or there > rows:
        raise ValueError(f"{path} holds the features of something else; delete it and call again")
    return there


def _compute(path, key, faces, backbone, done, batch_size):
    model = backbone.extractor
    start = time.monotonic()
    what = f"Features of {len(faces):,} faces by {backbone}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    # No truncating: two kernels that fill the same file write the same bytes to the same places.
    with path.open("r+b") as file, progress_bar(len(faces), done, "face") as bar:
        bar.set_description("features", refresh=False)
        file.write(key.encode())
        for first in range(done, len(faces), batch_size):
            rows = np.arange(first, first + batch_size) % len(faces)  # a smaller batch would be compiled anew
            batch = np.asarray(model.predict_on_batch(faces.x[rows]), np.float32)[: len(faces) - first]
            file.seek(HEADER + 4 * backbone.channels * first)
            file.write(batch.tobytes())
            bar.update(len(batch))
    print(f"{what}: {time.monotonic() - start:.0f} s", flush=True)
