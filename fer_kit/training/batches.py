"""Which faces train and which select, and their batches, whose order follows from seed and epoch."""

import warnings
from dataclasses import replace

import keras
import numpy as np

from fer_kit.data.balancing import originals
from fer_kit.data.doctor.signatures import usages_by_pixels
from fer_kit.data.emotions import USAGES, emotion_of

TESTS = USAGES[1:]


def choose_faces(faces, validation=None, without_twins=False):
    """Return (the faces to learn from, the faces to select on), both FaceSets.

    The Training faces learn and the PublicTest faces select, unless `validation` is given. With
    `without_twins` the Training faces that have a pixel-identical twin among the others are left out, of
    FER-2013 also those with a twin among test faces that are not here, and the copies that were made of them.
    Raises ValueError when either is empty or their emotions differ.
    """
    learned = faces.training
    selecting = faces.public_test if validation is None else validation
    if not len(selecting):
        raise ValueError("validation has no faces to select on")
    if selecting.names != faces.names:
        raise ValueError(f"validation is named {selecting.names}, the training faces {faces.names}")
    if without_twins:
        kept = ~(learned.has_twin_in(faces[faces.usage != "Training"]) | learned.has_twin_in(selecting))
        kept &= ~usages_by_pixels(learned)[list(TESTS)].any(axis=1).to_numpy()
        files = originals(learned)
        kept &= (files == learned.files) | ~np.isin(files, files[~kept])
        if not _knows_twins(faces):
            lacking = " and ".join(usage for usage in TESTS if not (faces.usage == usage).any())
            warnings.warn(
                f"twins among {lacking} cannot be left out: {faces.source or 'the data'} has no such faces, "
                "and is not FER-2013, whose faces the kit knows",
                stacklevel=3,
            )
        if not kept.any():
            raise ValueError(
                f"all {len(kept):,} Training faces of {faces.source or 'the data'} have a twin among the "
                "others, and this recipe leaves such faces out: nothing is left to learn from"
            )
        if not kept.all():
            learned = learned[kept]
            print(f"{(~kept).sum():,} Training faces with a twin among the others are left out")
    return learned, selecting


def _knows_twins(faces):
    """Whether all test faces are here, or are FER-2013's, whose pixels the kit knows."""
    if all((faces.usage == usage).any() for usage in TESTS):
        return True
    return usages_by_pixels(faces.training).Training.mean() > 0.99


def plain_faces(faces):
    """Return the FaceSet of `faces`, which may be Features, its emotions in the kit's own spelling."""
    faces = getattr(faces, "faces", faces)
    names = tuple(emotion_of(name) or name for name in faces.names)
    return faces if names == faces.names else replace(faces, names=names)


def usages_of(faces):
    """Return {usage: how many faces it has, and their fingerprint}: by these a score is known later."""
    faces = plain_faces(faces)
    there = {usage: faces[faces.usage == usage] for usage in USAGES if (faces.usage == usage).any()}
    return {u: {"faces": len(part), "fingerprint": part.fingerprint} for u, part in there.items()}


def learned_facts(faces, learned, without_twins):
    """Return what a record says of the faces that a run learns from, a dict.

    `trained_on` counts FER-2013's test faces among them, by their pixels, that are not its training faces as
    well; `without_twins` is whether twins of test faces were left out, all that there are.
    """
    origin = usages_by_pixels(learned)
    foreign = origin[list(TESTS)].any(axis=1) & ~origin.Training
    trained_on = {"faces": len(learned), "fingerprint": learned.fingerprint}
    return {
        "trained_on": trained_on | {"test_faces": int(foreign.sum())},
        "without_twins": bool(without_twins and _knows_twins(faces)),
    }


def usage_in_words(faces):
    """Return the usages of a FaceSet as one name: `PublicTest + PrivateTest`, "validation" for Training."""
    usages = sorted(set(faces.usage.tolist()), reverse=True)
    return "validation" if "Training" in usages else " + ".join(usages)


