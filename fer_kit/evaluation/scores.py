"""The result of an evaluation: `Scores`, and what several of them say together."""

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd

from fer_kit.data.faceset import SIZE, FaceSet
from fer_kit.evaluation import metrics

TOLERANCE = 2e-2
"""How far probabilities may be from adding up to 1, and below 0: bfloat16 and five decimals round them."""


@dataclass(frozen=True, eq=False, repr=False)
class Scores:
    """The predictions of a model for some faces, and every number that follows from them.

    `scored` the faces, labels numbered in the model's emotions; `predictions` float (N, K), probabilities
    that add up to 1; `usage` what was asked for; `twins` bool (N,), which faces have a pixel-identical
    twin that the model may have been trained on, None when not known; `left_out` faces per emotion that the
    model does not know; `augment` how the views were averaged; `about` what identifies the model and the
    faces that twins were looked for in, as plain values, see `as_json`.
    """

    scored: FaceSet
    predictions: np.ndarray
    usage: str
    twins: np.ndarray | None = None
    left_out: dict | None = None
    augment: str | None = None
    about: dict = field(default_factory=dict)

    def __post_init__(self):
        wanted = (len(self.scored), len(self.scored.names))
        if self.predictions.shape != wanted:
            raise ValueError(f"predictions must be {wanted} (faces, emotions), not {self.predictions.shape}")
        check_probabilities(self.predictions, self.scored.files)

    def __repr__(self):
        low, high = self.interval
        which = f"all {self.faces:,}" if self.usage == "all" else f"{self.faces:,} {self.usage}"
        free = self.accuracy_twin_free
        free = "" if free is None else f", twin-free {free:.2%}"
        leak = f"; the model {self.about['leak']}" if self.about.get("leak") else ""
        unfinished = self.about.get("unfinished")
        unfinished = f"; its training has not finished: {unfinished}" if unfinished else ""
        return (
            f"accuracy {self.accuracy:.2%} [{low:.1%}, {high:.1%}]{free}, macro-F1 {self.macro_f1:.3f} "
            f"on {which} faces of {self.scored.source or 'memory'}{leak}{unfinished}"
        )

    @property
    def faces(self):
        """How many faces were scored."""
        return len(self.scored)

    @cached_property
    def predicted(self):
        """The most probable emotion of each face, int (N,)."""
        return self.predictions.argmax(1)

    @cached_property
    def right(self):
        """Which faces were predicted right, bool (N,)."""
        return self.predicted == self.scored.labels

    @property
    def accuracy(self):
        """The official accuracy, 0-1: the share of all scored faces predicted right."""
        return float(self.right.mean())

    @property
    def accuracy_twin_free(self):
        """The accuracy on the faces without a twin, 0-1; None when twins are not known, or all are."""
        if self.twins is None or self.twins.all():
            return None
        return float(self.right[~self.twins].mean())

    @property
    def interval(self):
        """(low, high): the 95 % Wilson interval of the accuracy."""
        return metrics.wilson(int(self.right.sum()), self.faces)

    @cached_property
    def confusion(self):
        """Counts int (K, K): rows are true emotions, columns predicted ones."""
        return metrics.confusion_matrix(self.scored.labels, self.predicted, len(self.scored.names))

    @property
    def macro_f1(self):
        """The mean F1 over the emotions that have faces, 0-1."""
        return float(metrics.macro_f1(self.confusion))

    @property
    def macro_f1_interval(self):
        """(low, high): the 95 % bootstrap interval of macro-F1, one thousand rounds."""
        return metrics.bootstrap(self.confusion, metrics.macro_f1)

    @property
    def balanced_accuracy(self):
        """The mean recall over the emotions that have faces, 0-1."""
        return float(metrics.balanced_accuracy(self.confusion))

    @property
    def per_emotion(self):
        """A DataFrame of precision, recall, f1 and faces by emotion."""
        return metrics.emotion_table(self.confusion, self.scored.names)

    @property
    def calibration(self):
        """A DataFrame of confidence bins, for the reliability diagram."""
        return metrics.calibration_table(self.predictions, self.scored.labels)

    @property
    def calibration_error(self):
        """The expected calibration error, 0-1: how far confidence and accuracy lie apart."""
        return metrics.calibration_error(self.calibration)

    def as_json(self):
        """Return all numbers as plain lists, dicts, floats and ints; predictions are not among them.

        Also what they are numbers of: `dataset` and its fingerprint, `usage`, `private_test` how many of the
        faces are PrivateTest, `augment`, `weights` the digest of the model's weights, `twins_from` the
        fingerprint of the faces that twins were looked for in, `leak` what the model saw of PrivateTest, and
        `unfinished` how far the training of a run came that is not complete.
        """
        table = self.per_emotion.astype(object).where(self.per_emotion.notna(), None)
        return {
            "accuracy": self.accuracy,
            "accuracy_twin_free": self.accuracy_twin_free,
            "interval": list(self.interval),
            "macro_f1": self.macro_f1,
            "macro_f1_interval": list(self.macro_f1_interval),
            "balanced_accuracy": self.balanced_accuracy,
            "per_emotion": table.to_dict("index"),
            "confusion": self.confusion.tolist(),
            "calibration_error": self.calibration_error,
            "faces": self.faces,
            "twins": None if self.twins is None else int(self.twins.sum()),
            "left_out": dict(self.left_out or {}),
            "usage": self.usage,
            "augment": self.augment,
            "dataset": {"source": str(self.scored.source), "fingerprint": self.scored.fingerprint},
            "private_test": int((self.scored.usage == "PrivateTest").sum()),
            "notes": [note.text for note in self.scored.notes],
            **self.about,
        }


