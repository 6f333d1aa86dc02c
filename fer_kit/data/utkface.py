"""UTKFace, the second dataset of the kit: faces whose file names say age, gender and group."""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from fer_kit.data.faceset import FaceSet, Note
from fer_kit.data.files.archive import FolderFiles, ZipFiles
from fer_kit.data.files.pictures import read_faces

GENDERS = ("male", "female")
GROUPS = ("White", "Black", "Asian", "Indian", "other")
"""UTKFace's own words and codes for its third field."""

_NAME = re.compile(r"(\d+)_([01])_([0-4])_\d+[^/]*\.(?:jpg|jpeg|png)$", re.IGNORECASE)


def load_utkface(path):
    """Load UTKFace, its images turned grey and shrunk to 48x48.

    Args:
        path: a zip archive or a folder of `<age>_<gender>_<race>_<date>.jpg` files.

    Returns:
        A `FaceSet` whose labels are gender (0 male, 1 female), all of usage Training. Files whose names lack
        a field are left out and counted in `notes`.

    Raises:
        FileNotFoundError: nothing is at `path`.
        ValueError: no file's name has the format.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist; get UTKFace from its authors' page")
    files = FolderFiles(path) if path.is_dir() else ZipFiles(path)
    pictures = [n for n in files if n.lower().endswith((".jpg", ".jpeg", ".png"))]
    names = [n for n in pictures if _fields(n)]
    if not names:
        raise ValueError(f"{path} has no files named <age>_<gender>_<race>_<date>.jpg")
    images, readable, notes = read_faces(files, names)
    skipped = len(pictures) - len(names)
    if skipped:
        first = next(n for n in pictures if not _fields(n))
        text = f"{skipped:,} files whose names lack a field left out, the first is {first}"
        notes.insert(0, Note("left out", text))
    labels = np.array([int(_fields(n)[1]) for n in names])
    faces = FaceSet(images, labels, "Training", GENDERS, np.array(names), path.name, tuple(notes))
    return faces[readable]


def people(faces):
    """Return a DataFrame with `age` in years, `gender` and `group` of each face that `load_utkface` read."""
    ages, genders, groups = zip(*(_fields(name) for name in faces.files), strict=True)
    return pd.DataFrame(
        {
            "age": [int(a) for a in ages],
            "gender": [GENDERS[int(g)] for g in genders],
            "group": [GROUPS[int(g)] for g in groups],
        }
    )


def _fields(name):
    match = _NAME.match(name.rpartition("/")[2])
    return match.groups() if match else None
