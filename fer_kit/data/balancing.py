"""Balancing: equally many faces of every emotion, in memory or as a new folder."""

import re
import tempfile
from collections import Counter
from dataclasses import replace
from functools import reduce
from pathlib import Path, PurePosixPath

import numpy as np

from fer_kit.data.augment import augment_disgust, augment_face
from fer_kit.data.faceset import FaceSet

_MARK = " augmented "


def balance(faces, target=5000, seed=0):
    """Balance Training faces: exactly as many of one emotion as of another (hejslet-balance).

    Of an emotion with more than `target`, that many random faces stay. An emotion with fewer keeps them all
    and gains copies of random ones through `augment_face`, whose `files` end in " augmented 1" and so on.

    Args:
        faces: a FaceSet of Training faces only.
        target: faces of each emotion, at least 1.
        seed: the same seed gives the same faces.

    Returns:
        A FaceSet of `target` faces of every emotion.

    Raises:
        ValueError: `faces` holds test faces, an emotion has no face, or `target` is below 1.
    """
    _check_training(faces)
    if target < 1:
        raise ValueError(f"target is the number of faces of each emotion, at least 1, not {target}")
    kept = []
    copied = []
    for label, name in enumerate(faces.names):
        rows = np.flatnonzero(faces.labels == label)
        if not len(rows):
            where = faces.source or "this FaceSet"
            raise ValueError(f"{where} has no {name} face; add some, or use drop({name!r}) first")
        rng = np.random.default_rng([seed, label])
        kept.append(rng.permutation(rows)[:target])
        extra = rng.choice(rows, max(0, target - len(rows)))
        copied.append(_copies(faces[extra], augment_face, rng))
    return reduce(FaceSet.join, copied, faces[np.sort(np.concatenate(kept))])


def multiply(faces, name, times=10, total=None, seed=0, change=augment_disgust):
    """Add augmented copies of one emotion's Training faces (murphy-disgust-aug).

    Args:
        faces: a FaceSet of Training faces only.
        name: the emotion, one of `faces.names`.
        times: how often each of its faces occurs afterwards, copies included.
        total: how many of its faces there are afterwards, in place of `times`: 348 become murphy's 3,520.
        seed: the same seed gives the same copies.
        change: what makes a copy: `augment_disgust`, or the milder `augment_face`.

    Returns:
        A FaceSet: all of `faces`, then the copies.

    Raises:
        ValueError: `faces` holds test faces, `name` has no face, or `total` would lose faces.
    """
    _check_training(faces)
    rows = np.flatnonzero(faces.labels == faces.names.index(name)) if name in faces.names else []
    if not len(rows):
        raise ValueError(f"there is no {name!r} face; there are {', '.join(faces.names)}")
    total = times * len(rows) if total is None else total
    if total < len(rows):
        raise ValueError(f"{total} is fewer than the {len(rows)} {name} faces there are; multiply adds only")
    rng = np.random.default_rng(seed)
    return faces.join(_copies(faces[np.resize(rows, total - len(rows))], change, rng))


def with_copies(faces, copies, seed=0, change=augment_face):
    """Add augmented copies of all Training faces.

    Args:
        faces: a FaceSet with Training faces; those of other usages stay as they are.
        copies: how many copies of each Training face to add.
        seed: the same seed gives the same copies.
        change: what makes a copy: `augment_face`, or the stronger `augment_disgust`.

    Returns:
        A FaceSet: all of `faces`, then the copies.

    Raises:
        ValueError: there are no Training faces.
    """
    rng = np.random.default_rng(seed)
    return reduce(FaceSet.join, [_copies(faces.training, change, rng) for _ in range(copies)], faces)


def originals(faces):
    """Return which file each face came from, str (N,): a copy made here names the face it is a copy of."""
    return np.array([_without_marks(file)[0] for file in faces.files])


def _without_marks(file):
    """Return the name of a file, and what copying has put behind it."""
    name = re.sub(rf"({_MARK}\d+)+$", "", str(file))
    return name, str(file)[len(name) :]