def recorded_scores(run, usage=None):
    """Return the `Scores` that a finished `Run` was recorded with; no face is looked at again.

    `usage` is "PrivateTest", of whose faces the twins are known, or None for those that selected the run;
    their own name, mostly "PublicTest", means the same. A record holds no images: those of `scored` are
    black. Raises ValueError when the record has no answers for `usage`, when it is of a network of two heads,
    and when the predictions are not those of the score in the record.
    """
    tasks = run.metrics["scores"].get(run.provenance["selected_on"], {})
    if tasks and "accuracy" not in tasks:
        raise ValueError(f"{run.folder} answers two questions at once; its scores of each: {tasks}")
    stored = run.private_predictions if usage == "PrivateTest" else run.predictions
    if stored is None:
        raise ValueError(f"{run.folder} has no PrivateTest score; evaluate it there once, first")
    labels = stored["labels"]
    names = tuple(run.provenance["emotions"])
    black = np.broadcast_to(np.uint8(0), (len(labels), SIZE, SIZE))
    faces = FaceSet(black, labels, stored["usage"], names, stored["files"], run.source)
    of_usage = str(stored["usage"][0])
    if usage not in (None, of_usage):
        raise ValueError(f"{run.folder} was selected on {of_usage}; it keeps no answers for {usage}")
    about = {"leak": run.leak} if run.leak else {}
    scores = Scores(faces, stored["probabilities"], of_usage, stored.get("twins"), about=about)
    told = run.score(of_usage)
    # Rounded to five decimals, two of a face's probabilities may have become equal.
    if told and abs(told["accuracy"] - scores.accuracy) > 1e-3:
        raise ValueError(
            f"{run.folder}: the recorded accuracy on {of_usage} is {told['accuracy']:.4f}, that of the "
            f"recorded predictions {scores.accuracy:.4f}; one of them is damaged"
        )
    return scores


def with_images(scores, faces):
    """Return the `Scores` of a record with the images of `faces`, None if some miss or have another label.

    A face is known by its file's name, so `faces` have to be the same archive as the record's, or its folders
    (msambare/fer2013 on Kaggle).
    """
    rows = {str(file): row for row, file in enumerate(faces.files)}
    wanted = [rows.get(str(file)) for file in scores.scored.files]
    if None in wanted or faces.names != scores.scored.names:
        return None
    own = faces[wanted]
    return replace(scores, scored=own) if np.array_equal(own.labels, scores.scored.labels) else None


