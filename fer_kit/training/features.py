"""Features of a frozen backbone: computed once, kept on disk, and trained on in place of the faces.

A frozen backbone gives the same output for a face in every epoch, so it is computed once and cached. There is
one `.npy` file per (faces, backbone), written batch by batch and memory-mapped, so that only one batch is in
memory. Each of its rows holds a face's digest, its features and their checksum, so that other sets of faces
find in it what they share, and damage is noticed.
"""

import hashlib
import os
import time
import warnings
import zlib
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

    Faces that any file of the cache holds for this backbone are taken from there: a part of Training, or six
    emotions of the seven, cost no second pass. An interrupted extraction resumes after its last batch. Rows
    whose checksum is wrong are computed again, with a warning.

    Args:
        faces: A FaceSet.
        backbone: A `Backbone`, see `models.load_backbone`.
        cache: A folder, by default `features` in the kit's cache. The file's name depends on these images
            in this order, the backbone, its weights, size and precision.
        batch_size: How many faces are computed at once.

    Returns:
        float32 (N, channels), a read-only np.memmap.

    Raises:
        ValueError: Without faces.
        OSError: When the disk is full; it says how much room the features need.
    """
    if not len(faces):
        raise ValueError("there are no faces to compute features of")
    path = feature_file(faces, backbone, cache)
    kept = _open(path, faces, backbone)
    missing = np.arange(len(faces)) if kept is None else _missing(kept, backbone, path)
    if len(missing):
        try:
            kept = _allocate(path, faces, backbone, fresh=kept is None)
        except OSError as error:
            need = f"{len(faces) * _layout(backbone).itemsize / 1e6:.0f} MB"
            raise OSError(
                f"could not write the features to {path} ({error}). They need {need}: make room, or set "
                "FER_CACHE to a folder on another disk. What is written is kept"
            ) from error
        missing = _reuse(kept, missing, backbone, path)
    if len(missing):
        _compute(kept, missing, faces, backbone, batch_size)
    return np.lib.format.open_memmap(path, "r")["features"]


def feature_file(faces, backbone, cache=None):
    """Return the Path of the file with the features of these faces, in this order, by this backbone."""
    images = hashlib.sha256(b"".join(faces.digests.tolist())).hexdigest()[:16]
    folder = Path(cache) if cache else settings.cache_dir() / "features"
    return folder / f"{backbone.name}-{backbone.fingerprint}-{images}.npy"


def _layout(backbone):
    """Return the dtype of a row. A row that was not computed yet has the checksum 0 and features of 0."""
    return np.dtype([("digest", "S32"), ("checksum", "<u4"), ("features", "<f4", (backbone.channels,))])


def _checksum(row, backbone):
    """Return the CRC-32 of a row's features; that of another backbone's features is another one."""
    return zlib.crc32(np.ascontiguousarray(row).data, zlib.crc32(backbone.fingerprint.encode()))


def _open(path, faces, backbone):
    """Return what a file keeps of these faces, as a read-only memmap; None where there is nothing of use."""
    if not path.exists():
        return None
    try:
        kept = np.lib.format.open_memmap(path, "r")
    except (ValueError, EOFError, OSError) as error:
        warnings.warn(f"{path} is damaged ({error}) and computed anew", stacklevel=3)
        return None
    if kept.dtype != _layout(backbone) or not np.array_equal(kept["digest"], faces.digests):
        warnings.warn(f"{path} holds the features of something else and is computed anew", stacklevel=3)
        return None
    return kept


def _missing(kept, backbone, path):
    """Return the rows that are not computed yet or damaged; warns of the damaged ones."""
    right = [_checksum(row, backbone) for row in kept["features"]]
    missing = np.flatnonzero(kept["checksum"] != np.array(right, np.uint32))
    damaged = np.count_nonzero(kept["checksum"][missing])
    if damaged:
        warnings.warn(f"{path} is damaged: {damaged} of {len(kept)} faces are computed anew", stacklevel=3)
    return missing


def _allocate(path, faces, backbone, fresh):
    """Return the file at `path` as a writable memmap; a `fresh` one takes the place of any other."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if fresh:
        # Another kernel may read or fill a file of this name: it keeps the old one.
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        try:
            np.lib.format.open_memmap(draft, "w+", _layout(backbone), (len(faces),))
            _reserve(draft)
            kept = np.lib.format.open_memmap(draft, "r+")
            kept["digest"] = faces.digests
            del kept  # an open file cannot be moved on Windows
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    else:
        _reserve(path)
    return np.lib.format.open_memmap(path, "r+")


def _reserve(path):
    """Take the room on the disk that a file will need: without, writing to a mapped file kills Python."""
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)


def _reuse(kept, missing, backbone, path):
    """Fill missing rows from the backbone's other files, and return the rows that are still missing."""
    kept["checksum"][missing] = 0
    for other in sorted(path.parent.glob(f"{backbone.name}-{backbone.fingerprint}-*.npy")):
        try:
            known = np.lib.format.open_memmap(other, "r")
        except (ValueError, EOFError, OSError):
            continue  # damaged, or just removed: it has nothing to offer
        if other == path or known.dtype != kept.dtype or not len(missing):
            continue
        _, ours, theirs = np.intersect1d(kept["digest"][missing], known["digest"], return_indices=True)
        for row, source in zip(missing[ours], theirs, strict=True):
            if known["checksum"][source] == _checksum(known["features"][source], backbone):
                kept[row] = known[source]
        missing = missing[kept["checksum"][missing] == 0]
    return missing


def _compute(kept, rows, faces, backbone, batch_size):
    """Fill the features of `rows`. Two kernels that do so write the same numbers."""
    model = backbone.extractor
    start = time.monotonic()
    with progress_bar(len(rows), 0, "face") as bar:
        bar.set_description("features", refresh=False)
        for first in range(0, len(rows), batch_size):
            batch = rows[first : first + batch_size]
            shown = np.resize(batch, batch_size)  # a smaller batch would be compiled anew
            features = np.asarray(model.predict_on_batch(faces.x[shown]), np.float32)[: len(batch)]
            kept["features"][batch] = features
            kept["checksum"][batch] = [_checksum(row, backbone) for row in features]
            bar.update(len(batch))
    kept.flush()
    print(f"Features of {len(rows):,} faces by {backbone}: {time.monotonic() - start:.0f} s", flush=True)
