"""Load FER-2013 from wherever it lies: archive, folders, csv, cache, or the built-in sample."""

import contextlib
import hashlib
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np

from fer_kit.data.archive import FolderImages, ZipImages
from fer_kit.data.csv import read_csv
from fer_kit.data.faceset import FaceSet
from fer_kit.data.layout import missing_emotions, read_faces, read_layout
from fer_kit.data.sample.people import draw_sample
from fer_kit.runtime import settings
from fer_kit.runtime.files import file_digest
from fer_kit.runtime.names import by_door

LONGEST_END = 22 + 65535
"""Bytes that the end of a zip archive may have behind its list of entries: a record and a comment."""

CACHE_VERSION = 2
"""Counted up whenever the same file would be read differently, so that old caches are not used."""

BY_HAND = (
    "download msambare/fer2013 from Kaggle in a browser and put the archive at data/fer2013.zip, unopened"
)
HOW_TO_GET_IT = f"run `python -m fer_kit fetch`, or {BY_HAND}"


def load_faces(path=None, *, allow_missing=False, cache=True):
    """Load FER-2013, or another dataset of faces in emotion folders.

    Args:
        path: a Kaggle archive (.zip), its folders, `fer2013.csv`, a saved `.npz` or "sample". None takes what
            lies at FER_DATA or in `data/`, or else the built-in sample, and prints which.
        allow_missing: accept a dataset in which a usage lacks a whole emotion (CK+ has no neutral).
        cache: read an archive or a csv file once, and later take it from the cache folder.

    Returns:
        A `FaceSet`. Its `notes` say what had to be converted, left out or assumed.

    Raises:
        FileNotFoundError: nothing is at `path`.
        ValueError: the content cannot be used; the message names the file and says what to do.
    """
    chatty = path is None
    path = settings.data_path() if path is None else Path(path).expanduser()
    if chatty and path is not None and path.is_dir() and not _candidates(path):
        path = None
    if path is None or str(path) == "sample":
        faces = draw_sample()
    else:
        faces = _open(find_dataset(path), allow_missing, cache)
    if chatty:
        print(faces)
        if faces.source == "built-in sample":
            print(f"These faces are drawn by the kit. For the real FER-2013, {HOW_TO_GET_IT}.")
        for note in faces.notes:
            print("Note:", note)
    return faces


def find_dataset(path):
    """Return the Path of the one dataset at `path`: a file, or a folder that holds it.

    Raises FileNotFoundError when nothing is there, ValueError when several archives are.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist; {HOW_TO_GET_IT}")
    if path.is_file():
        return path
    found = _candidates(path)
    if not found:
        raise FileNotFoundError(f"{path} holds no dataset; {HOW_TO_GET_IT}")
    if len(found) > 1:
        names = ", ".join(p.name for p in found)
        raise ValueError(f"{path} holds several datasets ({names}); point at one of them")
    return found[0]


def _candidates(folder):
    """What in a folder may be a dataset: files with a data suffix, or else the folder itself.

    UTKFace may lie beside it (`fer_kit.studies.gender`) and is not looked at.
    """
    entries = sorted(p for p in folder.iterdir() if not p.name.lower().startswith((".", "utkface")))
    files = [p for p in entries if p.suffix.lower() in {".zip", ".csv"}]
    if files:
        return files
    return [folder] if any(p.is_dir() for p in entries) else []


def _open(path, allow_missing, cache):
    if path.suffix.lower() == ".npz":
        return FaceSet.load(path)
    if path.is_dir():
        faces, gone = _read_images(FolderImages(path), path)
    else:
        stored = _cache_file(path) if cache else None
        if stored and stored.exists():
            with contextlib.suppress(ValueError):  # a damaged cache is made anew
                return _complete(FaceSet.load(stored), allow_missing)
        faces, gone = _read_file(path)
    faces = replace(faces, notes=faces.notes + tuple(gone))
    if cache and path.is_file():
        _store(faces, stored)
    return _complete(faces, allow_missing)


def _read_file(path):
    suffix = path.suffix.lower()
    if suffix == ".zip":
        return _read_images(ZipImages(path), path)
    if suffix == ".csv":
        images, labels, usage = read_csv(path)
        lines = np.char.add("line ", np.arange(2, len(labels) + 2).astype(str))
        return FaceSet(images, labels, usage, files=lines, source=path.name), ()
    raise ValueError(f"{path} is no dataset: expected a .zip archive, a .csv file, a saved .npz or a folder")


def _read_images(files, path):
    layout = read_layout(files, path)
    images, readable, notes = read_faces(files, layout.names)
    faces = FaceSet(
        images,
        np.array(layout.labels),
        np.array(layout.usage),
        files=np.array(layout.names),
        source=path.name,
        notes=(*layout.notes, *notes),
    )
    return faces[readable], missing_emotions(layout)


def _complete(faces, allow_missing):
    gone = [note.text for note in faces.notes if note.kind == "missing"]
    if gone and not allow_missing:
        otherwise = by_door(", or pass allow_missing=True to go on", "")
        raise ValueError(f"{faces.source}: {'; '.join(gone)}. Add the missing folder{otherwise}")
    return faces


def _cache_file(path):
    """Where a file's faces are cached: the name changes when its content does."""
    version = f"{CACHE_VERSION} {content_digest(path)}"
    digest = [hashlib.sha256(text.encode()).hexdigest()[:16] for text in (str(path.resolve()), version)]
    return settings.cache_dir() / f"{path.stem}-{digest[0]}-{digest[1]}.npz"


def content_digest(path):
    """Return a digest that changes with the content of a file, 64 hexadecimal digits.

    Of a zip archive its list of entries is read, which has a checksum (CRC-32) of each, of anything else all.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - LONGEST_END))
        end = file.read()
        place = end.rfind(b"PK\5\6")
        if place < 0 or len(end) < place + 20:
            return file_digest(path)
        length, start = struct.unpack_from("<2I", end, place + 12)
        whole = size - len(end) + place
        if start + length != whole:  # a zip64 archive, or one behind something else
            return file_digest(path)
        file.seek(start)
        return hashlib.sha256(file.read()).hexdigest()


def _store(faces, target):
    """Write the cache and drop the one of the file's former state; without room or right, go on."""
    with contextlib.suppress(OSError):
        faces.save(target, overwrite=True)
        for old in target.parent.glob(target.name.rpartition("-")[0] + "-*.npz"):
            if old != target:
                old.unlink()
