"""The parts of a run record on disk: each is checked when it is read, and a damaged one blocks no other.

The JSON files hold their own checksums, and metrics.json of a finished run the digests of all other files
but learned.npz: what is deleted, cut, changed or exchanged for a part of another run is an error that names
it. While a run trains, state.npz holds the digests of the best model and of the history. Records of older
versions have none of these; what can be checked without, such as a gap in the epochs, is.
"""

import hashlib
import json
import zipfile
from itertools import islice
from pathlib import Path

import numpy as np

from fer_kit.runtime.files import file_digest, read_json, replacing
from fer_kit.runtime.names import by_door

SMALL = ("config.json", "provenance.json", "history.csv", "metrics.json", "predictions.npz", "private.npz")
LEARNED = "learned.npz"
COLUMNS = ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "seconds")

OFFICIAL = {"PublicTest": "e940e01ef30b4008", "PrivateTest": "3adea8f5e3e37363"}
"""Fingerprints of FER-2013's test faces. Records of older versions do not say which faces a usage had."""


UNKNOWN_TWINS = {"accuracy_twin_free": None, "twins": None}


def advice():
    """Return what to do about a damaged part, in words."""
    return f"restore it from a copy, or train again with {by_door('retrain=True', '--retrain')}"


def read_metrics(folder):
    """Return what metrics.json of the run in `folder` holds, a dict, or of a new run its beginnings.

    Raises ValueError when it is damaged, gone from a run that had one, or another run's.
    """
    path = Path(folder) / "metrics.json"
    if not path.exists():
        if (path.with_name("predictions.npz")).exists() and not path.with_name("state.npz").exists():
            raise ValueError(f"{path} of a trained run is gone; {advice()}")
        return {"status": "unfinished", "scores": {}, "private_test_scored": 0}
    metrics = read_json(path, advice())
    listed = metrics.get("files", {})
    others = [name for name in listed if name in SMALL and (path.parent / name).is_file()]
    if others and not any(file_digest(path.parent / name) == listed[name] for name in others):
        raise ValueError(f"{path} is another run's: none of the files beside it is as it says; {advice()}")
    return metrics


def check(path, metrics):
    """Raise ValueError when a file is not the one that the metrics of its run list, or is gone.

    Files that are not listed, as in records of older versions, are not checked.
    """
    expected = metrics.get("files", {}).get(path.name)
    if expected is None:
        return
    if not path.exists():
        raise ValueError(f"{path} is gone; {advice()}")
    if not path.is_file() or file_digest(path) != expected:
        raise ValueError(f"{path} is damaged, or another run's; {advice()}")


def list_files(folder, finished):
    """Return {name: digest} of the files in `folder` that will not change any more."""
    names = [*SMALL, "best.keras"] if finished else ["config.json", "provenance.json", "private.npz"]
    there = (Path(folder) / name for name in names if name != "metrics.json")
    return {path.name: file_digest(path) for path in there if path.is_file()}


def read_history(path, epochs=None):
    """Return history.csv as a DataFrame, a row per epoch; with `epochs`, the first ones alone.

    It is empty for a file that is missing or empty. Raises ValueError, naming the row, for anything but
    numbers of the epochs 1, 2, 3 ... in order.
    """
    import pandas as pd  # slow to import

    if not path.exists() or not path.stat().st_size:
        return pd.DataFrame(columns=list(COLUMNS), index=pd.Index([], name="epoch"))
    try:
        history = pd.read_csv(path, index_col="epoch")
    except Exception as error:  # of what is no table pandas says ValueError, TypeError and more
        raise ValueError(f"{path} is damaged ({error}); {advice()}") from error
    history = history if epochs is None else history.iloc[:epochs]
    for row, epoch in enumerate(history.index, 1):
        if epoch != row:
            raise ValueError(f"{path} is damaged: row {row} is of epoch {epoch}; {advice()}")
    if epochs is not None and len(history) < epochs:
        raise ValueError(f"{path} is damaged: {len(history)} of {epochs} epochs are there; {advice()}")
    words = [name for name in history if not pd.api.types.is_numeric_dtype(history[name])]
    lacking = [name for name in ("val_loss", "val_accuracy") if name not in history]
    if words or lacking:
        raise ValueError(f"{path} is damaged: {(words + lacking)[0]} is not all numbers; {advice()}")
    return history


def best_epoch(history, monitor):
    """Return the epoch that a recipe's `monitor` chooses from a history, from 1; None without an epoch."""
    if history.empty:
        return None
    return int(history[monitor].idxmin() if monitor == "val_loss" else history[monitor].idxmax())


def first_lines(path, epochs):
    """Return the bytes of history.csv up to the row of epoch `epochs`, with its header."""
    if not path.exists():
        return b""
    with path.open("rb") as file:  # its lines end in "\r\r\n" on Windows, which splitlines takes for two ends
        return b"".join(islice(file, epochs + 1))


def lines_digest(path, epochs):
    """Return the SHA-256 of the first `epochs` rows of history.csv."""
    return hashlib.sha256(first_lines(path, epochs)).hexdigest()


