"""Faces that are nearly the same picture: difference hashes, searched pair by pair, checked on pixels."""

from dataclasses import dataclass

import numpy as np

from fer_kit.data.faceset import MIDDLE, SIZE

CELLS = 8
"""A hash has a bit for each of 8 x 8 cells of a face."""

RADIUS = 6
"""Hashes of one photo in two versions differ in at most this many of 64 bits, nearly always."""

SAME_PHOTO = 0.92
"""Two faces whose pixels correlate this well are one photo. Of FER-2013's pairs between 0.92 and 0.96
nearly all are (another crop, light or watermark); below 0.88 different people begin."""

CHUNK = 2048  # faces whose pixels are looked at in one go
ROWS = 8  # hashes compared with all others at a time: small enough for the processor's cache


def dhash(images):
    """Return the 64-bit difference hash of each face, uint64 (N,), of `images` uint8 (N, 48, 48).

    The face is shrunk to 8 x 9 cells; a bit says whether a cell is darker than its right neighbour
    (N. Krawetz, 2013, "Kind of like that"). Brightness, contrast, blur and re-encoding hardly
    change it. Whole numbers throughout, so every machine finds the same bits.
    """
    hashes = [_dhash_some(images[k : k + CHUNK]) for k in range(0, len(images), CHUNK)]
    return np.concatenate(hashes) if hashes else np.zeros(0, np.uint64)


def _dhash_some(images):
    rows = images.reshape(-1, CELLS, SIZE // CELLS, SIZE).sum(axis=2, dtype=np.uint16)
    # 48 columns make nine cells of 16 thirds of a column each.
    thirds = np.repeat(rows, 3, axis=2).reshape(-1, CELLS, CELLS + 1, 3 * SIZE // (CELLS + 1))
    cells = thirds.sum(axis=3, dtype=np.uint16)
    bits = (cells[:, :, 1:] > cells[:, :, :-1]).reshape(-1, CELLS * CELLS)
    return np.packbits(bits, axis=1).view(np.uint64).ravel()


def _rotated(degrees):
    def rotate(images):
        import cv2

        matrix = cv2.getRotationMatrix2D((MIDDLE, MIDDLE), degrees, 1.0)
        turned = [cv2.warpAffine(i, matrix, (SIZE, SIZE), borderMode=cv2.BORDER_REFLECT_101) for i in images]
        return np.array(turned, np.uint8).reshape(-1, SIZE, SIZE)

    return rotate


def mirrored(images):
    """Return `images` (N, 48, 48) with left and right exchanged."""
    return images[:, :, ::-1]


ANGLES = (4, -4, 8, -8, 12, -12)
TURNS = {f"turned by {a} degrees": _rotated(a) for a in ANGLES}
MIRRORED_TURNS = {
    f"mirrored and {name}": (lambda images, turn=turn: turn(mirrored(images))) for name, turn in TURNS.items()
}


def close_pairs(hashes, others, radius=RADIUS):
    """Return pairs (P, 2) of rows i < j where `hashes[i]` and `others[j]` differ in <= `radius` bits.

    Both uint64 (N,). Every pair is looked at: 36,000 faces make 644 million pairs, some 2 seconds.
    """
    found = []
    for start in range(0, len(hashes), ROWS):
        bits = np.bitwise_count(hashes[start : start + ROWS, None] ^ others[None, start:])
        i, j = np.divmod(np.flatnonzero(bits <= radius), bits.shape[1])
        found.append(np.stack([i, j], axis=1)[i < j] + start)
    return np.concatenate(found) if found else np.zeros((0, 2), np.int64)


def nearest(hashes, others, not_row=None):
    """Return (bits, row): how far the nearest of `others` is from each of `hashes`, and which it is.

    uint64 (N,) and (M,), M > 0; `not_row` int (N,) names for each hash a row of `others` to pass over.
    """
    bits = np.zeros(len(hashes), np.uint8)
    row = np.zeros(len(hashes), np.int64)
    for start in range(0, len(hashes), ROWS):
        some = slice(start, start + ROWS)
        distance = np.bitwise_count(hashes[some, None] ^ others[None, :])
        if not_row is not None:
            distance[np.arange(len(distance)), not_row[some]] = 255
        row[some] = distance.argmin(axis=1)
        bits[some] = distance[np.arange(len(distance)), row[some]]
    return bits, row


def correlation(images, others):
    """Return the pixel correlation, float32 (N,) in [-1, 1], of faces (N, 48, 48) with `others`."""
    parts = []
    for k in range(0, len(images), CHUNK):
        one = _standardised(images[k : k + CHUNK])
        other = _standardised(others[k : k + CHUNK])
        parts.append(np.einsum("np,np->n", one, other))
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def _standardised(images):
    flat = images.reshape(len(images), -1).astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    return flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)


@dataclass(frozen=True)
class NearDuplicates:
    """Nearly identical faces: `same` and `mirrored` pairs of rows (P, 2); `turned_share`, the share of
    faces, 0-1, that another face repeats turned by a few degrees (found on a random part of them)."""

    same: np.ndarray
    mirrored: np.ndarray
    turned_share: float


def near_duplicates(images, hashes, rows, probe=1000, seed=0):
    """Find faces that are altered copies of one another. Returns `NearDuplicates`.

    `images` uint8 (N, 48, 48), `hashes` uint64 (N,) theirs, `rows` the faces to look at: leave out
    blank faces and all but one of each pixel-identical group.
    """
    images = images[rows]
    hashes = hashes[rows]
    same = close_pairs(hashes, hashes)
    same = same[_same_photo(images[same[:, 0]], images[same[:, 1]])]
    mirror = close_pairs(hashes, dhash(mirrored(images)))
    mirror = mirror[_same_photo(images[mirror[:, 0]], mirrored(images[mirror[:, 1]]))]
    chosen = np.random.default_rng(seed).permutation(len(rows))[:probe]
    turned = _turned(images, hashes, chosen) if len(rows) > 1 else np.zeros(0)
    return NearDuplicates(rows[same], rows[mirror], float(turned.mean()) if len(turned) else 0.0)


def _turned(images, hashes, chosen):
    """Return a bool mask over `chosen`: those that another face repeats, turned by a few degrees."""
    found = np.zeros(len(chosen), bool)
    for turn in (*TURNS.values(), *MIRRORED_TURNS.values()):
        turned = turn(images[chosen])
        bits, row = nearest(dhash(turned), hashes, not_row=chosen)
        close = np.flatnonzero(bits <= RADIUS)
        fits = correlation(turned[close], images[row[close]])
        # A face that fits no worse unturned, or only mirrored, is a near duplicate of another kind.
        face = images[chosen[close]]
        other = images[row[close]]
        unturned = np.maximum(correlation(face, other), correlation(mirrored(face), other))
        found[close] |= (fits >= SAME_PHOTO) & (fits > unturned)
    return found


def _same_photo(images, others):
    return correlation(images, others) >= SAME_PHOTO