def check_probabilities(predictions, faces):
    """Raise ValueError, naming the first of the `faces`, unless all rows of `predictions` are probabilities.

    They lie between 0 and 1 and add up to 1, to within what bfloat16 keeps.
    """
    finite = np.isfinite(predictions).all(1)
    fits = finite & (predictions >= -TOLERANCE).all(1)
    fits &= np.abs(np.where(finite, predictions.sum(1), 0) - 1) <= TOLERANCE
    if not fits.all():
        first = np.flatnonzero(~fits)[0]
        row = ", ".join(f"{value:.3g}" for value in predictions[first])
        raise ValueError(
            f"the outputs for {faces[first]} are {row}: no probabilities, which lie between 0 and 1 and "
            "add up to 1. End the network with a softmax; if it has one, its weights are damaged"
        )


def scaled(predictions):
    """Return probabilities of some of the outputs, scaled to add up to 1; without any left all are alike."""
    total = predictions.sum(1, keepdims=True)
    alike = np.float32(1 / predictions.shape[1])
    return np.where(total > 0, predictions / np.where(total > 0, total, 1), alike)


def select(candidates):
    """Return the name of the candidate with the highest accuracy.

    Args:
        candidates: A dict of name to `Scores`.

    Raises:
        ValueError: When any was scored on PrivateTest, or is of a model that was selected there or learned
            from it: what is selected on is no longer a test set.
    """
    for name, scores in candidates.items():
        if (scores.scored.usage == "PrivateTest").any():
            raise ValueError(
                f"{name} was scored on PrivateTest; select on PublicTest, then score PrivateTest once"
            )
        if leak := scores.about.get("leak"):
            raise ValueError(f"{name} {leak}: leave it out, or there is no test set for what is selected")
    return max(candidates, key=lambda name: candidates[name].accuracy)


def over_seeds(runs):
    """Return mean and standard deviation of the scores of one recipe trained from several seeds.

    Args:
        runs: A list of `Scores` of the same faces, one per seed.

    Returns:
        A DataFrame, a row per score (accuracy, accuracy_twin_free, macro_f1, balanced_accuracy), with the
        columns mean, sd (the sample standard deviation, n - 1; nan for one seed) and seeds.

    Raises:
        ValueError: When the Scores are not of the same faces.
    """
    _same_faces(runs)
    rows = ("accuracy", "accuracy_twin_free", "macro_f1", "balanced_accuracy")
    values = pd.DataFrame({row: [getattr(scores, row) for scores in runs] for row in rows}, dtype=float)
    table = values.agg(["mean", "std", "count"]).T.set_axis(["mean", "sd", "seeds"], axis=1)
    return table.astype({"seeds": int})


def compare(first, second):
    """Compare two models on the same faces by McNemar's exact test, see `metrics.mcnemar`.

    Args:
        first: The `Scores` of one model.
        second: The `Scores` of the other.

    Returns:
        (p, first_only, second_only): how probable a split at least this uneven would be if both models were
        equally good, and how many faces only the first or only the second model classified correctly.

    Raises:
        ValueError: When they are not of the same faces.
    """
    _same_faces([first, second])
    return metrics.mcnemar(first.right, second.right)


def ensemble(probabilities):
    """Return float (N, K), the soft vote of several models: the mean of their probabilities (murphy-future).

    `probabilities` is a list of float (N, K) on the same faces. Raises ValueError when the shapes differ.
    """
    shapes = {np.shape(member) for member in probabilities}
    if len(shapes) != 1:
        raise ValueError(f"a vote needs probabilities of one shape, not {sorted(shapes)}")
    return np.mean(probabilities, axis=0)


def vote(members):
    """Return the `Scores` of a soft vote: the mean of several models' probabilities (murphy-future).

    Args:
        members: A list of `Scores` of the same faces.

    Raises:
        ValueError: When they are not of the same faces, or not of the same emotions in the same order.
    """
    _same_faces(members)
    leaks = {member.about["leak"] for member in members if member.about.get("leak")}
    about = {"leak": " and ".join(sorted(leaks))} if leaks else {}
    return replace(members[0], predictions=ensemble([member.predictions for member in members]), about=about)


def _same_faces(several):
    first = several[0].scored
    for other in (scores.scored for scores in several[1:]):
        same = np.array_equal(first.digests, other.digests) and np.array_equal(first.labels, other.labels)
        if first.names != other.names or not same:
            raise ValueError(
                "these Scores are not of the same faces in the same order; evaluate all on one FaceSet"
            )
