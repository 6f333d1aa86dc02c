"""The second task of zhao-fig1, gender: its faces, a fair split of them, and errors by group."""

import hashlib

import numpy as np
import pandas as pd

from fer_kit.data.faceset import Note
from fer_kit.data.sample.people import HAIR, draw_hair_sample
from fer_kit.data.utkface import load_utkface, people
from fer_kit.evaluation import metrics
from fer_kit.evaluation.scores import recorded_scores
from fer_kit.runtime import settings

AGE_BANDS = (0, 10, 20, 30, 40, 50, 60, 70, 120)
"""Lowest ages of the bands, in years, and the end of the last one."""


def load_gender_faces(path=None):
    """Return UTKFace as a `FaceSet` split by `split_by_hash`, labels 0 male and 1 female.

    `path` is what `load_utkface` reads. Without it, takes a file or folder whose name begins with
    `utkface` beside FER-2013, and where there is none, drawn faces with short or long hair
    (`draw_hair_sample`); prints which. Raises as `load_utkface` does.
    """
    found = path or find_utkface()
    faces = split_by_hash(load_utkface(found) if found else draw_hair_sample())
    if path is None:
        print(faces)
        if not found:
            print("No UTKFace here: put its archive at data/utkface.zip. The labels of these faces are hair.")
    return faces


def find_utkface():
    """Return the Path of the UTKFace that lies where FER-2013 lies or should lie, or None."""
    near = settings.data_path()
    folder = near if near is None or near.is_dir() else near.parent
    if folder is None or not folder.is_dir() or str(near) == "sample":
        return None
    return next((p for p in sorted(folder.iterdir()) if p.name.lower().startswith("utkface")), None)


def split_by_hash(faces):
    """Return `faces` with a fifth of them PrivateTest, a tenth PublicTest, the others Training.

    A hash of the file name decides, so everybody gets the same split, and a face keeps its usage when others
    are added or removed. Photographs of one person must not lie on both sides. UTKFace does not say who is
    who, but its names say when each was collected, and those of one minute, likely of one search, stay
    together. A PublicTest face with the same `coarse_picture` as a PrivateTest face, and a Training face with
    that of either, is left out and counted in `notes`.
    """
    share = np.array([_share(_sitting(name)) for name in faces.files])
    usage = np.select([share < 0.2, share < 0.3], ["PrivateTest", "PublicTest"], "Training")
    picture = coarse_picture(faces.images)
    private = usage == "PrivateTest"
    public = usage == "PublicTest"
    copy = ~private & np.isin(picture, picture[private])
    copy |= ~(private | public) & np.isin(picture, picture[public])
    notes = faces.notes
    if copy.any():
        text = f"{copy.sum():,} faces left out that look the same as a test face"
        notes += (Note("left out", text),)
    split = type(faces)(faces.images, faces.labels, usage, faces.names, faces.files, faces.source, notes)
    return split[~copy]


def coarse_picture(images):
    """Return 64 bits per image as bytes (N,): which of 8x8 fields are lighter than the image's mean."""
    fields = images.reshape(len(images), 8, 6, 8, 6).mean((2, 4))
    bits = fields > fields.mean((1, 2), keepdims=True)
    return np.packbits(bits.reshape(-1, 64), axis=1).view("V8")[:, 0]


def _sitting(name):
    """The minute in which a file named as in UTKFace was collected; otherwise the file's own name."""
    parts = name.rpartition("/")[2].split("_")
    minute = parts[3][:12] if len(parts) > 3 else ""
    return minute if minute.isdigit() else name


def _share(text):
    """A number from 0 to 1 that depends on the text alone."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "big") / 2**32


def traits(faces):
    """Return a DataFrame (N rows) of what is known about the people besides the label.

    UTKFace: `age band`, in years, and `group`, in the archive's own five words. Drawn faces: `lines`
    (smooth or lined) and `skin` (light or dark).
    """
    if faces.names == HAIR:
        words = [name.rpartition("/")[2].split("_") for name in faces.files]
        return pd.DataFrame(words, columns=["lines", "skin", "number"])[["lines", "skin"]]
    table = people(faces)
    names = [f"{low}-{high - 1}" for low, high in zip(AGE_BANDS, AGE_BANDS[1:], strict=False)]
    names[-1] = f"{AGE_BANDS[-2]} and over"
    bands = pd.cut(table.age, AGE_BANDS, right=False, labels=names)
    return pd.DataFrame({"age band": bands, "group": table.group})


def errors_by(scores, trait):
    """Return a DataFrame with a row per value of `trait`: faces, wrong, error, low, high.

    `scores` is a `Scores`, `trait` holds one value per scored face, such as `traits(scores.scored).group`.
    `error` is wrong / faces, 0-1, and (low, high) its 95 % Wilson interval.
    """
    answers = pd.DataFrame({"wrong": ~scores.right, "of": np.asarray(trait)})
    if isinstance(getattr(trait, "dtype", None), pd.CategoricalDtype):
        answers["of"] = answers.of.astype(trait.dtype)
    table = answers.groupby("of", observed=True).wrong.agg(faces="size", wrong="sum")
    ends = [metrics.wilson(wrong, faces) for faces, wrong in table.to_numpy().tolist()]
    table["error"] = table.wrong / table.faces
    table[["low", "high"]] = np.array(ends).reshape(-1, 2)
    return table.rename_axis(getattr(trait, "name", None) or "part")


def chooser_and_judge(run):
    """Return the `Scores` of a recorded run on PublicTest, which may choose, and on PrivateTest.

    Raises as `evaluation.recorded_scores` does.
    """
    return recorded_scores(run), recorded_scores(run, "PrivateTest")


def record_errors(run, scores):
    """Write the errors by each of `traits`, and by label within the last one, into a run's metrics.json.

    Returns {name: table of `errors_by`}.
    """
    known = traits(scores.scored)
    last = known.columns[-1]
    label = np.array(scores.scored.names)[scores.scored.labels]
    known[f"{last} and label"] = known[last] + ", " + label
    tables = {name: errors_by(scores, known[name]) for name in known}
    for name, table in tables.items():
        run.add_scores(f"{scores.usage} errors by {name}", table.to_dict("index"))
    return tables
