"""What FER-2013's faces look like to a computer, in 16 bytes each, and which of them a copy holds.

`python -m maintain signatures --data PATH` makes the reference that the kit ships anew from the archive. It
holds facts about the images (hash, label, usage, brightness, contrast, sharpness), not images.
"""

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pandas as pd

from fer_kit.data.doctor.near_duplicates import dhash
from fer_kit.data.doctor.quality import BLANK, measure
from fer_kit.data.emotions import EMOTIONS, USAGES
from fer_kit.runtime.files import replacing

REFERENCE = Path(__file__).with_name("fer2013_signatures.npz")

OTHER = 255  # the label of a face whose name is none of the seven emotions

UNITS = {"brightness": 1.0, "contrast": 0.5, "sharpness": 1 / 16}
"""What one step of the stored uint8 stands for: grey levels, grey levels, octaves."""


@dataclass(frozen=True)
class Signatures:
    """What is known of each of N faces: `hashes` uint64, `digests` uint32 (equal for equal pixels),
    `labels` uint8 (index into EMOTIONS, 255 for another name), `usage` uint8 (index into USAGES),
    `brightness`, `contrast`, `sharpness` uint8 in steps of `UNITS`; `fingerprint` of the whole FaceSet.
    """

    hashes: np.ndarray
    digests: np.ndarray
    labels: np.ndarray
    usage: np.ndarray
    brightness: np.ndarray
    contrast: np.ndarray
    sharpness: np.ndarray
    fingerprint: str

    @classmethod
    def of(cls, faces, measures=None):
        """Return the signatures of a FaceSet; `measures` as from `quality.measure`, if at hand."""
        measures = measure(faces.images) if measures is None else measures
        codes = np.array([EMOTIONS.index(n) if n in EMOTIONS else OTHER for n in faces.names], np.uint8)
        steps = {k: np.round(measures[k].to_numpy() / unit) for k, unit in UNITS.items()}
        return cls(
            hashes=dhash(faces.images),
            digests=np.array([int(digest[:8], 16) for digest in faces.digests], np.uint32),
            labels=codes[faces.labels],
            usage=np.array([USAGES.index(u) for u in faces.usage], np.uint8),
            fingerprint=faces.fingerprint,
            **{name: values.clip(0, 255).astype(np.uint8) for name, values in steps.items()},
        )

    @classmethod
    def load(cls, path=REFERENCE):
        """Read signatures that `save` wrote, by default FER-2013's."""
        with np.load(path, allow_pickle=False) as stored:
            values = {f.name: stored[f.name] for f in fields(cls)}
        return cls(**values | {"fingerprint": str(values["fingerprint"])})

    def save(self, path=REFERENCE):
        """Write the signatures to a compressed `.npz`, all or nothing."""
        with replacing(path) as file:
            np.savez_compressed(file, **vars(self))

    def __len__(self):
        return len(self.hashes)

    @property
    def blank(self):
        """The faces without a picture, bool (N,)."""
        return self.contrast * UNITS["contrast"] < BLANK

    @property
    def pixels(self):
        """One uint64 per face, equal for pixel-identical faces."""
        return mixed(self.hashes, self.digests)


def usages_by_pixels(faces):
    """Return in which usages FER-2013 has each of the `faces`, equal in every pixel.

    A DataFrame of bool, a row per face and a column per usage.
    """
    known = Signatures.load()
    numbers = np.array([int(digest[:8], 16) for digest in faces.digests], np.uint32)
    rows = np.flatnonzero(np.isin(numbers, known.digests))  # hashes take longer, and are needed of few faces
    pixels = mixed(dhash(faces.images[rows]), numbers[rows])
    found = pd.DataFrame(False, index=range(len(faces)), columns=list(USAGES))
    for code, usage in enumerate(USAGES):
        found.loc[rows, usage] = np.isin(pixels, known.pixels[known.usage == code])
    return found


def mixed(keys, numbers):
    """Return uint64 (N,) that are equal where both `keys` uint64 (N,) and `numbers` int (N,) are."""
    return keys ^ (numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15))  # 2**64 / golden ratio
