"""`Run`, the record of a training run; which record or model a name means."""

import contextlib
import re
from pathlib import Path

from fer_kit.data.emotions import EMOTIONS
from fer_kit.models.pretrained import EXPORTED, load_model, refuse_other_folder, shipped_file
from fer_kit.runtime.files import digest_of, file_digest, read_json, write_sealed
from fer_kit.runtime.locks import locked
from fer_kit.runtime.settings import Source
from fer_kit.training.records import parts

PATIENCE = 10
"""Seconds to wait for another process that writes into a run folder, before its scores are refused."""

RECORDS = Path(__file__).parents[1] / "recorded"
"""The folder with the records of full runs that come with the kit, without their models."""


class Run:
    """A run record, in the folder `folder`. `training.fit` writes it, `Run.open` opens it."""

    def __init__(self, folder):
        self.folder = Path(folder)

    @classmethod
    def open(cls, folder):
        """Return the run in `folder`.

        Raises FileNotFoundError when there is none, and ValueError when its config.json or metrics.json is
        damaged. All other parts are checked when they are asked for.
        """
        if not (Path(folder) / "config.json").is_file():
            raise FileNotFoundError(f"{folder} is no run record: it has no config.json; train into it first")
        run = cls(folder)
        run._check("config.json")
        _ = run.config
        return run

    def __repr__(self):
        return f"Run({str(self.folder)!r}): {self.summary}"

    @property
    def config(self):
        """The arguments of the run: model, recipe, seed, fingerprints of the faces, as a dict."""
        return read_json(self.folder / "config.json", parts.advice())

    @property
    def provenance(self):
        """Dataset, profile, versions, device, precision and teachers, as a dict."""
        if not (path := self.folder / "provenance.json").exists():
            raise FileNotFoundError(f"{path} is gone, or not written yet; {parts.advice()}")
        provenance = read_json(path, parts.advice())
        if "config" in provenance and provenance["config"] != digest_of(self.config):
            raise ValueError(
                f"{self.folder}: provenance.json and config.json are of two runs; {parts.advice()}"
            )
        return provenance

    @property
    def metrics(self):
        """Status (finished, interrupted, diverged or unfinished), best epoch and scores, as a dict."""
        return parts.read_metrics(self.folder)

    def _check(self, name):
        """Raise ValueError when a file is not the one that belongs to this run."""
        metrics = self.metrics
        parts.check(self.folder / name, metrics)
        return metrics

    @property
    def _state(self):
        """What state.npz says of an unfinished run, a dict; empty where no epoch was saved."""
        state = parts.read_state(self.folder)
        if state is None and (self.folder / "best.keras").exists():
            raise ValueError(f"{self.folder / 'state.npz'} is gone from an unfinished run; {parts.advice()}")
        return state or {"epoch": 0}

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
        will be trained again. Raises ValueError when the file is damaged.
        """
        path = self.folder / "history.csv"
        metrics = self._check("history.csv")
        if metrics["status"] == "finished":
            return parts.read_history(path)
        state = self._state
        if "history" in state and parts.lines_digest(path, state["epoch"]) != state["history"]:
            raise ValueError(f"{path} is damaged, or another run's; {parts.advice()}")
        return parts.read_history(path, state["epoch"])

    @property
    def best_epoch(self):
        """The epoch that the recipe's monitor chose, from 1; None when no epoch has finished.

        Raises ValueError when the record says another one than its history.
        """
        best = parts.best_epoch(self.history, self.config["recipe"]["monitor"])
        if best is None:
            return None
        metrics = self.metrics
        said = metrics.get("best_epoch") if metrics["status"] == "finished" else None
        if said not in (None, best):
            raise ValueError(
                f"{self.folder}: metrics.json says that epoch {said} was the best, history.csv {best}; one "
                f"of them is damaged: {parts.advice()}"
            )
        return best

    @property
    def loss_name(self):
        """What the losses of `history` are: their function, and the smoothing of the labels in it."""
        recipe = self.config["recipe"]
        name = recipe.get("loss", "crossentropy").replace("crossentropy", "cross-entropy")
        smoothing = recipe.get("label_smoothing")
        return f"{name}, labels smoothed by {smoothing:g}" if smoothing else name

    @property
    def best_accuracy(self):
        """The best epoch's accuracy, 0-1, on the faces that selected it; None when no epoch has finished."""
        best = self.best_epoch
        return float(self.history.val_accuracy[best]) if best else None

    @property
    def predictions(self):
        """The best model's probabilities on the faces that selected it.

        A dict of `probabilities` float32 (N, K), `labels` int64 (N,), `usage` and `files` str (N,). Raises
        ValueError when the file is damaged.
        """
        self._check("predictions.npz")
        return parts.read_predictions(self.folder / "predictions.npz")

    @property
    def private_predictions(self):
        """The same on PrivateTest, with `twins` bool (N,); None before PrivateTest was scored.

        They belong to the score of `score("PrivateTest")`.
        """
        path = self.folder / "private.npz"
        if not path.exists() or path.name not in self.metrics.get("files", [path.name]):
            return None
        self._check("private.npz")
        return parts.read_private(path, self.weights, self.score("PrivateTest"))

    @property
    def finished(self):
        """Whether training is complete."""
        return self.metrics["status"] == "finished"

    @property
    def weights(self):
        """The digest of the best model's weights, see `layers.weights_digest`; None when it is not known."""
        metrics = self.metrics
        if metrics["status"] == "finished":
            return metrics.get("weights")
        return self._state.get("counters", {}).get("best", {}).get("best_weights")

    @property
    def about(self):
        """What the file of this run's model says of it, a dict: emotions, record, and what it saw."""
        provenance = self.provenance
        return {
            "emotions": list(provenance["emotions"]),
            "record": self.folder.name,
            "selected_on": provenance.get("selected_on"),
            "leak": self.leak,
        }

    @property
    def leak(self):
        """What this run learned or chose from PrivateTest, in words; empty when nothing is known of it."""
        provenance = self.provenance
        learned = provenance.get("trained_on", {}).get("test_faces", 0)
        selected_on = provenance.get("selected_on", "")
        said = provenance.get("selected_on_private_test") or "PrivateTest" in selected_on
        words = ["was selected on PrivateTest"] if said else []
        if learned:
            words.append(f"learned {learned:,} of FER-2013's test faces")
        return " and ".join(words)

    @property
    def summary(self):
        """One line: model, recipe, epochs, best score, dataset, time, device and profile.

        Of a damaged record it says what is damaged.
        """
        try:
            return self._summary()
        except (ValueError, OSError) as error:
            return f"damaged: {error}"

    def _summary(self):
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
        return "; ".join([*words, self.leak] if self.leak else words)

    def damaged(self):
        """Return what is wrong with the files of this run, a list of str; empty when nothing is."""
        problems = []
        reads = [lambda: self.metrics, lambda: self.provenance, lambda: self.best_epoch]
        # A record that was kept without its model is whole.
        optional = [lambda: self.predictions, lambda: self.private_predictions, self._check_model]
        for read in (*reads, *optional):
            try:
                read()
            except FileNotFoundError as error:
                problems += [str(error)] if read in reads else []
            except (ValueError, OSError) as error:
                problems.append(str(error))
        return list(dict.fromkeys(problems))

    def model(self):
        """Return the best model, loaded safely.

        Raises FileNotFoundError when no epoch has finished, or when it is not there any more, and ValueError
        when it is damaged or another run's.
        """
        self._check_model()
        model = load_model(self.folder / "best.keras")
        with contextlib.suppress(ValueError, OSError):  # a damaged provenance; the file itself says it, too
            model.about = self.about
        return model

    def _check_model(self):
        path = self.folder / "best.keras"
        if not path.exists():
            raise FileNotFoundError(
                f"there is no {path}: no epoch of this run has finished, or its model was not kept; train it "
                "first, by the same call"
            )
        if self._check("best.keras")["status"] != "finished":
            state = parts.read_state(self.folder) or {}
            saved = state.get("counters", {}).get("best", {}).get("best_file")
            if saved not in (None, file_digest(path)):
                raise ValueError(f"{path} is damaged, or another run's; {parts.advice()}")

    def score(self, usage="PrivateTest"):
        """Return the score of the best model on one usage as it is, a dict of plain numbers, or None.

        That is the one on all faces that the usage had in the run's dataset, on no other faces, without
        several views of a face and with the weights that the run has now, whenever it was taken. Its
        `accuracy_twin_free` is None unless twins were looked for in the dataset's Training faces.
        """
        return parts.plain_score(self.metrics["scores"], self.provenance, self.weights, usage)

    def add_score(self, numbers):
        """Write what `Scores.as_json` returns into metrics.json, under a name that says what was scored.

        A score that is there already stays. Counts how often PrivateTest was scored, because who looks often
        begins to select.
        """
        numbers = {name: value for name, value in numbers.items() if name != "unfinished"}  # it may finish
        with locked(self.folder, PATIENCE):
            metrics = self.metrics
            metrics["scores"].setdefault(parts.score_name(numbers), numbers)
            metrics["private_test_scored"] += bool(numbers.get("private_test"))
            if metrics["status"] == "finished":
                metrics.setdefault("weights", numbers.get("weights"))
            self.write_metrics(metrics)

    def add_scores(self, name, numbers):
        """Write a table of plain numbers that belongs to the run's scores, a dict, into metrics.json."""
        with locked(self.folder, PATIENCE):
            metrics = self.metrics
            metrics["scores"][name] = numbers
            self.write_metrics(metrics)

    def write_metrics(self, metrics, changed=()):
        """Write metrics.json, with the digests of files that were `changed` or are not listed yet."""
        listed = parts.list_files(self.folder, metrics["status"] == "finished")
        known = {name: digest for name, digest in metrics.get("files", {}).items() if name not in changed}
        write_sealed(self.folder / "metrics.json", dict(metrics) | {"files": listed | known})


