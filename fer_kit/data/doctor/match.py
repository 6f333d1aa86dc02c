"""Which face of the original each face of a copy is, even when its pixels were changed."""

import numpy as np

from fer_kit.data.doctor.near_duplicates import MIRRORED_TURNS, TURNS, dhash, mirrored, nearest
from fer_kit.data.doctor.signatures import mixed

TIGHT = 2
CLOSE = 4
REACH = 8
FAR_REACH = 14
SLACK = 3
"""Numbers of bits of 64 in which hashes differ. Of another dataset's faces 0.4 % have some FER-2013 face
within 2 bits, 4 % within 4 and 22 % within 8 (measured on UTKFace); of FER-2013's own, blurred with sigma
2 px, 23, 55 and 96 % have their own."""

ENOUGH = 0.02
"""A variant is taken seriously when it brings this share of the faces within TIGHT of the original."""

PROBE = 300  # faces on which a variant is tried before it is worth trying on all

VARIANTS = {
    "mirrored": mirrored,
    "upside down": lambda images: images[:, ::-1],
    "turned by 180 degrees": lambda images: images[:, ::-1, ::-1],
    "turned left": lambda images: np.rot90(images, 1, axes=(1, 2)),
    "turned right": lambda images: np.rot90(images, -1, axes=(1, 2)),
    "transposed (rows for columns)": lambda images: images.transpose(0, 2, 1),
    "negative": lambda images: 255 - images,
    **TURNS,
    **MIRRORED_TURNS,
}
"""What may have been done to a face, by name, as the function that undoes it or does it again."""


class Match:
    """Which of `original`'s faces each of the N faces of `copy` is (both `Signatures`).

    `origin` int (N,): the row in `original`, -1 when unknown; `paired` bool (N,): this face is the one
    that stands for that row (each row is given once; a face with an origin that is not paired repeats
    another); `how` str (N,): "identical", "alike" or one of `VARIANTS`; `free` bool: rows of `original`
    that no face stands for; `recognised`: whether `copy` is made from `original` at all.
    """

    def __init__(self, copy, original):
        self.copy = copy
        self.original = original
        self.origin = np.full(len(copy), -1)
        self.paired = np.zeros(len(copy), bool)
        self.how = np.full(len(copy), "", dtype="<U40")
        self.free = np.ones(len(original), bool)
        self.recognised = False

    def unknown(self):
        """Return the rows of faces that have no origin yet and are not blank."""
        return np.flatnonzero((self.origin < 0) & ~self.copy.blank)

    def pair_equal(self, agree, how):
        """Pair off faces that are equal in all that `agree` names, one to one."""
        rows = np.flatnonzero(self.origin < 0)
        free = np.flatnonzero(self.free)
        mine = _keys(self.copy, agree)[rows]
        theirs = _keys(self.original, agree)[free]
        _, i, j = np.intersect1d(_numbered(mine), _numbered(theirs), return_indices=True)
        self._pair(rows[i], free[j], how)

    def name_repeats(self):
        """Give faces that are identical to some row of the original, all paired already, that origin."""
        rows = np.flatnonzero(self.origin < 0)
        order = np.argsort(self.original.pixels)
        known = self.original.pixels[order]
        wanted = self.copy.pixels[rows]
        place = np.searchsorted(known, wanted).clip(max=len(known) - 1)
        same = known[place] == wanted
        self._name(rows[same], order[place[same]], "identical")

    def look_for(self, rows, hashes, how, reach=REACH):
        """Find origins for the faces `rows`, whose hashes uint64 (len(rows),) may be those of a variant.

        An origin lies within `reach` bits, and at most `SLACK` bits farther than the nearest row of all;
        fewer where label or usage differ.
        """
        bits, row = (found.astype(int) for found in nearest(hashes, self.original.hashes))
        for agree, limit in (
            (("labels", "usage"), np.minimum(bits + SLACK, reach)),
            (("labels",), np.minimum(bits + 1, reach)),
            ((), np.minimum(bits, TIGHT + 1)),
        ):
            mine = _keys(self.copy, agree)[rows]
            theirs = _keys(self.original, agree)
            # 1. Each face proposes the nearest row that is still free.
            # 2. Where two propose one row, the nearer wins and the other proposes again: each group twice.
            for group in np.repeat(np.unique(mine), 2):
                wanting = np.flatnonzero((mine == group) & (self.origin[rows] < 0))
                free = np.flatnonzero((theirs == group) & self.free)
                if len(wanting) and len(free):
                    won, place = _first_come(hashes[wanting], self.original.hashes[free], limit[wanting])
                    self._pair(rows[wanting[won]], free[place], how)
        # 3. What is still unpaired but close to a row is a repeated photograph.
        repeats = (self.origin[rows] < 0) & (bits <= CLOSE)
        self._name(rows[repeats], row[repeats], how)

    def _name(self, rows, origins, how):
        self.origin[rows] = origins
        self.how[rows] = how

    def _pair(self, rows, origins, how):
        self._name(rows, origins, how)
        self.paired[rows] = True
        self.free[origins] = False


