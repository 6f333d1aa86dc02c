"""Likely wrong labels, once a model exists: confident learning."""

import numpy as np

from fer_kit.data.doctor.findings import Finding


def likely_wrong_labels(probabilities, labels):
    """Find faces whose label a model finds unlikely, by confident learning (Northcutt et al. 2021).

    A face is suspected when another emotion's probability reaches what that emotion's own faces have on
    average, and beats the label's.

    Args:
        probabilities: float (N, K) from a model that did NOT train on these faces.
        labels: int (N,).

    Returns:
        Row numbers, int (M,), the most suspect first.

    Raises:
        ValueError: the shapes do not fit.
    """
    probabilities = np.asarray(probabilities, float)
    labels = np.asarray(labels)
    if (
        probabilities.ndim != 2
        or len(probabilities) != len(labels)
        or not ((labels >= 0) & (labels < probabilities.shape[1])).all()
    ):
        raise ValueError(
            f"probabilities {probabilities.shape} do not fit {len(labels)} labels; expected (N, K), and "
            "labels from 0 to K - 1 (leave out faces without one)"
        )
    own = probabilities[np.arange(len(labels)), labels]
    usual = np.full(probabilities.shape[1], np.inf)
    for k in np.unique(labels):
        usual[k] = own[labels == k].mean()
    confident = np.where(probabilities >= usual, probabilities, -1.0)
    margin = confident.max(axis=1) - own
    suspects = np.flatnonzero((confident.argmax(axis=1) != labels) & (margin > 0))
    return suspects[np.argsort(-margin[suspects], kind="stable")]


def check_labels(faces, probabilities, suspects):
    """Return findings on the `suspects` of `likely_wrong_labels`."""
    if not len(suspects):
        return []
    row = suspects[0]
    text = (
        f"{len(suspects):,} labels look wrong to the model, first {faces.files[row]}: labelled "
        f"{faces.names[faces.labels[row]]}, looks {faces.names[np.argmax(probabilities[row])]}. Look at "
        "them before believing it."
    )
    return [Finding("likely-wrong-labels", "note", text)]