def balance_train_folder(src, dst, target=5000, seed=0):
    """Write a balanced copy of a training folder (hejslet-balance); the faces are those of `balance`.

    Originals are copied byte for byte, augmented ones are written as PNG, which loses nothing. All or
    nothing: `dst` appears when it is complete, and `src` is only read.

    Args:
        src: a folder with one folder per emotion, in any usual spelling.
        dst: a new or empty folder; it gets seven folders named as in `EMOTIONS`.
        target: images of each emotion, at least 1.
        seed: the same seed writes the same images.

    Returns:
        The balanced FaceSet, whose `notes` say what was left out or respelled.

    Raises:
        FileNotFoundError: `src` does not exist.
        NotADirectoryError: `src` is a file.
        FileExistsError: `dst` holds something.
        ValueError: `src` has unreadable images, an emotion without images or test faces.
        OSError: `dst` cannot be written.
    """
    src = Path(src)
    dst = Path(dst)
    _check_places(src, dst)
    faces, contents = _read_folder(src)
    balanced = balance(faces, target, seed)
    names = _file_names(balanced)
    try:
        dst.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{dst.name}-", dir=dst.parent) as temporary:
            whole = Path(temporary, dst.name)
            _write_folder(balanced, names, contents, whole)
            if dst.exists():
                dst.rmdir()  # it is empty; Windows renames onto nothing only
            whole.rename(dst)
    except OSError as error:
        reason = f"cannot write {dst} ({error.strerror or error}); nothing was left there. "
        raise OSError(error.errno, reason + "Free some space or choose another folder") from error
    return balanced


def _check_training(faces):
    others = sorted(set(faces.usage) - {"Training"})
    if others:
        raise ValueError(f"balance Training faces alone, not {', '.join(others)}: pass faces.training")


def _copies(faces, augment, rng):
    images = np.array([augment(face, rng) for face in faces.images], np.uint8).reshape(faces.images.shape)
    files = np.array([f"{file}{_MARK}{number}" for number, file in enumerate(faces.files, 1)], str)
    return replace(faces, images=images, files=files, notes=())


def _check_places(src, dst):
    if not src.exists():
        raise FileNotFoundError(f"{src} does not exist; it should hold one folder per emotion")
    if not src.is_dir():
        raise NotADirectoryError(f"{src} is a file; unpack it, or use balance() on what load_faces reads")
    if dst.resolve().is_relative_to(src.resolve()):
        raise ValueError(f"{dst} lies in {src}, which is only read; choose a folder beside it")
    if dst.exists() and (not dst.is_dir() or any(dst.iterdir())):
        raise FileExistsError(f"{dst} holds something already; delete it or choose another folder")


def _read_folder(src):
    from fer_kit.data.files.archive import FolderFiles
    from fer_kit.data.files.layout import read_layout
    from fer_kit.data.files.numbering import name_emotions
    from fer_kit.data.files.pictures import read_faces

    files = FolderFiles(src)
    layout = read_layout(files)
    if not layout.names:
        raise ValueError(f"{src} has no faces in emotion folders; it should hold one folder per emotion")
    if set(layout.usage) != {"Training"}:
        raise ValueError(f"{src} holds test faces, which must stay as they are; point at its train folder")
    contents = {name: files[name] for name in layout.names}
    images, readable, notes = read_faces(contents, layout.names)
    bad = [str(src / name) for name, ok in zip(layout.names, readable, strict=True) if not ok]
    if bad:
        raise ValueError(f"{len(bad)} unreadable images, the first is {bad[0]}; delete or replace them")
    names = tuple(dict.fromkeys(layout.words))
    labels = [names.index(word) for word in layout.words]
    fields = {"files": np.array(layout.names), "source": str(src), "notes": (*layout.notes, *notes)}
    return name_emotions(FaceSet(images, labels, layout.usage, names, **fields)), contents


def _file_names(faces):
    """The paths `<emotion>/<file>` that the faces get. Raises ValueError when two would be the same."""
    names = []
    for file, label in zip(faces.files, faces.labels, strict=True):
        original, marks = _without_marks(file)
        path = PurePosixPath(original)
        name = f"{path.stem}{marks.replace(' ', '_')}.png" if marks else path.name
        names.append(f"{faces.names[label]}/{name}")
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f"two images would both be called {twice[0]}; rename one of them in {faces.source}")
    return names


def _write_folder(faces, names, contents, folder):
    import cv2

    for emotion in faces.names:
        Path(folder, emotion).mkdir(parents=True)
    for name, file, image in zip(names, faces.files, faces.images, strict=True):
        content = contents.get(str(file))
        if content is None:
            content = cv2.imencode(".png", image)[1].tobytes()
        with Path(folder, name).open("xb") as out:
            out.write(content)