def match(images, copy, original, seed=0):
    """Find the faces of `copy` in `original` (both `Signatures`). Returns a `Match`.

    `images` uint8 (N, 48, 48) are the copy's. Equal pixels are paired first, then equal hashes, then
    near hashes, then those of mirrored, turned and negative variants where a sample shows there are some.
    """
    found = Match(copy, original)
    rng = np.random.default_rng(seed)
    for agree in (("pixels", "labels", "usage"), ("pixels", "labels"), ("pixels",)):
        found.pair_equal(agree, "identical")
    found.name_repeats()
    for agree in (("hashes", "labels", "usage"), ("hashes", "labels")):
        found.pair_equal(agree, "alike")
    real = ~copy.blank
    found.recognised = bool(real.any() and (found.origin[real] >= 0).mean() >= ENOUGH)
    _look_for_changed(found, rng)
    for how, alter in VARIANTS.items():
        rows = found.unknown()
        bits, _ = nearest(dhash(alter(images[rng.permutation(rows)[:PROBE]])), original.hashes)
        if _enough(bits):
            found.recognised |= bool((bits <= TIGHT).mean() > 0.1)
            found.look_for(rows, dhash(alter(images[rows])), how)
    return found


def _enough(bits):
    return (bits <= TIGHT).sum() > max(ENOUGH * len(bits), 2)


def _look_for_changed(found, rng):
    """Look for faces of which the pixels were changed but not the place: blur, light, compression."""
    rows = found.unknown()
    copy = found.copy
    original = found.original
    probe = rng.permutation(rows)[:PROBE]
    bits, row = nearest(copy.hashes[probe], original.hashes)
    if found.recognised or _enough(bits):
        found.recognised = True
        found.look_for(rows, copy.hashes[rows], "alike")
    elif _labels_agree(copy.labels[probe], original.labels[row], bits):
        found.recognised = True
        found.look_for(rows, copy.hashes[rows], "alike", FAR_REACH)


def _labels_agree(labels, nearest_labels, bits):
    """Whether far neighbours nonetheless have the same label: of strangers a fifth do, of a strongly
    filtered copy (CLAHE) three quarters. Mean over at least three emotions of ten faces each."""
    near = bits <= FAR_REACH
    common = [k for k in np.unique(labels[near]) if (labels[near] == k).sum() >= 10]
    shares = [(nearest_labels[near & (labels == k)] == k).mean() for k in common]
    return len(shares) >= 3 and np.mean(shares) > 0.5


def _first_come(hashes, others, limit):
    """Give each of `hashes` its nearest of `others` within `limit` bits (len(hashes),), none of them twice.

    Of several that want one, the nearest has it. Returns the (rows, others) that came together.
    """
    bits, place = nearest(hashes, others)
    order = np.argsort(bits, kind="stable")
    order = order[bits[order] <= limit[order]]
    _, first = np.unique(place[order], return_index=True)
    return order[first], place[order[first]]


def _keys(side, agree):
    """Return one uint64 per face, equal for faces that agree in all that `agree` names."""
    keys = np.zeros(len(side), np.uint64)
    for name in agree:
        keys = mixed(keys * np.uint64(3), getattr(side, name))
    return keys


def _numbered(keys):
    """Make equal keys unlike by counting them: the first 7, the second 7, the third 7."""
    order = np.argsort(keys, kind="stable")
    count = np.empty(len(keys), np.int64)
    count[order] = np.arange(len(keys)) - np.searchsorted(keys[order], keys[order])
    return mixed(keys * np.uint64(5), count)
