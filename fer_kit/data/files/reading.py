"""From a path to a FaceSet, whatever the dataset is packed in: what lies there is opened and looked at."""

import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from fer_kit.data.emotions import EMOTIONS
from fer_kit.data.faceset import FaceSet, Note
from fer_kit.data.files.archive import FolderFiles, OneFile, open_archive
from fer_kit.data.files.arrays import read_arrays, read_parquet
from fer_kit.data.files.csv import columns_of, read_csv
from fer_kit.data.files.kinds import ARCHIVES, in_words, kind_of, looks_like_picture
from fer_kit.data.files.layout import read_layout, usage_of
from fer_kit.data.files.pictures import read_faces

DEEPEST = 3
"""Archives in archives are opened so deep; a bomb of them goes on for ever."""

USELESS = {"empty", "placeholder", "web page", "rar", "7z", "part"}
"""Kinds of files that stand where a dataset should be."""


@dataclass(frozen=True)
class _Candidate:
    """What may be the dataset: its `name` among the files, and the function that reads it."""

    name: str
    read: Callable


def read_dataset(path):
    """Read the one dataset at a path.

    Args:
        path: an archive, a folder or a table; or a place inside an archive (`faces.zip/images`).

    Returns:
        A FaceSet as it stands there: its names may be numbers or emotions in other spellings, a usage may be
        missing. Its `notes` say what was converted, left out or assumed.

    Raises:
        ValueError: nothing there can be read, or several datasets can; the message names the first.
    """
    outer, inside = split_path(path)
    files = FolderFiles(outer) if outer.is_dir() else OneFile(outer.parent, outer.name)
    if inside:
        files = _Part(_open(files, outer.name), inside)
    found, broken = _look(files)
    if not found:
        raise ValueError(broken[0] if broken else _nothing_found(files))
    faces = _the_one(files, found)
    notes = [Note("left out", f"{text}; it is passed over") for text in broken]
    return replace(faces, source=f"{outer.name}/{inside}".rstrip("/"), notes=(*faces.notes, *notes))


def split_path(path):
    """Return (path of a file or folder, the rest of the path inside that file, "" for none)."""
    path = Path(path)
    outer = next((one for one in (path, *path.parents) if one.exists()), path)
    return (outer, path.relative_to(outer).as_posix()) if outer.is_file() and outer != path else (path, "")


def dataset_files(folder):
    """Return the Paths of those files at the top of a folder that hold a dataset each: archives, or tables
    with all usages. Files that stand in place of one, such as placeholders, count where there is no other."""
    tops = sorted(p for p in folder.iterdir() if not _hidden(p.name))
    kinds = {p: kind_of(_head(p)) for p in tops if p.is_file() and not looks_like_picture(p.name)}
    useless = [p for p, kind in kinds.items() if kind in USELESS]
    possible = [p for p, kind in kinds.items() if kind in ARCHIVES or kind == "text" and _is_whole(_head(p))]
    if len(possible) > 1 or possible and any(p.is_dir() for p in tops):
        looked = {p: _look(OneFile(folder, p.name)) for p in possible}
        useless += [p for p, (_, broken) in looked.items() if broken]
        possible = [p for p, (found, _) in looked.items() if found]
    return possible if possible or any(p.is_dir() for p in tops) else useless


def is_saved(path):
    """Whether a file is what `FaceSet.save` wrote, or is too damaged to tell."""
    if not zipfile.is_zipfile(path):
        return kind_of(_head(path)) in ("zip", "text", "unknown", "empty")
    with zipfile.ZipFile(path) as archive:
        return {"images.npy", "labels.npy", "usage.npy", "names.npy"} <= set(archive.namelist())


def may_hold_dataset(folder):
    """Whether a folder has what `read_dataset` may read or must refuse: other folders, archives, tables."""
    tops = [p for p in folder.iterdir() if not _hidden(p.name)]
    return any(p.is_dir() for p in tops) or bool(dataset_files(folder) or _look(FolderFiles(folder))[0])


def _head(path):
    return OneFile(path.parent, path.name).head(path.name)


class _Part:
    """The files of a mapping below one of its folders, or its one file of that name."""

    def __init__(self, files, inside):
        folder = f"{inside}/"
        start = len(inside.rpartition("/")[0] + "/") if inside in files else len(folder)
        self._names = {name[start:]: name for name in files if name == inside or name.startswith(folder)}
        if not self._names:
            raise ValueError(f"{files.where} holds no {inside}")
        self._files = files
        self.where = files.where / inside

    def __iter__(self):
        return iter(self._names)

    def __getitem__(self, name):
        return self._files[self._names[name]]

    def open(self, name):
        return self._files.open(self._names[name])

    def head(self, name):
        return self._files.head(self._names[name])


def _look(files, depth=0):
    """Return the datasets in a mapping of files, a list of `_Candidate`, and what is wrong with archives.

    Faces in emotion folders go before tables with all usages and archives, and those before all others.
    """
    layout = read_layout(files)
    if layout.names:
        return [_Candidate("its folders", partial(_read_layout, files, layout))], []
    names = [name for name in files if not _hidden(name) and not looks_like_picture(name)]
    heads = {name: files.head(name) for name in names}
    kinds = {name: kind_of(head) for name, head in heads.items()}
    texts = [name for name, kind in kinds.items() if kind == "text"]
    found = [_Candidate(n, partial(_read_csvs, files, [n])) for n in texts if _is_whole(heads[n])]
    inner, broken = _inside(files, {n: kind for n, kind in kinds.items() if kind in ARCHIVES}, depth)
    found += inner
    for kind, read in (("parquet", read_parquet), ("npy", read_arrays)):
        some = [name for name, its in kinds.items() if its == kind]
        found += [_Candidate(" and ".join(some), partial(read, files, some))] if some else []
    parts = [name for name in texts if {"emotion", "pixels"} <= set(columns_of(heads[name]))]
    if not found and parts:
        found = [_Candidate(" and ".join(parts), partial(_read_csvs, files, parts))]
    return found, broken