def read_arrays(path):
    """Return the arrays of a `.npz` file, {name: array}. Raises ValueError when any of them is damaged."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            damaged = stored.zip.testzip()
            arrays = {name: stored[name] for name in stored.files}
    except FileNotFoundError:
        raise
    except Exception as error:  # zipfile, zlib and NumPy have an error each for every byte
        raise ValueError(f"{path} is damaged ({error}); {advice()}") from error
    if damaged:
        raise ValueError(f"{path} is damaged: its {damaged} is; {advice()}")
    return arrays


def read_predictions(path):
    """Return what `write_predictions` wrote, as a dict of arrays. Raises ValueError when it is damaged."""
    arrays = read_arrays(path)
    lacking = [name for name in ("probabilities", "labels", "usage", "files") if name not in arrays]
    lengths = {len(arrays[name]) for name in arrays if arrays[name].ndim}
    if lacking or len(lengths) != 1:
        what = f"it has no {lacking[0]}" if lacking else "its arrays are of different lengths"
        raise ValueError(f"{path} is damaged: {what}; {advice()}")
    return arrays


def read_private(path, weights, score):
    """Return what private.npz holds, None unless it belongs to these weights and this score, a dict or None.

    Files of older versions do not say of which weights and faces they are.
    """
    stored = read_predictions(path)
    of_weights = str(stored.pop("weights", weights))
    of_faces = stored.pop("of_faces", None)
    same = of_faces is None or bool(score) and str(of_faces) == _fingerprint(score)
    return stored if same and of_weights == str(weights) else None


def write_predictions(path, faces, probabilities, **more):
    """Write probabilities (N, K) of `faces` with their labels, usages and file names, all or nothing.

    Probabilities are rounded to 5 decimals, which halves the file. `more` are further arrays by name.
    """
    known = {"labels": faces.labels, "usage": faces.usage, "files": faces.files}
    rounded = np.round(probabilities, 5).astype(np.float32)
    with replacing(path) as file:
        np.savez_compressed(file, probabilities=rounded, **known, **more)


def write_learned(folder, faces):
    """Write which `faces` a run learns from, all or nothing: 48 bits of each one's digest, no pixel."""
    with replacing(Path(folder) / LEARNED) as file:
        np.savez_compressed(file, digests=np.unique(faces.digests.astype("S12")))


def are_learned(folder, faces):
    """Return bool (N,): which `faces` stand in what `write_learned` wrote; none where it is not there."""
    try:
        learned = read_arrays(Path(folder) / LEARNED)["digests"]
    except (FileNotFoundError, ValueError, KeyError):  # of an older version, or damaged
        return np.zeros(len(faces), bool)
    return np.isin(faces.digests.astype("S12"), learned)


def read_state(folder):
    """Return what state.npz of an unfinished run says of it, a dict; None where there is no such file.

    Raises ValueError when it is damaged.
    """
    path = Path(folder) / "state.npz"
    if not path.exists():
        return None
    try:
        with zipfile.ZipFile(path) as stored, stored.open("about.npy") as about:
            return json.loads(str(np.lib.format.read_array(about)))
    except Exception as error:
        raise ValueError(f"{path} is damaged ({error}); {advice()}") from error


def plain_score(scores, provenance, weights, usage):
    """Return the score of a usage as it is, as `Run.score` says, a dict of plain numbers, or None.

    `scores` are those of metrics.json, `weights` the digest of the run's weights, None when it is not known.
    """
    of_usage = _of_usage(scores, usage)
    found = [numbers for numbers in of_usage if _is_plain(numbers, provenance, weights, usage, of_usage)]
    training = provenance.get("usages", {}).get("Training", {}).get("fingerprint")
    found.sort(key=lambda numbers: not _knows_twins(numbers, training))
    best = found[0] if found else None
    return best if best is None or _knows_twins(best, training) else best | UNKNOWN_TWINS


def _knows_twins(numbers, training):
    """Whether twins were looked for in the Training faces of this fingerprint; older scores do not say."""
    there = numbers.get("accuracy_twin_free") is not None
    return there and numbers.get("twins_from", training) == training


def is_plain(numbers, scores, provenance, weights, usage):
    """Return whether a score, a dict and one of `scores`, is one that `plain_score` may return."""
    of_usage = _of_usage(scores, usage)
    return numbers.get("usage") == usage and _is_plain(numbers, provenance, weights, usage, of_usage)


def _of_usage(scores, usage):
    return [numbers for name, numbers in scores.items() if numbers.get("usage", name) == usage]


def _is_plain(numbers, provenance, weights, usage, of_usage):
    """Whether a score is on all faces of a usage as they are, and by these weights.

    A record does not say which faces a usage had that was not in the run's dataset, and of older versions
    none does. Of the scores `of_usage` the one on FER-2013's own test faces is then taken, or the only one.
    """
    faces = provenance.get("usages", {}).get(usage, {}).get("fingerprint")
    faces = faces or _likeliest(of_usage, usage)
    changed = numbers.get("augment") or numbers.get("left_out")
    of_these = weights is None or numbers.get("weights", weights) == weights
    return "accuracy" in numbers and not changed and of_these and _fingerprint(numbers) == faces


def score_name(numbers):
    """Return the name of a score, a dict as in `Scores.as_json`: what was scored, in words.

    That is the usage, the faces and their fingerprint, the views, the weights, and where twins were sought.
    """
    words = [numbers["usage"], f"{numbers['faces']:,} faces {_fingerprint(numbers)}"]
    words += [numbers.get("augment") or "as they are", f"weights {numbers.get('weights')}"]
    if numbers.get("twins_from"):
        words.append(f"twins in {numbers['twins_from']}")
    return ", ".join(words)


def _fingerprint(numbers):
    return numbers.get("dataset", {}).get("fingerprint")


def _likeliest(found, usage):
    """Return the fingerprint of all faces of a usage, where a record of an older version does not say it."""
    there = {_fingerprint(numbers) for numbers in found if not numbers.get("augment")}
    if OFFICIAL.get(usage) in there:
        return OFFICIAL[usage]
    return there.pop() if len(there) == 1 else "several"
