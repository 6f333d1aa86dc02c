"""Faces in tables and arrays as hubs give them away: Parquet, `.npy` and `.npz`."""

import contextlib
import importlib.util
import json
import re
from collections import Counter

import numpy as np

from fer_kit.data.emotions import USAGES
from fer_kit.data.faceset import SIZE, FaceSet, Note
from fer_kit.data.files.layout import known_usages, usage_of
from fer_kit.data.files.pictures import NO_NUMBERS, notes_on, read_faces, to_face, to_uint8
from fer_kit.runtime.extras import how_to_install

IMAGE_COLUMNS = ("image", "images", "img", "pixels", "picture", "face")
LABEL_COLUMNS = ("label", "labels", "emotion", "expression", "class", "target")
USAGE_COLUMNS = ("usage", "split", "subset")

PIXELS = SIZE * SIZE
MOST_EMOTIONS = 12
"""A matrix of at most so many columns may be one-hot labels; one of more holds pixels."""


class _Contents(dict):
    """Pictures out of a table by name, with `where` for messages."""

    where = ""


def read_parquet(files, names):
    """Read Parquet tables with a column of pictures and one of labels, as Hugging Face keeps datasets.

    Args:
        files: a mapping that can open files by name.
        names: the tables; where they have no column for the usage it is the one in their names.

    Returns:
        A FaceSet; its names are the labels' own words, or numbers as text where nothing says what they mean.

    Raises:
        ImportError: pandas needs pyarrow for Parquet, and it is not installed.
        ValueError: a table has no such columns, or no picture in it can be read.
    """
    if not importlib.util.find_spec("pyarrow"):
        raise ImportError(f"{names[0]} in {files.where} is a Parquet table; {how_to_install('pyarrow')}")
    return _joined([_read_table(files, name) for name in names], files)


def _read_table(files, name):
    import pandas as pd
    import pyarrow

    try:
        with files.open(name) as file:
            table = pd.read_parquet(file)
        with files.open(name) as file:
            words = _class_names(file)
    except (pyarrow.ArrowException, OSError) as error:
        raise ValueError(f"{name} in {files.where} is damaged ({error}); download it again") from error
    pictures = _column(table, IMAGE_COLUMNS, "pictures", name)
    labels = _column(table, LABEL_COLUMNS, "labels", name)
    table.index = [f"{name} row {k}" for k in range(len(table))]
    table, lacking = _whole_rows(table, [pictures, labels])
    contents = _Contents({row: _bytes_of(value, row) for row, value in table[pictures].items()})
    contents.where = f"{files.where}/{name}"
    images, readable, notes = _read_cells(contents)
    spelled = [_word(value, words.get(labels, ()), row) for row, value in table[labels].items()]
    usage = next((c for c in table if str(c).lower() in USAGE_COLUMNS), None)
    usages = [usage_of(name) or "Training"] * len(table)
    if usage is not None:
        usages = [_known_usage(value, name) for value in table[usage]]
    return _faces(images, spelled, usages, list(contents), [*notes, *lacking])[readable]


def _whole_rows(table, columns):
    """Return the rows of a table that have something in these columns, and `Note`s on those left out."""
    whole = table[columns].notna().all(axis=1)
    if whole.all():
        return table, []
    text = f"{(~whole).sum():,} rows without a picture or a label left out, the first is {whole.idxmin()}"
    return table[whole], [Note("left out", text)]


def _class_names(file):
    """Return {column: its labels' words} from what Hugging Face writes into a table's schema."""
    import pyarrow.parquet

    said = (pyarrow.parquet.read_schema(file).metadata or {}).get(b"huggingface")
    features = json.loads(said).get("info", {}).get("features", {}) if said else {}
    return {column: what["names"] for column, what in features.items() if "names" in what}


def _column(table, known, what, name):
    found = next((column for column in table if str(column).lower() in known), None)
    if found is None:
        raise ValueError(
            f"{name} has no column of {what} ({', '.join(known)}); "
            f"its columns are {', '.join(map(str, table))}"
        )
    return found


