"""The record of a training run: one folder with what was trained, on what, how it went, and the best model.

config.json       the arguments; by them the same call finds its run again
provenance.json   dataset, seed, versions, device, precision, seconds: what a figure has to cite
history.csv       one row per epoch, complete also after an interruption
metrics.json      status, best epoch, scores, and how often PrivateTest was scored
predictions.npz   the best model's probabilities on the faces it was selected on
private.npz       its probabilities on PrivateTest, once this has been scored
best.keras        the best model, with everything from uint8 pixels to probabilities inside
state.npz         what training needs to resume; deleted at the end
"""

import contextlib
import datetime
import importlib.metadata
import itertools
import json
import re
from pathlib import Path

import numpy as np

from fer_kit.data.emotions import EMOTIONS
from fer_kit.models.pretrained import EXPORTED, load_model, shipped_file
from fer_kit.runtime.files import read_json, replacing, write_json
from fer_kit.runtime.locks import locked
from fer_kit.runtime.names import by_door
from fer_kit.runtime.settings import Source
from fer_kit.training.recipes import differences

SMALL = ("config.json", "provenance.json", "history.csv", "metrics.json", "predictions.npz", "private.npz")
FILES = (*SMALL, "best.keras")
WRITTEN = (*FILES, "state.npz", "head.keras")
"""All that training writes into the folder of a run, and so all that it may replace there."""
COLUMNS = ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "seconds")
PACKAGES = ("keras", "tensorflow", "jax", "torch", "numpy", "opencv-contrib-python-headless", "scikit-learn")

PATIENCE = 10
"""Seconds to wait for another process that writes into a run folder, before its scores are refused."""

RECORDS = Path(__file__).with_name("recorded")
"""The folder with the records of full runs that come with the kit, without their models."""


class Run:
    """A run record, in the folder `folder`. `training.fit` writes it, `Run.open` opens it."""

    def __init__(self, folder):
        self.folder = Path(folder)

    @classmethod
    def open(cls, folder):
        """Return the run in `folder`. Raises FileNotFoundError when there is none."""
        if not (Path(folder) / "config.json").is_file():
            raise FileNotFoundError(f"{folder} is no run record: it has no config.json; train into it first")
        return cls(folder)

    def __repr__(self):
        return f"Run({str(self.folder)!r}): {self.summary}"

    @property
    def config(self):
        """The arguments of the run: model, recipe, seed, fingerprints of the faces, as a dict."""
        return read_json(self.folder / "config.json")

    @property
    def provenance(self):
        """Dataset, profile, versions, device, precision and seconds, as a dict."""
        return read_json(self.folder / "provenance.json")

    @property
    def metrics(self):
        """Status (finished, interrupted, diverged or unfinished), best epoch and scores, as a dict."""
        path = self.folder / "metrics.json"
        if path.exists():
            return read_json(path)
        return {"status": "unfinished", "scores": {}, "private_test_scored": 0}

    @property
    def source(self):
        """The `Source` that a figure drawn from this record has to name: dataset, record and profile."""
        provenance = self.provenance
        return Source(provenance["dataset"]["source"], self.folder.name, provenance["profile"])

    @property
    def history(self):
        """A DataFrame with one row per epoch, its index, from 1.

        Columns: loss and accuracy (0-1) in training, val_loss and val_accuracy on the faces that select,
        learning_rate, seconds. Empty when no epoch has finished. An epoch that was not saved is left out: it
        will be trained again.
        """
        import pandas as pd  # slow to import, and a wrong name is refused without it

        path = self.folder / "history.csv"
        if not path.exists() or not path.stat().st_size:
            return pd.DataFrame(columns=list(COLUMNS), index=pd.Index([], name="epoch"))
        history = pd.read_csv(path, index_col="epoch")
        return history if self.finished else history.loc[: saved_epoch(self.folder)]

    @property
    def best_epoch(self):
        """The epoch that the recipe's monitor chose, from 1; None when no epoch has finished."""
        history = self.history
        monitor = self.config["recipe"]["monitor"]
        if history.empty:
            return None
        return int(history[monitor].idxmin() if monitor == "val_loss" else history[monitor].idxmax())

    @property
    def best_accuracy(self):
        """The best epoch's accuracy, 0-1, on the faces that selected it; None when no epoch has finished."""
        return float(self.history.val_accuracy[self.best_epoch]) if self.best_epoch else None

    @property
    def predictions(self):
        """The best model's probabilities on the faces that selected it.

        A dict of `probabilities` float32 (N, K), `labels` int64 (N,), `usage` and `files` str (N,).
        """
        return read_predictions(self.folder / "predictions.npz")

    @property
    def private_predictions(self):
        """The same on PrivateTest, with `twins` bool (N,); None before PrivateTest was scored."""
        path = self.folder / "private.npz"
        return read_predictions(path) if path.exists() else None

    @property
    def finished(self):
        """Whether training is complete."""
        return self.metrics["status"] == "finished"

    @property
    def summary(self):
        """One line: model, recipe, epochs, best score, dataset, time, device and profile."""
        config = self.config
        provenance = self.provenance
        history = self.history
        words = [f"{config['model']} with recipe {config['recipe']['name']}, {self.metrics['status']}"]
        if len(history):
            score = f"{provenance['selected_on']} {self.best_accuracy:.1%}"
            words.append(f"best epoch {self.best_epoch} of {len(history)}, {score}")
            minutes = f"{history.seconds.sum() / 60:.1f} min"
            words.append(f"{minutes} on {provenance['device']} in {provenance['precision']}")
        words.append(f"{provenance['dataset']['source']}, profile {provenance['profile']}")
        return "; ".join(words)

    def model(self):
        """Return the best model, loaded safely. Raises FileNotFoundError when no epoch has finished."""
        path = self.folder / "best.keras"
        if not path.exists():
            raise FileNotFoundError(f"there is no {path}: no epoch of this run has finished; resume it first")
        return load_model(path)

    def add_scores(self, usage, numbers):
        """Write the scores on one usage, a dict of plain numbers, into metrics.json.

        Counts how often PrivateTest was scored, because who looks often begins to select. The first score
        stays under `PrivateTest`; later ones are kept beside it as `PrivateTest (2)` and so on.
        """
        with locked(self.folder, PATIENCE):
            metrics = self.metrics
            name = usage
            if usage == "PrivateTest":
                metrics["private_test_scored"] += 1
                count = metrics["private_test_scored"]
                name = usage if count == 1 else f"{usage} ({count})"
            metrics["scores"][name] = numbers
            write_json(self.folder / "metrics.json", metrics)


