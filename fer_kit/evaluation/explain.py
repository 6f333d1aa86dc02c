"""What a network sees and where it fails: feature maps, embeddings, mistakes, and the maps of `saliency`."""

import numpy as np
from sklearn.decomposition import PCA

from fer_kit.data.doctor import likely_wrong_labels
from fer_kit.evaluation.saliency import activations, grad_cam, guided_backpropagation, occlusion

__all__ = [
    "activations",
    "confident_mistakes",
    "feature_maps",
    "grad_cam",
    "guided_backpropagation",
    "likely_wrong_labels",
    "occlusion",
    "project",
    "random_of",
]


def feature_maps(model, face, layer):
    """Return each channel's output of `layer` for one face, float32 (channels, H, W) (choudhari-features).

    `face` uint8 (48, 48), 0-255. Raises ValueError for an unknown layer, or one without feature maps.
    """
    maps = activations(model, np.asarray(face)[np.newaxis], layer)[0]
    if maps.ndim != 3:
        raise ValueError(f"layer {layer!r} returns an array {maps.shape}, not maps (H, W, channels)")
    return np.moveaxis(maps, -1, 0)


def project(features, dimensions=2):
    """Return (points, shares): `features` (N, ...) projected on their first principal components.

    `points` float32 (N, dimensions); `shares` float (dimensions,), how much of the variance each axis
    explains, 0-1. Raw pixels or an embedding both serve (choudhari-pca).
    """
    flat = np.asarray(features, np.float32).reshape(len(features), -1)
    pca = PCA(dimensions, random_state=0)
    return pca.fit_transform(flat), pca.explained_variance_ratio_


def confident_mistakes(scores, count=16):
    """Return the rows of `scores.scored` with the most confident mistakes, surest first (zhao-fig6)."""
    wrong = np.flatnonzero(~scores.right)
    return wrong[np.argsort(-scores.predictions.max(1)[wrong], kind="stable")][:count]


def random_of(scores, emotion, count=5, seed=0):
    """Return the rows of `count` random faces of one true `emotion` (hejslet-fig6, hejslet-fig7)."""
    if emotion not in scores.scored.names:
        raise ValueError(f"no emotion {emotion!r} here; there are {', '.join(scores.scored.names)}")
    rows = np.flatnonzero(scores.scored.labels == scores.scored.names.index(emotion))
    return np.random.default_rng(seed).permutation(rows)[:count]
