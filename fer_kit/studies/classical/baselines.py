"""What the classical baselines are: descriptors, classifiers and the grids that their settings come from.

A baseline's name says it: `hog-linear-svm`. They are those that zhao and choudhari survey (zhao-related,
choudhari-pca).
"""

import difflib

from sklearn.decomposition import PCA
from sklearn.kernel_approximation import Nystroem
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from fer_kit.studies.classical.descriptors import DESCRIPTORS, Descriptor, check_images, find_descriptor
from fer_kit.studies.classical.hinge import HingeSVM

CLASSIFIERS = ("knn", "linear-svm", "rbf-svm")
BASELINES = (*(f"{d}-{c}" for d in DESCRIPTORS for c in CLASSIFIERS), "hog-exact-rbf-svm")
"""Every descriptor with every classifier, and one kernel SVM without the shortcut."""

NETWORK, WHOLE = "network-linear-svm", "hog-exact-rbf-svm-on-all-faces"
"""Two that must be asked for: an SVM on a trained network's embedding (Tang 2013), and the kernel SVM
without shortcut on all faces, whose time grows with the square of their number."""

EXACT = 4000
"""How many Training faces an exact kernel SVM learns from: its time grows with the square of them."""

COMPONENTS, LANDMARKS = 100, 2000
"""In how many principal components neighbours are sought; with how many faces Nystroem compares each."""


class NetworkEmbedding(Descriptor):
    """What a trained network hands to its last layer; `run` is a `records.Run` with its model."""

    def __init__(self, run, layer="embedding"):
        self.run = run
        self.layer = layer

    def transform(self, images):
        """Return the embedding float32 (N, D) of `images` uint8 (N, 48, 48)."""
        from fer_kit.evaluation.saliency import activations

        check_images(images)
        if not hasattr(self, "model_"):
            self.model_ = self.run.model()
        return activations(self.model_, images, self.layer)

    def state(self):
        """Return the bytes of the model's file."""
        return (self.run.folder / "best.keras").read_bytes()

    def parameters(self):
        """Return the layer, and the run in one line."""
        return {"layer": self.layer, "run": self.run.summary}


def parts_of(name, run=None):
    """Return (descriptor, kind of classifier) of a baseline.

    Raises ValueError for an unknown name, with the nearest ones, and for `NETWORK` without a `run`.
    """
    known = (*BASELINES, NETWORK, WHOLE)
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.3) or known[:3]
        raise ValueError(f"no baseline {name!r}; did you mean {' or '.join(near)}?")
    first, _, kind = name.partition("-")
    if name != NETWORK:
        return find_descriptor(first), kind
    if run is None:
        raise ValueError(f"{NETWORK} needs the run of a trained network: run=fer_kit.fit(...)")
    return NetworkEmbedding(run), kind


def classifier(kind, faces, features):
    """Return (Pipeline, grid): a classifier of `features` numbers and the settings to search among.

    `faces` is how many there will be to learn from. All begin by giving every feature mean 0 and
    variance 1; two faces then lie 2 * `features` apart in mean squared distance, and the kernel's gamma is
    counted in 1 / `features`. "rbf-svm" describes each face by its similarity to `LANDMARKS` others
    (Nystroem, Williams & Seeger 2001) and draws straight borders there; "exact-rbf-svm" uses the whole
    kernel.
    """
    scale = ("scale", StandardScaler())
    gamma = [factor / features for factor in (0.5, 1)]
    if kind == "knn":
        pca = PCA(min(COMPONENTS, features, faces), svd_solver="randomized", random_state=0)
        steps = [scale, ("pca", pca), ("knn", KNeighborsClassifier(weights="distance"))]
        return Pipeline(steps), {"knn__n_neighbors": [k for k in (1, 5, 15, 30) if k <= faces]}
    if kind == "linear-svm":
        return Pipeline([scale, ("svm", HingeSVM())]), {"svm__C": [1e-5, 1e-4, 1e-3]}
    if kind == "rbf-svm":
        kernel = ("kernel", Nystroem(n_components=min(LANDMARKS, faces), random_state=0))
        return Pipeline([scale, kernel, ("svm", HingeSVM())]), {"kernel__gamma": gamma, "svm__C": [1, 10]}
    return Pipeline([scale, ("svm", SVC())]), {"svm__gamma": gamma, "svm__C": [1, 10]}