def emotions_of(model, network, given=None):
    """Return the emotions of a network's outputs, a tuple of str in their order, or None.

    `model` is what `open_model` was given and `network` what it opened. A run, its best.keras wherever it was
    copied, and a shipped model say them. Of an older run, best.keras stands beside the record, and a network
    of seven outputs that `models.build` made has the order of `EMOTIONS`. None means that nothing says them:
    a file from elsewhere, or a Keras model in memory; then they are those that are `given`. Raises
    ValueError where what is given contradicts the network.
    """
    from fer_kit.models.contract import agreed_names, is_built_here

    told = getattr(network, "about", {}).get("emotions")
    run = run_of(model)
    if run is not None and not told:
        told = run.provenance["emotions"]
    if names := agreed_names(network.name, told, given):
        return names
    return EMOTIONS if is_built_here(network) and network.output_shape[-1] == len(EMOTIONS) else None


def run_of(model):
    """Return a `Run` or that of a path, a run folder or best.keras in it. None for anything else."""
    if isinstance(model, Run):
        return model
    if not isinstance(model, (str, Path)):
        return None
    path = Path(model)
    folder = path if path.is_dir() else path.parent
    recorded = (folder / "provenance.json").exists() and (path.is_dir() or path.name == "best.keras")
    return Run(folder) if recorded else None


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
    if not network.about and (run := run_of(found)):  # an older file says nothing of itself
        network.about = run.about
    return network, None


def find_model(model):
    """Return what `open_model` would open, without Keras: a `Run`, the Path of a file, or `model` itself.

    Raises FileNotFoundError when there is no such model, ValueError for one exported or of another format.
    """
    if not isinstance(model, (str, Path)):
        return model
    path = Path(model)
    if path.is_dir():
        refuse_other_folder(path)
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


def recorded(name):
    """Return the `Run` of this name that comes with the kit, or None when there is no such record.

    If the full run has no record, the longest shorter one is returned, such as `name`-15-epochs.
    """
    shorter = {p: re.fullmatch(rf"{re.escape(name)}-(\d+)-epochs", p.name) for p in RECORDS.glob(f"{name}-*")}
    by_length = sorted((int(found[1]), path) for path, found in shorter.items() if found)
    folders = [RECORDS / name, *(path for _, path in reversed(by_length))]
    return next((Run(folder) for folder in folders if (folder / "config.json").exists()), None)