def _inside(files, archives, depth):
    """Return as `_look` what is in archives, {name: kind}, that lie among the files."""
    found = []
    broken = []
    for name, kind in archives.items() if depth < DEEPEST else ():
        try:
            opened = _open(files, name, kind)
            inner, damaged = _look(opened, depth + 1)
        except ValueError as error:
            broken.append(str(error))
            continue
        broken += damaged
        found += [_Candidate(name, partial(_the_one, opened, inner))] if inner else []
    return found, broken


def _open(files, name, kind=None):
    """Return the mapping of what is in one file of another mapping, an archive."""
    kind = kind or kind_of(files.head(name))
    path = files.where / name
    if kind not in ARCHIVES:
        raise ValueError(f"{path} is {in_words(kind)}, and nothing is inside it")
    return open_archive(path, kind, None if path.is_file() else files.open(name))


def _the_one(files, found):
    """Return the faces of the one candidate; of several with the same faces the first is taken."""
    faces, *others = [candidate.read() for candidate in found]
    if not others:
        return faces
    names = [candidate.name for candidate in found]
    if any(other.fingerprint != faces.fingerprint for other in others):
        raise ValueError(several_datasets(files.where, names))
    return replace(faces, notes=(*faces.notes, same_faces(names)))


def several_datasets(where, names):
    """Return the sentence on several datasets, `names`, in one place."""
    listed = ", ".join(names)
    return f"{where} holds several datasets ({listed}); point at one of them, such as {where / names[0]}"


def same_faces(names):
    """Return the `Note` on several datasets with the same faces, of which the first is read."""
    return Note("left out", f"{' and '.join(names)} hold the same faces: {names[0]} is read")


def _hidden(name):
    return "__MACOSX" in name or any(p.lower().startswith((".", "utkface")) for p in name.split("/"))


def _is_whole(head):
    """Whether a text begins like fer2013.csv, with all its columns."""
    return {"emotion", "pixels", "usage"} <= set(columns_of(head))


def _read_csvs(files, names):
    """Return the faces of csv files; the usage of one without that column is the one in its name."""
    parts = []
    for name in names:
        usage = None if "usage" in columns_of(files.head(name)) else usage_of(name) or "Training"
        with files.open(name) as file:
            images, labels, usages = read_csv(files.where / name, file, usage)
        start = f"{name} " if len(names) > 1 else ""
        lines = np.char.add(f"{start}line ", np.arange(2, len(labels) + 2).astype(str))
        parts.append((images, labels, usages, lines))
    images, labels, usages, lines = (np.concatenate(column) for column in zip(*parts, strict=True))
    return FaceSet(images, labels, usages, EMOTIONS, lines, files.where.name)


def _read_layout(files, layout):
    others = [what for what in layout.skipped if what.startswith("images in")]
    if len(set(layout.words)) == 1 and others:
        raise ValueError(
            f"{files.where} has faces for {layout.words[0]} alone beside {'; '.join(others)}. "
            f"Rename those folders to {', '.join(EMOTIONS)}"
        )
    images, readable, notes = read_faces(files, layout.names)
    names = list(dict.fromkeys(layout.words))
    faces = FaceSet(
        images,
        np.array([names.index(word) for word in layout.words]),
        np.array(layout.usage),
        tuple(names),
        files=np.array(layout.names),
        source=files.where.name,
        notes=(*layout.notes, *notes),
    )
    return faces if readable.all() else faces[readable]


def _nothing_found(files):
    """Return what to say of files among which there is no dataset: the first of them, and what it is."""
    if isinstance(files, OneFile):
        kind = kind_of(files.head(files.name))
        if kind not in ARCHIVES:
            return _no_dataset(files.where / files.name, kind)
        files = _open(files, files.name, kind)
    names = [name for name in files if not _hidden(name)]
    if len(names) == 1 and names[0].lower().endswith(".csv"):
        with files.open(names[0]) as file:
            read_csv(files.where / names[0], file)  # says what is wrong with its first line
    first = names[0] if names else ""
    kind = kind_of(files.head(first)) if names else "empty"
    seen = [f"{count:,} {what}" for what, count in read_layout(files).skipped.items()]
    seen += [f"the first file, {first}, is {in_words(kind)}"] if names else ["it is empty"]
    return (
        f"{files.where} has no faces in emotion folders ({'; '.join(seen)}). "
        f"Expected train/<emotion>/*.jpg and test/<emotion>/*.jpg with the emotions {', '.join(EMOTIONS)}"
    )


def _no_dataset(path, kind):
    if path.suffix.lower() == ".zip" and kind == "unknown":
        return (
            f"{path} is not a complete zip archive (cut short, or the last part of a split one: unpack all "
            "parts together and point at the folder); download it again"
        )
    if path.suffix.lower() == ".zip":
        advice = "" if kind in USELESS - {"empty"} else "; download it again"  # whose words say what to do
        return f"{path} is not a complete zip archive but {in_words(kind)}{advice}"
    if path.suffix.lower() == ".csv" and kind in ("text", "empty"):
        read_csv(path)  # says what is wrong with it
    return (
        f"{path} is no dataset: expected a folder, an archive (.zip, .tar.gz), a .csv or .parquet table, "
        f".npz or .npy arrays; this is {in_words(kind)}"
    )
