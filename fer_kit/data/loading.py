"""Load FER-2013 from wherever it lies: archive, folders, csv, cache, or the built-in sample."""

import contextlib
import glob
import hashlib
import os
import struct
from dataclasses import replace
from pathlib import Path

from fer_kit.data import usages
from fer_kit.data.emotions import USAGES
from fer_kit.data.faceset import FaceSet, Note
from fer_kit.data.files import reading
from fer_kit.data.files.numbering import name_emotions
from fer_kit.data.files.votes import with_votes
from fer_kit.data.sample.people import draw_sample
from fer_kit.runtime import settings
from fer_kit.runtime.files import file_digest
from fer_kit.runtime.names import by_door

LONGEST_END = 22 + 65535
"""Bytes that the end of a zip archive may have behind its list of entries: a record and a comment."""

CACHE_VERSION = 3
"""Counted up whenever the same file would be read differently, so that old caches are not used."""

BY_HAND = "download msambare/fer2013 from Kaggle in a browser and put the archive at {}, unopened"
HOW_TO_GET_IT = f"run `python -m fer_kit fetch`, or {BY_HAND.format('data/fer2013.zip')}"


def load_faces(
    path=None, *, allow_missing=False, names=None, hold_out=None, votes=None, soft=False, cache=True
):
    """Load FER-2013, or another dataset of faces by emotion.

    A copy of FER-2013 that lacks a usage gets its usages back: the kit knows the faces. An emotion that
    nobody in the dataset shows is not among the names of what is returned, unless it would leave only one.

    Args:
        path: an archive (.zip, .tar.gz), folders, `fer2013.csv`, Parquet or NumPy files, a saved `.npz`, a
            place inside an archive (`faces.zip/images`), or "sample". None takes what lies at FER_DATA or in
            `data/`, or else the built-in sample, and prints which.
        allow_missing: accept a dataset in which a usage lacks an emotion that another usage has.
        names: for folders or labels that are numbers: the emotions in the order of the numbers.
        hold_out: the share, 0 to 1, of the Training faces to hold out for each usage that is missing. By
            default nothing; where `path` is None a tenth, and it is said. 0 holds out nothing.
        votes: the path of FER+'s `fer2013new.csv`, or of a table like it (for the built-in sample
            `fer_kit.data.sample.draw_votes` makes one): labels are then what most of ten people chose.
        soft: only with `votes`: also learn from the shares of the votes: they become the `targets`.
        cache: read an archive or a table once, and later take it from the cache folder.

    Returns:
        A `FaceSet`. Its `notes` say what had to be converted, left out, held out or assumed.

    Raises:
        FileNotFoundError: nothing is at `path`.
        ValueError: the content cannot be used; the message names the file and says what to do.
        ImportError: a package that reads the format is missing.
    """
    chatty = path is None
    path = settings.data_path() if path is None else Path(path).expanduser()
    if chatty and path is not None and path.is_dir() and not reading.may_hold_dataset(path):
        path = None
    drawn = path is None or str(path) == "sample"
    if soft and votes is None:
        by = by_door("soft=True is of use with votes=path", "--soft is of use with --votes FILE")
        raise ValueError(f"{by} alone: one label a face has no shares")
    faces = _as_named(draw_sample(), names) if drawn else _open(path, names, cache)
    if votes is not None:
        faces = with_votes(faces, votes, soft)
    faces = _complete(faces, allow_missing)
    if hold_out is None and chatty:
        hold_out = usages.SHARE
    if hold_out:
        faces = usages.hold_out(faces, hold_out)
    if chatty:
        print(faces)
        if faces.source == "built-in sample":
            print(f"These faces are drawn by the kit. For the real FER-2013, {HOW_TO_GET_IT}.")
        for note in faces.notes:
            print("Note:", note)
    return faces


def check_outside(out, path=None):
    """Raise ValueError when the folder `out`, to be written in, would become part of the dataset at `path`.

    That is the dataset's own folder and any folder in it; beside an archive or a table, that folder alone.
    `path` is as in `load_faces`.
    """
    path = settings.data_path() if path is None else Path(path).expanduser()
    if path is None or str(path) == "sample" or not path.is_dir():
        return
    home = path.resolve()
    out = Path(out).expanduser().resolve()
    within = home in out.parents and not reading.dataset_files(home)
    if out == home or within:
        elsewhere = by_door("as out", "with --out")
        raise ValueError(
            f"{out} lies in the dataset {path}, and what is written there would be taken for a part of it. "
            f"Give another folder {elsewhere}"
        )


