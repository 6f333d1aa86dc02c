"""How the pixels of a copy differ from the original's: sharpness, brightness, contrast, place, direction."""

import numpy as np

from fer_kit.data.doctor.findings import GET_AGAIN, Finding, listed
from fer_kit.data.doctor.signatures import UNITS
from fer_kit.data.emotions import USAGES

TOLERANCE = {"sharpness": (0.35, 0.12), "brightness": (8, 2), "contrast": (6, 1.5)}
"""How far one changed face, and the median of all changed faces, may be off before it is worth a word, in
octaves and grey levels. Rounding noise of 1 grey level and JPEG at quality 75 stay below."""

WORDS = {
    "sharpness": ("blurrier (blurred, median-filtered or upscaled)", "sharper or noisier"),
    "brightness": ("darker", "brighter"),
    "contrast": ("flatter", "harder in contrast"),
}

SHIFTED_BITS = 5
"""From this many differing bits of 64 on, a face shows other content. A blur of 1 px reaches it for 1 % of
faces, a zoom of 5 % for half."""


def check_pixels(faces, found, facts):
    """Return findings on changed sharpness, brightness, contrast and content; note the amounts in `facts`.

    `faces` a FaceSet, `found` its `Match` with the original.
    """
    facts |= {"sharpness_ratio": 1.0, "brightness_shift": 0.0, "contrast_ratio": 1.0}
    changed = found.paired & (found.how != "identical") & ~found.copy.blank
    if changed.sum() < max(3, 0.001 * len(changed)):
        return []
    findings = []
    for name in TOLERANCE:
        before = getattr(found.original, name)[found.origin[changed]] * UNITS[name]
        after = getattr(found.copy, name)[changed] * UNITS[name]
        amount = _amount(name, before, after, facts)
        off, up = _off(after - before, *TOLERANCE[name])
        if off.any():
            where = _where(faces, np.flatnonzero(changed)[off])
            text = f"{where} {WORDS[name][up]} than the original's: {amount}. {GET_AGAIN}"
            findings.append(Finding(name, "error", text))
    return findings + _shifted(found, changed, facts)


def _off(shift, one, middle):
    """Return (bool mask of the faces that are off, 1 for upwards or 0) for the differences of one measure."""
    median = np.median(shift)
    if abs(median) > middle:
        return shift * median > 0, int(median > 0)
    off = np.abs(shift) > one
    off &= off.sum() > 0.1 * len(off)  # a few drawings and watermarks always are
    return off, int(off.any() and np.median(shift[off]) > 0)


def _amount(name, before, after, facts):
    """Note in `facts` by how much a measure changed in the median of the changed faces; say it in words."""
    shift = np.median(after - before)
    if name == "sharpness":
        facts["sharpness_ratio"] = round(float(2**shift), 3)
        return f"the median variance of the Laplacian is {2**shift:.2g} times as large"
    if name == "contrast":
        facts["contrast_ratio"] = round(float(np.median(after / np.maximum(before, 1))), 3)
        return f"the median standard deviation is {facts['contrast_ratio']:.2f} times as large"
    facts["brightness_shift"] = round(float(shift), 1)
    return f"{shift:+.0f} grey levels in the median"


def _where(faces, rows):
    """Return "3,589 of 3,589 PrivateTest faces are" for the usages that `rows` lie in."""
    usage = faces.usage[rows]
    parts = []
    for name in USAGES:
        count = (usage == name).sum()
        total = (faces.usage == name).sum()
        if count > 0.01 * len(rows):
            parts.append(f"{count:,} of {total:,} {name}")
    return f"{' and '.join(parts)} faces are"


def _shifted(found, changed, facts):
    alike = changed & (found.how == "alike")
    bits = np.bitwise_count(found.copy.hashes[alike] ^ found.original.hashes[found.origin[alike]])
    facts["hash_distance"] = round(float(bits.mean()), 2) if len(bits) else 0.0
    moved = (bits >= SHIFTED_BITS).sum()
    if moved <= 0.1 * len(bits):
        return []
    text = (
        f"In {moved:,} faces the picture itself changed: shifted, cropped, turned by some degrees or "
        f"filtered strongly (hashes differ in {facts['hash_distance']:.1f} of 64 bits on average). "
        f"{GET_AGAIN}"
    )
    return [Finding("picture-changed", "error", text)]


def check_variants(found, facts):
    """Return findings on faces that stand mirrored, turned or negative in place of the original's."""
    variant = found.paired & ~np.isin(found.how, ("identical", "alike"))
    names, counts = np.unique(found.how[variant], return_counts=True)
    most = sorted(zip(names.tolist(), counts.tolist(), strict=True), key=lambda item: -item[1])
    facts["variants"] = dict(most)
    if variant.sum() <= 0.005 * len(variant):
        return []
    text = f"Faces do not stand as in the original: {listed(most)}. {GET_AGAIN}"
    return [Finding("variants", "error", text)]