def _bytes_of(value, row):
    """Return a cell with a picture: its file's bytes, or the numbers of its pixels."""
    if isinstance(value, dict):
        value = value.get("bytes") or b""
    if isinstance(value, str):
        return _pixels_in(value, row)
    return bytes(value) if isinstance(value, (bytes, bytearray, memoryview)) else _unnested(value)


def _pixels_in(text, row):
    with contextlib.suppress(ValueError):  # words
        numbers = np.array(text.split(), float)
        whole = numbers.clip(0, 255).astype(np.uint8)
        if (whole == numbers).all():
            return whole
    raise ValueError(
        f"{row} has the text {text[:40]!r} in place of a picture or of pixels from 0 to 255; where it is a "
        "path, point at the folder with the pictures"
    )


def _unnested(value):
    """Return arrays of arrays, as Parquet has lists of lists, as one array."""
    value = np.asarray(value)
    return np.stack([_unnested(part) for part in value]) if value.dtype == object and value.ndim else value


def _read_cells(contents):
    if all(isinstance(value, bytes) for value in contents.values()):
        return read_faces(contents, list(contents))
    shapes = {row: np.shape(value) for row, value in contents.items()}
    usual = Counter(shapes.values()).most_common(1)[0][0]
    odd = next((row for row, shape in shapes.items() if shape != usual or not shape), None)
    if odd:
        raise ValueError(
            f"{odd} is no picture like the others in {contents.where}: its shape is {shapes[odd]}, theirs "
            f"mostly {usual}"
        )
    return _pixels(np.stack(list(contents.values())), list(contents))


def _known_usage(value, name):
    if str(value) in USAGES:
        return str(value)
    usage = usage_of(str(value))
    if usage is None:
        raise ValueError(f"{name} has the usage {value!r}, which the kit does not know ({known_usages()})")
    return usage


def read_arrays(files, names):
    """Read `.npy` and `.npz` files that hold pictures and labels, such as x_train and y_train.

    Args:
        files: a mapping that can open files by name.
        names: the files. An array of pictures goes with the array of labels whose name has the same word
            for a usage (train, test).

    Returns:
        A FaceSet; its names are the labels' own words, or numbers as text.

    Raises:
        ValueError: there are not one array of pictures and one of labels for each usage.
    """
    arrays = {}
    for name in names:
        arrays |= _arrays_in(files, name)
    pictures = {name: array for name, array in arrays.items() if _holds_pictures(array)}
    labels = {name: _label_words(array) for name, array in arrays.items() if name not in pictures}
    labels = {name: words for name, words in labels.items() if words is not None}
    parts = []
    for usage in {_usage_of_array(name): 0 for name in pictures}:
        mine = [name for name in pictures if _usage_of_array(name) == usage]
        theirs = [name for name in labels if _usage_of_array(name) == usage]
        if len(mine) != 1 or len(theirs) != 1 or len(pictures[mine[0]]) != len(labels[theirs[0]]):
            raise ValueError(_no_pairs(files, arrays))
        rows = [f"{mine[0]} row {k}" for k in range(len(pictures[mine[0]]))]
        images, readable, notes = _pixels(pictures[mine[0]], rows)
        faces = _faces(images, labels[theirs[0]], [usage or "Training"] * len(images), rows, notes)
        parts.append(faces[readable])
    if not parts:
        raise ValueError(_no_pairs(files, arrays))
    return _joined(parts, files)


def _arrays_in(files, name):
    """Return {name: array} of a file; arrays of an `.npz` go by their own names."""
    try:
        with files.open(name) as file:
            read = np.load(file, allow_pickle=False)
            if isinstance(read, np.ndarray):
                return {name: read}
            return {f"{name}/{key}": read[key] for key in read.files}
    except Exception as error:  # numpy raises many kinds for damaged files
        raise ValueError(
            f"{name} in {files.where} holds no arrays that can be read safely: whole ones, of numbers or, by "
            f"labels.astype(str), of text ({error})"
        ) from error