def open_model(model):
    """Return (Keras model, its `Run` or None).

    `model` is a Keras model, a `Run`, a run folder, a `.keras` file or the name of a model that comes with
    the kit; a path wins over a name. Raises FileNotFoundError when it is none of these, ValueError for a file
    whose network does not take the kit's faces, and errors as `load_model` does.
    """
    found = find_model(model)
    if isinstance(found, Run):
        return found.model(), found
    if not isinstance(found, Path):
        return found, None
    from fer_kit.models.contract import check_input

    network = load_model(found)
    check_input(network)
    return network, None


def find_model(model):
    """Return what `open_model` would open, without Keras: a `Run`, the Path of a file, or `model` itself.

    Raises FileNotFoundError when there is no such model, and ValueError for a network that was exported.
    """
    if not isinstance(model, (str, Path)):
        return model
    path = Path(model)
    if path.is_dir():
        return Run.open(path)
    if path.suffix in EXPORTED:
        raise ValueError(
            f"{path} is an exported network, for prediction alone (`watch` takes it); give the run or the "
            ".keras file from which it was exported: its answers are the same to 1e-5"
        )
    if path.suffix == ".keras" and not path.exists():
        raise FileNotFoundError(f"there is no model {path}")
    if path.exists():
        return path
    try:
        return shipped_file(str(model))
    except ValueError as error:
        raise FileNotFoundError(f"there is no run folder or file {model}, and {error}") from None


def emotions_of(model, network):
    """Return the emotions of a network's outputs, a tuple of str in their order, or None.

    `model` is what `open_model` was given and `network` what it opened. A run records them, its best.keras
    stands beside the record, and a network of seven outputs that `models.build` made has the order of
    `EMOTIONS`. None means that nothing says them: a file from elsewhere, or a Keras model in memory.
    """
    from fer_kit.models.contract import is_built_here

    run = model if isinstance(model, Run) else _run_of(model)
    if run is not None:
        return tuple(run.provenance["emotions"])
    return EMOTIONS if is_built_here(network) and network.output_shape[-1] == len(EMOTIONS) else None


def _run_of(model):
    """The run to which a path belongs: a run folder, or best.keras in it. None for anything else."""
    if not isinstance(model, (str, Path)):
        return None
    path = Path(model)
    folder = path if path.is_dir() else path.parent
    recorded = (folder / "provenance.json").exists() and (path.is_dir() or path.name == "best.keras")
    return Run(folder) if recorded else None


