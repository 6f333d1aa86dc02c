"""The one dataset object: `FaceSet`, grey 48x48 faces with labels and usage."""

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from fer_kit.data.emotions import EMOTIONS, USAGES
from fer_kit.runtime.files import check_free, replacing
from fer_kit.runtime.names import by_door

SIZE = 48
"""Height and width of a face in pixels."""

MIDDLE = (SIZE - 1) / 2
"""Where the middle of a face lies, as a row and as a column, counted from the middle of the first pixel."""


@dataclass(frozen=True)
class Note:
    """A sentence on how faces were loaded: `kind` is for code, `text` for people.

    Kinds: "missing" (a usage lacks an emotion), "left out" (files or faces), "converted" (images that were
    not grey 48x48), "assumed" (a name read as an emotion) and "about" (anything else).
    """

    kind: str
    text: str

    def __str__(self):
        return self.text


@dataclass(frozen=True, eq=False, repr=False)
class FaceSet:
    """Faces with their labels.

    `images` uint8 (N, 48, 48), 0-255; `labels` int64 (N,), indices into `names`; `usage` str (N,),
    Training, PublicTest or PrivateTest; `names` the emotions (or other names) that labels stand for;
    `files` str (N,), where each face came from; `source` where all of them came from; `notes`, a tuple of
    `Note` or str, what had to be converted, left out or assumed on the way; `targets` float32 (N, K), what
    `training.fit` learns from in place of the labels, such as shares of votes that add up to 1.

    Raises ValueError when shapes, dtypes or labels do not fit together, and for a usage that does not exist.
    """

    images: np.ndarray
    labels: np.ndarray
    usage: np.ndarray
    names: tuple = EMOTIONS
    files: np.ndarray | None = None
    source: str = ""
    notes: tuple = ()
    targets: np.ndarray | None = None

    steps_per_execution = 1
    """How many batches `training.fit` has Keras take at once (`training.features` takes more)."""

    def __post_init__(self):
        object.__setattr__(self, "images", np.asarray(self.images))
        object.__setattr__(self, "names", tuple(self.names))
        count = len(self.images)
        if self.images.shape != (count, SIZE, SIZE) or self.images.dtype != np.uint8:
            raise ValueError(
                f"images must be uint8 (N, {SIZE}, {SIZE}), not {self.images.dtype} {self.images.shape}"
            )
        labels = _whole(self.labels)
        usage = np.broadcast_to(np.asarray(self.usage, dtype=str), (count,))
        for name in sorted(set(usage.tolist()) - set(USAGES)):
            raise ValueError(f"no usage {name!r}; there are {', '.join(USAGES)}")
        usage = usage.astype("<U11", copy=False)
        files = [f"face {i}" for i in range(count)] if self.files is None else self.files
        object.__setattr__(self, "files", np.asarray(files, dtype=str))
        for name, values in (("labels", labels), ("usage", usage), ("files", self.files)):
            if len(values) != count:
                raise ValueError(f"{name} has {len(values)} entries for {count} images")
        if self.targets is not None:
            object.__setattr__(self, "targets", _checked_targets(self.targets, (count, len(self.names))))
        wrong = np.flatnonzero((labels < 0) | (labels >= len(self.names)))
        if len(wrong):
            raise ValueError(
                f"{self.files[wrong[0]]} has label {labels[wrong[0]]}; "
                f"labels go from 0 to {len(self.names) - 1} ({', '.join(self.names)})"
            )
        object.__setattr__(self, "labels", labels)
        object.__setattr__(self, "usage", usage)
        notes = (note if isinstance(note, Note) else Note("about", str(note)) for note in self.notes)
        object.__setattr__(self, "notes", tuple(notes))

    def __len__(self):
        return len(self.images)

    def __repr__(self):
        parts = ", ".join(f"{n:,} {u}" for u, n in self.counts().sum().items() if n)
        return f"FaceSet of {len(self):,} faces ({parts or 'empty'}) from {self.source or 'memory'}"

    def __getitem__(self, rows):
        """Return the faces that `rows` selects: a slice, a boolean mask or an array of indices."""
        return replace(
            self,
            images=self.images[rows],
            labels=self.labels[rows],
            usage=self.usage[rows],
            files=self.files[rows],
            targets=None if self.targets is None else self.targets[rows],
        )

    def part(self, usage):
        """Return the faces of one usage.

        Args:
            usage: "Training", "PublicTest" or "PrivateTest".

        Returns:
            A FaceSet.

        Raises:
            ValueError: `usage` is none of the three, or has no face here.
        """
        if usage not in USAGES:
            raise ValueError(f"no usage {usage!r}; there are {', '.join(USAGES)}")
        found = self[self.usage == usage]
        if not len(found):
            remedy = by_door("load_faces(..., hold_out=0.1) holds", "--hold-out 0.1 holds")
            remedy = "" if usage == "Training" else f"; {remedy} out a tenth of Training"
            raise ValueError(f"{self.source or 'this FaceSet'} has no {usage} faces{remedy}")
        return found

    @property
    def training(self):
        """The Training faces: what a model learns from."""
        return self.part("Training")

    @property
    def public_test(self):
        """The PublicTest faces: what checkpoints and settings are selected on."""
        return self.part("PublicTest")

    @property
    def private_test(self):
        """The PrivateTest faces: scored once, at the end."""
        return self.part("PrivateTest")

    @property
    def x(self):
        """The images as a model takes them: uint8 (N, 48, 48, 1)."""
        return self.images[..., np.newaxis]

    def of(self, name):
        """Return the faces of one emotion.

        Args:
            name: one of `names`, such as "happy".

        Returns:
            A FaceSet; its labels still count as before.

        Raises:
            ValueError: `name` is not one of `names`.
        """
        return self[self.labels == self._label(name)]

    def counts(self):
        """Return a DataFrame of face counts, one row per emotion and one column per usage."""
        table = pd.crosstab(
            pd.Categorical.from_codes(self.labels, list(self.names)),
            pd.Categorical(self.usage, list(USAGES)),
            dropna=False,
        )
        table = table.reindex(index=list(self.names), columns=list(USAGES), fill_value=0)
        return table.rename_axis(index="emotion", columns="usage")

    def per_emotion(self, count, seed=0):
        """Draw the same number of faces of each emotion (murphy-size), without replacement.

        Args:
            count: the most faces of one emotion; an emotion with fewer keeps them all.
            seed: the same seed draws the same faces.

        Returns:
            A FaceSet, its faces in their old order.
        """
        return self._drawn([self.labels == label for label in range(len(self.names))], count, seed)

    def per_usage(self, count, seed=0):
        """Draw the same number of faces of each usage, without replacement.

        Where chance would leave out an emotion that a usage has, one face of it takes the place of another,
        if there are at least as many faces as emotions.

        Args:
            count: the most faces of one usage; None means all of them.
            seed: the same seed draws the same faces.

        Returns:
            A FaceSet, its faces in their old order.
        """
        if count is None:
            return self
        return self._drawn([self.usage == usage for usage in USAGES], count, seed, every_emotion=True)

    def sample(self, count, seed=0):
        """Draw faces at random without replacement, whatever their emotion and usage.

        Args:
            count: how many faces; a FaceSet with fewer keeps them all.
            seed: the same seed draws the same faces.

        Returns:
            A FaceSet, its faces in their old order.
        """
        return self._drawn([np.ones(len(self), bool)], count, seed)

    def _drawn(self, groups, count, seed, every_emotion=False):
        """Return at most `count` faces of each of `groups`, bool masks (N,)."""
        if count < 0:
            raise ValueError(f"{count} faces cannot be drawn; ask for 0 or more")
        rng = np.random.default_rng(seed)
        drawn = [rng.permutation(np.flatnonzero(group)) for group in groups]
        for rows in drawn if every_emotion else []:
            _, first = np.unique(self.labels[rows], return_index=True)
            late = first[first >= count]
            spare = np.setdiff1d(np.arange(count), first)[-len(late) :]
            if len(late) == len(spare):
                rows[spare] = rows[late]
        return self[np.sort(np.concatenate([rows[:count] for rows in drawn]))]

    def split(self, fraction=0.2, seed=0):
        """Hold out a fraction of each emotion (murphy-split).

        Of FER-2013's 28,709 Training faces a fifth is 5,744, and 22,965 stay.

        Args:
            fraction: the share of each emotion to hold out, between 0 and 1; faces are rounded up.
            seed: the same seed holds out the same faces.

        Returns:
            Two FaceSets, (rest, held out), their faces in their old order.

        Raises:
            ValueError: `fraction` does not lie between 0 and 1.
        """
        if not 0 < fraction < 1:
            raise ValueError(f"fraction must lie between 0 and 1, not {fraction}")
        rng = np.random.default_rng(seed)
        held = np.zeros(len(self), bool)
        for k in range(len(self.names)):
            rows = rng.permutation(np.flatnonzero(self.labels == k))
            held[rows[: int(np.ceil(round(fraction * len(rows), 6)))]] = True
        return self[~held], self[held]

    def drop(self, name):
        """Leave out one emotion (murphy-dropdisgust).

        Args:
            name: one of `names`.

        Returns:
            A FaceSet with one name fewer; its labels count anew from 0.

        Raises:
            ValueError: `name` is not one of `names`, or only two are left.
        """
        gone = self._label(name)
        if len(self.names) <= 2:
            raise ValueError(f"only {', '.join(self.names)} are left; drop nothing more")
        keep = self[self.labels != gone]
        names = tuple(n for n in self.names if n != name)
        targets = keep.targets
        if targets is not None:
            targets = np.delete(targets, gone, axis=1)
            targets = targets / targets.sum(axis=1, keepdims=True)
        return replace(keep, labels=keep.labels - (keep.labels > gone), names=names, targets=targets)

    def join(self, other):
        """Put two FaceSets together.

        Args:
            other: a FaceSet with the same `names`.

        Returns:
            A FaceSet: these faces, then those of `other`.

        Raises:
            ValueError: the `names` differ.
        """
        if self.names != other.names:
            raise ValueError(f"cannot join faces named {self.names} with faces named {other.names}")
        if (self.targets is None) != (other.targets is None):
            raise ValueError("cannot join faces that have targets with faces that have none")
        fields = ["images", "labels", "usage", "files"] + ["targets"] * (self.targets is not None)
        both = {f: np.concatenate([getattr(self, f), getattr(other, f)]) for f in fields}
        return replace(self, **both, notes=self.notes + other.notes)

    def has_twin_in(self, other):
        """Find twins: faces that `other` holds as well, equal in every pixel.

        Args:
            other: a FaceSet.

        Returns:
            bool (N,), True for each of these faces that has a twin in `other`.
        """
        return np.isin(self.digests, other.digests)

    @cached_property
    def digests(self):
        """A 16-byte digest of each image's pixels, bytes (N,): equal for pixel-identical images."""
        images = np.ascontiguousarray(self.images)
        return np.array([hashlib.blake2b(image, digest_size=16).hexdigest() for image in images], "S32")

    @cached_property
    def fingerprint(self):
        """16 hexadecimal digits that change with any pixel, label, usage or target, not with the order."""
        rows = sorted(zip(self.digests.tolist(), self.labels.tolist(), self.usage.tolist(), strict=True))
        digest = hashlib.sha256(repr((self.names, rows)).encode())
        if self.targets is not None:
            digest.update(
                b"".join(sorted(d + t.tobytes() for d, t in zip(self.digests, self.targets, strict=True)))
            )
        return digest.hexdigest()[:16]

    def to_tf_data(self, batch_size=64, shuffle=True, seed=0):
        """Return the faces as batches for a training loop of one's own. Needs TensorFlow.

        Args:
            batch_size: faces per batch; the last batch may be smaller.
            shuffle: whether all faces are shuffled anew each epoch.
            seed: the same seed shuffles alike.

        Returns:
            A prefetching `tf.data.Dataset` of (images uint8 (B, 48, 48, 1), labels int64 (B,)).
        """
        import tensorflow as tf

        data = tf.data.Dataset.from_tensor_slices((self.x, self.labels))
        if shuffle:
            data = data.shuffle(len(self), seed=seed)
        return data.batch(batch_size).prefetch(tf.data.AUTOTUNE)

    def save(self, path, overwrite=False):
        """Write the faces to one `.npz` file, all or nothing: an interrupted save leaves no file.

        Raises FileExistsError for a file that is there, unless `overwrite`.
        """
        check_free(path, overwrite)
        with replacing(path) as out:
            fields = {f: getattr(self, f) for f in self.__dataclass_fields__}
            if self.targets is None:
                del fields["targets"]
            notes = [(note.kind, note.text) for note in self.notes]
            np.savez(out, **fields | {"notes": np.array(notes, str).reshape(-1, 2)})

    @classmethod
    def load(cls, path):
        """Read faces that `save` wrote. Raises ValueError, naming the file, when it is something else.

        Older files hold the notes' texts alone; their kind is then "about".
        """
        try:
            with np.load(path, allow_pickle=False) as stored:
                optional = {"targets"} - set(stored.files)
                fields = {f: stored[f] for f in cls.__dataclass_fields__ if f not in optional}
            notes = fields["notes"].tolist()
            fields["notes"] = [note if isinstance(note, str) else Note(*note) for note in notes]
            fields["names"] = fields["names"].tolist()
            fields["source"] = str(fields["source"])
            return cls(**fields)
        except FileNotFoundError:
            raise
        except Exception as error:
            raise ValueError(f"{path} is not a FaceSet file ({error}); save the faces again") from error

    def _label(self, name):
        if name not in self.names:
            raise ValueError(f"no emotion {name!r} here; there are {', '.join(self.names)}")
        return self.names.index(name)


def _checked_targets(targets, shape):
    """Return targets as float32. Raises ValueError unless they are finite and have this shape."""
    targets = np.asarray(targets, np.float32)
    if targets.shape != shape:
        raise ValueError(f"targets must be {shape}, not {targets.shape}")
    if not np.isfinite(targets).all():
        raise ValueError("targets must be finite, and among these there is NaN or infinity")
    return targets


def _whole(labels):
    """Return labels as int64 (N,). Raises ValueError for anything but whole numbers, one each."""
    numbers = np.asarray(labels, float)
    if numbers.ndim != 1:
        raise ValueError(f"labels must be one number for each face, not of shape {numbers.shape}")
    wrong = numbers[~np.isfinite(numbers) | (numbers != np.rint(numbers))]
    if len(wrong):
        raise ValueError(f"labels must be whole numbers, not {wrong[0]}")
    return numbers.astype(np.int64)