def _usage_of_array(name):
    word = name.rpartition("/")[2].rpartition(".npy")[0] or name.rpartition("/")[2]
    return usage_of(re.sub("^[xXyY]_?", "", word))


def _holds_pictures(array):
    return array.dtype.kind in "uifb" and (
        array.ndim in (3, 4) or array.ndim == 2 and array.shape[1] > MOST_EMOTIONS
    )


def _label_words(array):
    """Return an array of labels as a list of words, numbers as text; None when it holds none."""
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim == 2 and array.dtype.kind in "uifb" and _is_one_hot(array):
        array = array.argmax(axis=1)
    if array.ndim != 1:
        return None
    if array.dtype.kind == "f" and not (np.isfinite(array) & (array == np.rint(array))).all():
        return None
    return [_word(value) for value in array.tolist()]


def _is_one_hot(array):
    return np.isin(array, (0, 1)).all() and (array.sum(axis=1) == 1).all()


def _word(value, names=(), row="an array"):
    """Return a label as a word: the name that its number has, or the number as text."""
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    if isinstance(value, str):
        return value.strip()
    if np.ndim(value) or int(value) != value:
        raise ValueError(f"{row} has the label {value!r}; a label is a word or a whole number")
    return str(names[int(value)]) if 0 <= int(value) < len(names) else str(int(value))


def _squares(values, name):
    """Return an array of pictures as (N, H, W) or (N, H, W, 3), however its rows and channels lie."""
    if values.ndim == 3 and 1 in values.shape[1:]:  # (N, 2304, 1)
        values = values.reshape(len(values), -1)
    if values.ndim == 2:
        side = int(np.sqrt(values.shape[1]))
        if side * side != values.shape[1]:
            raise ValueError(f"{name} has rows of {values.shape[1]:,} pixels, which make no square")
        values = values.reshape(-1, side, side)
    if values.ndim == 4 and values.shape[1] in (1, 3) and values.shape[3] not in (1, 3):
        values = values.transpose(0, 2, 3, 1)
    if values.ndim == 4 and values.shape[3] == 1:
        values = values[..., 0]
    if values.ndim == 4 and values.shape[3] != 3:
        raise ValueError(f"{name} has the shape {values.shape}; pictures have one channel or three")
    return values


def _pixels(values, rows):
    """Return images uint8 (N, 48, 48) of an array of pictures, which of them are readable, and `Note`s.

    `rows` says of each picture which it is.
    """
    name = rows[0].rpartition(" row ")[0] if rows else "an array"
    values = _squares(values, name)
    readable = np.isfinite(values).all(axis=tuple(range(1, values.ndim)))
    values, word = to_uint8(values[readable])
    images = np.zeros((len(readable), SIZE, SIZE), np.uint8)
    done = Counter({word: len(values)} if word else {})
    for k, value in zip(np.flatnonzero(readable), values, strict=True):
        images[k], more = to_face(value)
        done.update(more)
    unreadable = dict.fromkeys(np.flatnonzero(~readable), NO_NUMBERS)
    return images, readable, notes_on(name, rows, done, unreadable)


def _faces(images, words, usages, rows, notes):
    names = sorted(set(words))
    labels = [names.index(word) for word in words]
    return FaceSet(images, labels, usages, tuple(names), np.array(rows), notes=tuple(notes))


def _joined(parts, files):
    """Return FaceSets of one dataset as one, whose names are all of theirs."""
    names = sorted({name for part in parts for name in part.names})
    words = [part.names[label] for part in parts for label in part.labels]
    return FaceSet(
        np.concatenate([part.images for part in parts]),
        [names.index(word) for word in words],
        np.concatenate([part.usage for part in parts]),
        tuple(names),
        np.concatenate([part.files for part in parts]),
        files.where.name,
        tuple(note for part in parts for note in part.notes),
    )


def _no_pairs(files, arrays):
    told = ", ".join(f"{name} {array.dtype} {array.shape}" for name, array in arrays.items())
    return (
        f"{files.where} does not hold one array of pictures (N, 48, 48) and one of labels (N,) for each "
        f"usage, but {told}; name them like x_train and y_train"
    )