def read_predictions(path):
    """Return what `write_predictions` wrote, as a dict of arrays."""
    with np.load(path, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def write_predictions(path, faces, probabilities, **more):
    """Write probabilities (N, K) of `faces` with their labels, usages and file names, all or nothing.

    Probabilities are rounded to 5 decimals, which halves the file. `more` are further arrays by name.
    """
    known = {"labels": faces.labels, "usage": faces.usage, "files": faces.files}
    rounded = np.round(probabilities, 5).astype(np.float32)
    with replacing(path) as file:
        np.savez_compressed(file, probabilities=rounded, **known, **more)


def recorded(name):
    """Return the `Run` of this name that comes with the kit, or None when there is no such record.

    If the full run has no record, the longest shorter one is returned, such as `name`-15-epochs.
    """
    shorter = {p: re.fullmatch(rf"{re.escape(name)}-(\d+)-epochs", p.name) for p in RECORDS.glob(f"{name}-*")}
    by_length = sorted((int(found[1]), path) for path, found in shorter.items() if found)
    folders = [RECORDS / name, *(path for _, path in reversed(by_length))]
    return next((Run(folder) for folder in folders if (folder / "config.json").exists()), None)


def saved_epoch(folder):
    """Return the last epoch that an unfinished run saved in its state.npz, 0 when there is none.

    Raises ValueError for a damaged file.
    """
    path = Path(folder) / "state.npz"
    if not path.exists():
        return 0
    try:
        with np.load(path, allow_pickle=False) as stored:
            return json.loads(str(stored["about"]))["epoch"]
    except Exception as error:
        anew = by_door("retrain=True", "--retrain")
        raise ValueError(f"{path} is damaged ({error}); start again with {anew}") from error


def begin(folder, config, retrain=False):
    """Return the `Run` in `folder`, in which `config` is written if the folder is new or for `retrain`.

    A run that `retrain` replaces is kept, in a folder beside it whose name is printed.

    Raises:
        FileExistsError: When files of these names are there that no run of the kit left.
        ValueError: When the folder holds a run of another `config`, saying what differs, or the model of a
            run that can't be resumed because its metrics.json or state.npz is gone.
    """
    run = Run(folder)
    there = [name for name in WRITTEN if (run.folder / name).exists()]
    if there and not _is_record(run.folder):
        raise FileExistsError(
            f"{folder} holds {', '.join(there)}, but is no run record: its config.json is missing or none of "
            f"the kit's. Give another folder {by_door('as out', 'with --out')}, or put the config.json back"
        )
    if retrain:
        _set_aside(run.folder, there)
    if not (run.folder / "config.json").exists():
        run.folder.mkdir(parents=True, exist_ok=True)
        write_json(run.folder / "config.json", config)
        return run
    differing = differences(run.config, json.loads(json.dumps(config)))
    if differing:
        advice = by_door("as out, or retrain=True", "with --out, or --retrain")
        raise ValueError(
            f"{folder} holds another run: {'; '.join(differing)}. "
            f"Give another folder {advice} to train anew and keep that run beside it"
        )
    trained = [name for name in ("best.keras", "predictions.npz") if name in there]
    if trained and "state.npz" not in there and not run.finished:
        anew = by_door("pass retrain=True", "add --retrain")
        raise ValueError(
            f"{folder} holds the {trained[0]} of a trained run, but its metrics.json or state.npz is gone. "
            f"Put it back, or {anew} to train anew and keep beside it what is there"
        )
    return run


def _is_record(folder):
    """Whether a folder's config.json is one that `begin` wrote; a damaged one counts as such."""
    path = folder / "config.json"
    try:
        config = read_json(path) if path.is_file() else None
    except ValueError:
        return True
    return isinstance(config, dict) and {"model", "recipe"} <= set(config)


def _set_aside(folder, names):
    """Move the files `names` of a run into a new folder beside it; delete them if no epoch had finished."""
    worth = {"best.keras", "state.npz", "predictions.npz", "private.npz"} & set(names)
    if not worth:
        for name in names:
            (folder / name).unlink()
        return
    beside = (folder.with_name(f"{folder.name}-replaced-{count}") for count in itertools.count(1))
    aside = next(place for place in beside if not place.exists())
    aside.mkdir()
    for name in names:
        (folder / name).replace(aside / name)
    print(f"The run that was in {folder} is kept in {aside}")


def versions():
    """Return {package: version} of the installed packages on which a result depends."""
    found = {}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found


def now():
    """Return the time in UTC, to the second, as ISO 8601 text."""
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
