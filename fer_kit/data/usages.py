"""The three usages of a dataset that lacks some: FER-2013's are known, others are held out of Training."""

from dataclasses import replace

import numpy as np

from fer_kit.data.doctor.match import match
from fer_kit.data.doctor.signatures import Signatures
from fer_kit.data.emotions import USAGES
from fer_kit.data.faceset import Note

SHARE = 0.1
"""How much of Training is held out for a missing usage, where nothing else is said; FER-2013 has a tenth
of its faces in each of its test sets."""

SEED = 0
"""Decides which faces are held out: the same ones for training and for scoring."""


def missing_usages(faces):
    """Return the usages that have no face, a list."""
    present = set(faces.usage.tolist())
    return [usage for usage in USAGES if usage not in present]


def give_back(faces):
    """Give FER-2013's faces the usages that they have there, in a copy that lacks a usage.

    Most copies have two folders, train and test. Faces are recognised by their pixels, altered ones by their
    hashes; those that are not recognised keep the usage of their folder. A copy with all three usages and a
    dataset that is not FER-2013 come back as they are.

    Args:
        faces: a FaceSet.

    Returns:
        A FaceSet, sorted by usage as the original is, with a `Note` on how many were recognised.
    """
    missing = missing_usages(faces)
    if not missing or not len(faces):
        return faces
    original = Signatures.load()
    found = match(faces.images, Signatures.of(faces), original)
    known = found.origin >= 0
    if not found.recognised:
        return faces
    usage = faces.usage.copy()
    usage[known] = np.array(USAGES)[original.usage[found.origin[known]]]
    moved = (usage != faces.usage).sum()
    if not moved:
        return faces
    text = (
        f"no {' and no '.join(missing)} faces here, but {known.sum():,} of {len(faces):,} are FER-2013's and "
        f"have their usage from there: {moved:,} changed theirs"
    )
    order = np.argsort([USAGES.index(u) for u in usage], kind="stable")
    return replace(faces, usage=usage, notes=(*faces.notes, Note("about", text)))[order]


def hold_out(faces, share=SHARE, seed=SEED):
    """Hold out a share of the Training faces for each usage that has none.

    Args:
        faces: a FaceSet.
        share: how much of each emotion's Training faces a missing usage gets, between 0 and 1, rounded up; a
            second one gets it of those that are left. An emotion with a single face keeps it.
        seed: the same seed holds out the same faces.

    Returns:
        A FaceSet with the three usages, with a `Note` on what was held out; as it was when none is missing.

    Raises:
        ValueError: `share` does not lie between 0 and 1, or there are no Training faces to hold out.
    """
    if not 0 < share < 1:
        raise ValueError(f"the share to hold out must lie between 0 and 1, not {share}")
    for usage in missing_usages(faces):
        if usage == "Training":
            raise ValueError(
                f"{faces.source} has no Training faces, only test faces; nothing can be held out of them. "
                f"Ask for {' or '.join(sorted(set(faces.usage.tolist())))}"
            )
        faces = _held_out(faces, usage, share, seed)
    return faces


def _held_out(faces, usage, share, seed):
    training = np.flatnonzero(faces.usage == "Training")
    counts = np.bincount(faces.labels[training], minlength=len(faces.names))
    enough = training[counts[faces.labels[training]] > 1]
    if not len(enough):
        raise ValueError(f"{faces.source} has too few Training faces to hold out any for {usage}")
    part = replace(faces[enough], files=enough.astype(str))  # `split` tells which rows it took
    held = part.split(share, seed)[1].files.astype(int)
    usages = faces.usage.copy()
    usages[held] = usage
    text = (
        f"there were no {usage} faces: {len(held):,} of {len(training):,} Training faces, {share:.0%} of "
        f"each emotion (seed {seed}), are held out as {usage}"
    )
    return replace(faces, usage=usages, notes=(*faces.notes, Note("about", text)))