def one_hot(faces):
    """Return the labels as float32 (N, K): 1 for the face's emotion, 0 for the others; or its `targets`."""
    if getattr(faces, "targets", None) is not None:
        return faces.targets
    return np.eye(len(faces.names), dtype=np.float32)[faces.labels]


class Batches(keras.utils.PyDataset):
    """Batches of (images uint8 (B, 48, 48, 1), targets float32 (B, K), weights float32 (B,)).

    Which faces are in batch i of epoch e, and how they are mixed, follows from `seed`, e and i alone.
    Therefore a training that resumes sees what it would have seen without an interruption.

    Args:
        faces: The FaceSet.
        batch_size: Faces per batch.
        seed: Decides the order and the mixing.
        mixup: The alpha of Zhang et al. 2018: each face is blended with one of its batch (seldom itself),
            with a weight drawn from Beta(alpha, alpha), and so are their targets; 0 for none.
        class_weight: {label: weight} of each face in the loss, None for 1.
        shuffle: False keeps the order of `faces`.
        devices: How many devices share each batch evenly; an epoch may leave out fewer faces than that.
        targets: float32 (N, K) in place of the labels, see `distillation`.

    Raises:
        ValueError: For a batch size that the devices cannot share evenly.
    """

    def __init__(
        self,
        faces,
        batch_size=64,
        seed=0,
        mixup=0.0,
        class_weight=None,
        shuffle=True,
        devices=1,
        targets=None,
    ):
        super().__init__()
        if batch_size % devices:
            raise ValueError(f"batches of {batch_size} faces cannot be shared evenly by {devices} devices")
        self.images = faces.x
        self.targets = one_hot(faces) if targets is None else targets
        weights = [(class_weight or {}).get(label, 1.0) for label in range(len(faces.names))]
        self.class_weight = np.array(weights, np.float32)
        self.batch_size = batch_size
        self.seed = seed
        self.mixup = mixup
        self.shuffle = shuffle
        self.count = len(faces) // devices * devices
        self.start_epoch(0)

    def __len__(self):
        return -(-self.count // self.batch_size)

    def as_dataset(self):
        """Return a `tf.data.Dataset` of the batches on TensorFlow, and the batches themselves elsewhere.

        Keras would wrap them in a generator and let tf.data autotune it. With TensorFlow 2.21 that costs up
        to a minute per epoch, because the autotune thread may sleep when an iterator is dropped, and it
        returns freed memory to the system after every step.
        """
        if keras.backend.backend() != "tensorflow":
            return self
        import tensorflow as tf

        parts = [(part.dtype, (None, *part.shape[1:])) for part in self[0]]

        def batch(number):
            tensors = tf.numpy_function(lambda n: self[int(n)], [number], [dtype for dtype, _ in parts])
            return tuple(tf.ensure_shape(t, shape) for t, (_, shape) in zip(tensors, parts, strict=True))

        options = tf.data.Options()
        options.autotune.enabled = False
        return tf.data.Dataset.range(len(self)).map(batch).prefetch(2).with_options(options)

    def start_epoch(self, epoch):
        """Shuffle for `epoch`, counted from 0. To be called before each epoch."""
        self.epoch = epoch
        self.order = np.arange(len(self.images))
        if self.shuffle:
            self.order = np.random.default_rng([self.seed, epoch]).permutation(self.order)
        self.order = self.order[: self.count]

    def __getitem__(self, number):
        rows = self.order[number * self.batch_size : (number + 1) * self.batch_size]
        images = self.images[rows]
        targets = self.targets[rows]
        if self.mixup:
            rng = np.random.default_rng([self.seed, self.epoch, number])
            images, targets = self._mix(images, targets, rng)
        return images, targets, targets @ self.class_weight

    def _mix(self, images, targets, rng):
        own = rng.beta(self.mixup, self.mixup, len(images)).astype(np.float32)[:, None]
        other = rng.permutation(len(images))
        mixed = own[..., None, None] * images + (1 - own[..., None, None]) * images[other]
        return np.rint(mixed).astype(np.uint8), own * targets + (1 - own) * targets[other]