def find_dataset(path):
    """Return the Path of the one dataset at `path`: a file, or a folder that holds it.

    Raises FileNotFoundError when nothing is there, ValueError when several that differ are.
    """
    return _find(Path(path), cache=True)[0]


def _find(path, cache):
    """Return (the Path of the one dataset at `path`, notes on others with the same faces)."""
    outer, inside = reading.split_path(path)
    if not outer.exists():
        raise FileNotFoundError(f"{path} does not exist; {HOW_TO_GET_IT}")
    if inside or outer.is_file():
        return path, ()
    found = reading.dataset_files(path)
    if not found:
        if not any(path.iterdir()):
            raise FileNotFoundError(f"{path} holds no dataset; {HOW_TO_GET_IT}")
        return path, ()
    if len(found) == 1:
        return found[0], ()
    names = [file.name for file in found]
    if len({_read(file, None, cache).fingerprint for file in found}) > 1:
        raise ValueError(reading.several_datasets(path, names))
    return found[0], (reading.same_faces(names),)


def _open(path, names, cache):
    path, notes = _find(path, cache)
    faces = _read(path, names, cache)
    return replace(faces, notes=faces.notes + notes) if notes else faces


def _read(path, names, cache):
    """Return the faces at a path, from the cache where they were read before."""
    if path.suffix.lower() == ".npz" and reading.is_saved(path):
        return _as_named(FaceSet.load(path), names)
    stored = _cache_file(path, names) if cache and path.is_file() else None
    if stored and stored.exists():
        with contextlib.suppress(ValueError):  # a damaged cache is made anew
            return FaceSet.load(stored)
    faces = usages.give_back(name_emotions(reading.read_dataset(path), names))
    if stored:
        _store(faces, stored)
    return faces


def _as_named(faces, names):
    """Return faces that have their names; `names` beside them are refused, as for any other dataset."""
    return faces if names is None else name_emotions(faces, names)


def _complete(faces, allow_missing):
    """Return the faces with the emotions that are there; refuse a usage that lacks what another has."""
    if not len(faces):
        why = "; ".join(note.text for note in faces.notes if note.kind == "left out") or HOW_TO_GET_IT
        raise ValueError(f"{faces.source} holds no faces: {why}")
    labels = {usage: set(faces.labels[faces.usage == usage].tolist()) for usage in USAGES}
    seen = set().union(*labels.values())
    gone = [name for k, name in enumerate(faces.names) if k not in seen]
    lacking = {usage: seen - there for usage, there in labels.items() if there and there != seen}
    texts = [
        f"{usage} has no faces for {', '.join(faces.names[k] for k in sorted(lack))}"
        for usage, lack in lacking.items()
    ]
    if texts and not allow_missing:
        otherwise = by_door("pass allow_missing=True", "give --allow-missing")
        raise ValueError(
            f"{faces.source}: {'; '.join(texts)}. Add the missing faces, or {otherwise} to go on"
        )
    notes = [Note("missing", text) for text in texts]
    gone = gone[: len(faces.names) - 2]  # a single emotion keeps the name of another one beside it
    for name in gone:
        faces = faces.drop(name)
    if gone:
        notes.append(
            Note("missing", f"no face is {' or '.join(gone)}: the emotions are {', '.join(faces.names)}")
        )
    return replace(faces, notes=(*faces.notes, *notes)) if notes else faces


def _cache_file(path, names=None):
    """Where a file's faces are cached: the name changes when its content does."""
    version = f"{CACHE_VERSION} {content_digest(path)} {names and tuple(names)}"
    digest = [hashlib.sha256(os.fsencode(text)).hexdigest()[:16] for text in (str(path.resolve()), version)]
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
        for old in target.parent.glob(glob.escape(target.name.rpartition("-")[0]) + "-*.npz"):
            if old != target:
                old.unlink()
