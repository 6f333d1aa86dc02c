"""Brightness, contrast and sharpness of every face, blank faces, and usages that differ in them."""

import numpy as np
import pandas as pd

BLANK = 2.0
"""A face whose pixels have a standard deviation below this many grey levels is blank. FER-2013 has
thirteen such images, at 0 to 0.7 levels; its flattest real face has 4.1."""

EFFECT = 0.25
STEPS_OF_CHANCE = 5.0
"""A usage differs when its median is off by 0.25 standard deviations of the faces AND by five standard
errors. FER-2013's own usages differ by at most 0.05; blurring with sigma 0.5 px moves sharpness by 1.4."""

CHUNK = 2048


def measure(images):
    """Measure every face of `images` uint8 (N, 48, 48).

    Returns a DataFrame of N rows: `brightness`, the mean grey level (0-255); `contrast`, the standard
    deviation (0-127.5 grey levels); `sharpness`, in octaves: log2(1 + variance of the Laplacian),
    which falls by about 4 when a face is blurred with sigma 1 px (Pech-Pacheco et al. 2000). The
    logarithm and the use of medians keep a few drawings and watermarks from ruling the result; the
    outermost pixels are left out, so that no padding invents edges.
    """
    parts = [_measure_some(images[k : k + CHUNK]) for k in range(0, len(images), CHUNK)]
    table = np.concatenate(parts) if parts else np.zeros((0, 3))
    return pd.DataFrame(table, columns=["brightness", "contrast", "sharpness"])


def _measure_some(images):
    grey = images.astype(np.int16)
    neighbours = grey[:, :-2, 1:-1] + grey[:, 2:, 1:-1] + grey[:, 1:-1, :-2] + grey[:, 1:-1, 2:]
    laplacian = (neighbours - 4 * grey[:, 1:-1, 1:-1]).reshape(len(grey), -1)
    flat = grey.reshape(len(grey), -1)
    sharpness = np.log2(1 + laplacian.var(axis=1, dtype=np.float32))
    return np.stack([flat.mean(1, dtype=np.float32), flat.std(1, dtype=np.float32), sharpness], axis=1)


def is_blank(measures):
    """Return a bool mask (N,): the faces with no picture in them, by `measure`'s contrast."""
    return (measures["contrast"] < BLANK).to_numpy()


def medians(measures, groups):
    """Return {group: {measure: median}}, rounded to 2 decimals, for the values of `groups` (N,)."""
    table = measures.astype(float).groupby(np.asarray(groups)).median().round(2)
    return {str(group): {k: float(v) for k, v in row.items()} for group, row in table.iterrows()}


def usages_that_differ(measures, labels, usage):
    """Find measures in which one usage is unlike the others by more than chance.

    `measures` as from `measure`, `labels` int (N,), `usage` str (N,). Emotions differ by nature (a
    surprised face is brighter), so each emotion's median is taken off first. Returns
    {measure: (usage, effect)}, the effect in standard deviations of the other usages' faces,
    for the usage that stands out most. Usages of fewer than 30 faces are not judged.
    """
    judged = [u for u in np.unique(usage) if (usage == u).sum() >= 30]
    found = {}
    for name in measures if len(judged) > 1 else ():
        values = measures[name] - measures[name].groupby(labels).transform("median")
        effects = {u: _effect(values[usage == u], values[usage != u]) for u in judged}
        effects = {u: effect for u, (effect, z) in effects.items() if effect and z > STEPS_OF_CHANCE}
        strongest = max(effects, key=lambda u: abs(effects[u]), default=None)
        if strongest is not None and abs(effects[strongest]) > EFFECT:
            found[name] = (str(strongest), round(float(effects[strongest]), 2))
    return found


def _effect(values, others):
    """Return (difference of medians in robust standard deviations, the same in standard errors)."""
    middle = np.median(others)
    spread = max(1.4826 * np.median(np.abs(others - middle)), 1e-3)
    effect = (np.median(values) - middle) / spread
    # The median of n normal values has a standard error of 1.253 sd / sqrt(n).
    return effect, abs(effect) / (1.253 * np.sqrt(1 / len(values) + 1 / len(others)))
