"""The numbers of an evaluation, from confusion counts and probabilities, and how certain they are.

Functions of a confusion matrix take any number of them at once, (..., K, K): that makes the bootstrap fast.
"""

import numpy as np
import pandas as pd
from scipy.stats import binomtest, norm


def confusion_matrix(labels, predicted, classes):
    """Return the counts int64 (classes, classes): rows are true labels, columns predicted ones.

    `labels` and `predicted` are int (N,), 0 to `classes` - 1; ValueError is raised for others.
    """
    both = np.array([labels, predicted], np.int64)
    if not ((both >= 0) & (both < classes)).all():
        raise ValueError(f"labels go from 0 to {classes - 1}; these from {both.min()} to {both.max()}")
    cells = both[0] * classes + both[1]
    return np.bincount(cells, minlength=classes**2).reshape(classes, classes)


def recall_per_emotion(confusion):
    """Return the share of each emotion's faces that were found, float (..., K); nan without faces."""
    return _ratio(_right(confusion), confusion.sum(-1), empty=np.nan)


def precision_per_emotion(confusion):
    """Return the share of each prediction that was right, float (..., K); 0 where nothing was predicted."""
    return _ratio(_right(confusion), confusion.sum(-2))


def f1_per_emotion(confusion):
    """Return the harmonic mean of precision and recall, float (..., K); nan for emotions without faces."""
    f1 = _ratio(2 * _right(confusion), confusion.sum(-1) + confusion.sum(-2))
    return np.where(confusion.sum(-1) > 0, f1, np.nan)


def macro_f1(confusion):
    """Return the mean F1 over the emotions that have faces: each emotion counts the same, however rare."""
    return np.nanmean(f1_per_emotion(confusion), axis=-1)


def balanced_accuracy(confusion):
    """Return the mean recall over the emotions that have faces, 1/K for guessing."""
    return np.nanmean(recall_per_emotion(confusion), axis=-1)


def emotion_table(confusion, names):
    """Return a DataFrame by emotion: precision, recall, f1 (0-1) and faces (choudhari-metrics)."""
    columns = {
        "precision": precision_per_emotion(confusion),
        "recall": recall_per_emotion(confusion),
        "f1": f1_per_emotion(confusion),
        "faces": confusion.sum(1),
    }
    return pd.DataFrame(columns, index=pd.Index(names, name="emotion"))


def wilson(right, faces, confidence=0.95):
    """Return (low, high), the interval of a share `right` / `faces` (Wilson 1927).

    It stays within 0 to 1 and holds for rare emotions, where "+- 1.96 standard errors" does not. Without
    faces it is (0, 1).
    """
    if faces == 0:
        return (0.0, 1.0)
    interval = binomtest(round(right), int(faces)).proportion_ci(confidence, method="wilson")
    return (float(interval.low), float(interval.high))


def bootstrap(confusion, metric, confidence=0.95, rounds=1000, seed=0):
    """Return (low, high) of any `metric` of a confusion matrix, by resampling the faces `rounds` times.

    Drawing N faces with replacement and counting them is one multinomial draw over the matrix's cells,
    so that a thousand rounds take milliseconds.

    Args:
        confusion: Counts int (K, K).
        metric: A function from (rounds, K, K) to (rounds,), such as `macro_f1`.
        confidence: How often the interval shall hold, 0 to 1.
        rounds: How many times the faces are resampled.
        seed: For the resampling.

    Returns:
        (low, high), two floats.
    """
    faces = int(confusion.sum())
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(faces, confusion.ravel() / faces, size=rounds)
    values = metric(drawn.reshape(rounds, *confusion.shape))
    low, high = np.quantile(values, [0.5 - confidence / 2, 0.5 + confidence / 2])
    return (float(low), float(high))


def faces_needed(margin, accuracy=0.5, confidence=0.95):
    """Return how many test faces give an accuracy an interval of +- `margin` (both 0-1)."""
    z = norm.ppf(0.5 + confidence / 2)
    return int(np.ceil(z**2 * accuracy * (1 - accuracy) / margin**2))


def mcnemar(first_right, second_right):
    """Return (p, first_only, second_only) of McNemar's exact test that two models are equally good.

    `first_right` and `second_right` bool (N,): which of the SAME faces each model got right. Only the
    faces on which the two differ count; were the models equally good, each would win half of those.
    """
    first_right = np.asarray(first_right, bool)
    second_right = np.asarray(second_right, bool)
    if first_right.shape != second_right.shape:
        raise ValueError(
            f"a paired test needs the same faces, not {first_right.shape} and {second_right.shape}"
        )
    first_only = int((first_right & ~second_right).sum())
    second_only = int((second_right & ~first_right).sum())
    if first_only + second_only == 0:
        return (1.0, 0, 0)
    return (float(binomtest(first_only, first_only + second_only).pvalue), first_only, second_only)


def calibration_table(probabilities, labels, bins=15):
    """Return a DataFrame of equal confidence bins: low, high, faces, confidence and accuracy (0-1).

    The confidence of a face is the probability of its predicted emotion. Fifteen bins as in Guo et al.
    2017, "On calibration of modern neural networks". Empty bins have nan confidence and accuracy.
    """
    probabilities = np.asarray(probabilities, np.float64)
    confidence = probabilities.max(1)
    right = probabilities.argmax(1) == labels
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    faces = np.bincount(place, minlength=bins)
    edges = np.linspace(0, 1, bins + 1)
    columns = {
        "low": edges[:-1],
        "high": edges[1:],
        "faces": faces,
        "confidence": _ratio(np.bincount(place, confidence, bins), faces, np.nan),
        "accuracy": _ratio(np.bincount(place, right, bins), faces, np.nan),
    }
    return pd.DataFrame(columns)


def calibration_error(table):
    """Return the expected calibration error of a `calibration_table`: the mean gap, weighted by faces."""
    gap = (table.confidence - table.accuracy).abs() * table.faces
    return float(gap.sum() / table.faces.sum())


def _right(confusion):
    return np.diagonal(confusion, axis1=-2, axis2=-1)


def _ratio(part, whole, empty=0.0):
    """part / whole with `empty` where whole is 0."""
    return np.divide(part, whole, out=np.full(np.shape(whole), empty, float), where=np.asarray(whole) > 0)
