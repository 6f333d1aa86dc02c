"""Who is who from frame to frame, and what each face has shown so far.

An identity here is a place in the picture that moves little between two looks, nothing more: nobody is
recognised, and who leaves and comes back later gets a new number.
"""

import numpy as np
from scipy.optimize import linear_sum_assignment

from fer_kit.camera.boxes import overlap

LEAST_OVERLAP = 0.2
"""Boxes that overlap less are two faces; a head moves less than its own width in five frames."""


def match(before, now, least=LEAST_OVERLAP):
    """Return pairs (i, k): box `before[i]` and box `now[k]` are the same face.

    Both are lists of boxes. Of all one-to-one matchings it is the one with the largest sum of overlaps
    (Kuhn's Hungarian algorithm, 1955); pairs that overlap less than `least`, 0-1, are left out.
    """
    if not before or not now:
        return []
    overlaps = np.array([[overlap(a, b) for b in now] for a in before])
    overlaps[overlaps < least] = 0
    rows, columns = linear_sum_assignment(overlaps, maximize=True)
    return [(int(i), int(k)) for i, k in zip(rows, columns, strict=True) if overlaps[i, k] > 0]


class Smoother:
    """Each face's probabilities, smoothed over time apart from every other face's.

    `past` is the weight, 0-1, of what was shown so far against what is seen now (an exponential moving
    average); 0 turns it off. One window for all faces, a common bug, would mix people up.
    """

    def __init__(self, past=0.7):
        if not 0 <= past < 1:
            raise ValueError(f"past is the weight of the past, from 0 to below 1; not {past}")
        self.past = past
        self.shown = {}

    def update(self, ids, probabilities):
        """Return float32 (N, K): the smoothed probabilities of the faces `ids` (N,) given those seen now.

        The first time a face is seen nothing is smoothed.
        """
        for face, seen in zip(ids, np.asarray(probabilities, np.float32), strict=True):
            before = self.shown.get(face, seen)
            self.shown[face] = self.past * before + (1 - self.past) * seen
        return np.array([self.shown[face] for face in ids], np.float32).reshape(np.shape(probabilities))

    def forget(self, alive):
        """Forget all faces but those `alive`: a day at the camera must not fill the memory."""
        self.shown = {face: shown for face, shown in self.shown.items() if face in alive}
