"""FER+: what ten people chose for each face of FER-2013 (Barsoum et al. 2016), in place of its labels."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from fer_kit.data.doctor.match import match
from fer_kit.data.doctor.signatures import Signatures
from fer_kit.data.emotions import EMOTIONS, emotion_of
from fer_kit.data.faceset import Note
from fer_kit.data.files.reading import read_dataset

OTHERS = ("contempt", "unknown", "NF")
"""What else people could choose: an eighth emotion, "I can't tell" and "not a face"."""

_LINE = re.compile(r"(?:.* )?line (\d+)")


def with_votes(faces, path, soft=False):
    """Give faces of FER-2013 the labels that most of ten people chose.

    A face is left out when most chose contempt, unknown or "not a face", and when two emotions tie.

    Args:
        faces: a FaceSet read from fer2013.csv, whose rows are in the order of the votes; or images that are
            named as in the votes (`fer0000000.png`); or any images of FER-2013, when fer2013.csv lies beside
            the votes.
        path: `fer2013new.csv` with the columns Usage, Image name, the seven emotions, contempt, unknown, NF.
        soft: also make the shares of the votes for the seven emotions the `targets` to learn from.

    Returns:
        A FaceSet with a `Note` on what changed and what was left out.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it lacks a column, its votes are no counts, its rows are not those of the faces, or it
            leaves no face.
    """
    path = Path(path).expanduser()
    table = _read(path)
    emotions = [next(c for c in table if emotion_of(c) == e) for e in EMOTIONS]
    rows = _rows(faces, table, path)
    counts = table[[*emotions, *OTHERS]].to_numpy()[rows]
    most = counts.max(axis=1, keepdims=True)
    labels = counts.argmax(axis=1)
    tied = (counts == most).sum(axis=1) > 1
    kept = ~tied & (labels < len(EMOTIONS))
    if not kept.any():
        raise ValueError(
            f"{path} leaves no face of {faces.source}: each is tied, or most chose {', '.join(OTHERS)}"
        )
    changed = (labels != faces.labels)[kept].sum()
    reasons = [f"{(~tied & (labels == k)).sum():,} {name}" for k, name in enumerate(OTHERS, len(EMOTIONS))]
    text = (
        f"labels are what most of {path.name}'s voters chose: {changed:,} differ from the dataset's own; "
        f"left out {(~kept).sum():,} faces ({', '.join(reasons)}, {tied.sum():,} tied)"
    )
    votes = counts[kept, : len(EMOTIONS)].astype(np.float32)
    faces = replace(faces, notes=(*faces.notes, Note("left out", text)))[kept]
    targets = votes / votes.sum(axis=1, keepdims=True) if soft else None
    return replace(faces, labels=labels[kept], targets=targets)


def _read(path):
    if not path.is_file():
        raise FileNotFoundError(
            f"there is no table of votes at {path}; give the path of FER+'s fer2013new.csv, from "
            "github.com/microsoft/FERPlus"
        )
    try:
        table = pd.read_csv(path)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no table of votes ({error})") from error
    spelled = {emotion_of(column) for column in table}
    missing = [e for e in EMOTIONS if e not in spelled]
    missing += [column for column in ("Usage", "Image name", *OTHERS) if column not in table]
    if missing:
        raise ValueError(f"{path} has no column for {', '.join(missing)}; it should be FER+'s fer2013new.csv")
    counts = table[[c for c in table if emotion_of(c) in EMOTIONS or c in OTHERS]]
    if not all(kind.kind in "iu" for kind in counts.dtypes) or (counts < 0).any(axis=None):
        raise ValueError(f"{path} has votes that are no whole numbers from 0")
    empty = np.flatnonzero(counts.sum(axis=1) == 0)
    if len(empty):
        raise ValueError(f"{path}, line {empty[0] + 2}: no votes at all; download it again")
    return table


def _rows(faces, table, path):
    """Return the row of the votes for each face, int (N,)."""
    lines = [_LINE.fullmatch(str(file)) for file in faces.files]
    beside = path.with_name("fer2013.csv")
    of_name = {name: row for row, name in enumerate(table["Image name"]) if isinstance(name, str)}
    names = [str(file).rpartition("/")[2] for file in faces.files]
    if all(lines):
        rows = np.array([int(line[1]) - 2 for line in lines])
    elif all(name in of_name for name in names):
        rows = np.array([of_name[name] for name in names])
    elif beside.exists():
        rows = _rows_by_pixels(faces, beside)
    else:
        raise ValueError(
            f"{path} has its votes in the order of fer2013.csv, and the faces of {faces.source} do not say "
            f"which row they are; put fer2013.csv beside it, or load the faces from it"
        )
    outside = np.flatnonzero((rows < 0) | (rows >= len(table)))
    if len(outside):
        raise ValueError(f"{path} has no row for {faces.files[outside[0]]} of {faces.source}")
    other = np.flatnonzero(table["Usage"].to_numpy()[rows] != faces.usage)
    if len(other):
        k = other[0]
        raise ValueError(
            f"{path}, line {rows[k] + 2}: the usage is {table['Usage'][rows[k]]}, and {faces.files[k]} of "
            f"{faces.source} is {faces.usage[k]}; these votes are not for these faces"
        )
    return rows


def _rows_by_pixels(faces, csv):
    table = read_dataset(csv)
    found = match(faces.images, Signatures.of(faces), Signatures.of(table))
    if (found.origin < 0).any():
        gone = faces.files[np.flatnonzero(found.origin < 0)[0]]
        raise ValueError(f"{gone} of {faces.source} is no face of {csv}; the votes are for those alone")
    return found.origin
