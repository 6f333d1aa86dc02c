"""Classical baselines: descriptors with nearest neighbours and support vector machines, fitted and scored.

A baseline's name says what it is: `hog-linear-svm`. They are those that zhao and choudhari survey
(zhao-related, choudhari-pca), all on the same faces and by one protocol: Training trains, PublicTest (or
folds of Training) selects the settings, PrivateTest is scored once. Each baseline leaves one JSON file with
its settings, scores, seconds and provenance; a baseline that has one is not fitted again.
"""

import contextlib
import importlib.metadata
import json
import os
import platform
import tempfile
import time
import warnings
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.kernel_approximation import Nystroem
from sklearn.model_selection import GridSearchCV, PredefinedSplit, StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

from fer_kit.data.emotions import USAGES
from fer_kit.evaluation.scores import Scores
from fer_kit.runtime import settings
from fer_kit.runtime.files import read_json, write_sealed
from fer_kit.runtime.names import unknown
from fer_kit.runtime.versions import now, versions
from fer_kit.studies.classical.descriptors import DESCRIPTORS, Descriptor, check_images, find_descriptor
from fer_kit.training.recipes import differences
from fer_kit.training.records import RECORDS

CLASSIFIERS = ("knn", "linear-svm", "rbf-svm")
BASELINES = (*(f"{d}-{c}" for d in DESCRIPTORS for c in CLASSIFIERS), "hog-exact-rbf-svm")
"""Every descriptor with every classifier, and one kernel SVM without the shortcut."""

NETWORK = "network-linear-svm"
"""An SVM on a trained network's embedding (Tang 2013); it needs the `run` of that network."""

WHOLE = "hog-exact-rbf-svm-on-all-faces"
"""The kernel SVM without the shortcut on all faces: its time grows with the square of their number."""

KNOWN = (*BASELINES, NETWORK, WHOLE)

EXACT = 4000
"""How many Training faces an exact kernel SVM is fitted to: its time grows with the square of them."""

SEARCHED = 8000
"""How many Training faces, at most, settings are searched with."""

COMPONENTS = 100
"""The number of principal components in which neighbours are searched."""

LANDMARKS = 2000
"""The number of faces with which Nystroem compares each face."""

SVM = {"dual": True, "tol": 0.1, "random_state": 0}
"""How scikit-learn's LinearSVC is fitted: the linear SVM with squared hinge loss that Tang 2013 put on top of
a network (zhao-related). The dual problem, with LIBLINEAR's own tolerance: scikit-learn's defaults take
several times as long for the same accuracy (benchmarks/classical.py)."""

FEATURES_VERSION = 2
"""Counted up whenever a descriptor computes something else, so that old caches are not used."""

KEPT = ("accuracy", "accuracy_twin_free", "interval", "macro_f1", "macro_f1_interval", "balanced_accuracy",
        "confusion", "faces", "twins")  # fmt: skip
RECORDED = RECORDS / "classical"


# ---- features and classifiers ----


def describe(descriptor, faces, cache=True):
    """Return the features of `faces`, from the cache folder where they were computed before.

    They are kept in half precision, and rounded to it also when they are new. A cached result belongs to
    these pixels in this order, the descriptor's parameters and what it has learned. One that cannot be read
    is computed again, with a warning; where the folder cannot be written, nothing is kept.

    Args:
        descriptor: A `Descriptor`, fitted if it is one that learns.
        faces: A FaceSet.
        cache: False computes without looking at the cache folder.

    Returns:
        float32 (N, D), a row per face.
    """
    if not cache:
        return _features(descriptor, faces.images).astype(np.float32)
    folder = settings.cache_dir() / "features"
    try:
        compute = joblib.Memory(folder, verbose=0).cache(_features, ignore=["descriptor", "images"])
    except OSError as error:
        warnings.warn(f"could not keep the features in {folder} ({error})", stacklevel=2)
        return describe(descriptor, faces, cache=False)
    content = joblib.hash([descriptor.state(), faces.digests])
    asked = (descriptor, faces.images, type(descriptor).__name__, descriptor.parameters(), content)
    kept = compute.call_and_shelve(*asked, FEATURES_VERSION)
    features = _read_kept(kept)
    if features is None or len(features) != len(faces):
        warnings.warn(f"features in {folder} are damaged and computed anew", stacklevel=2)
        kept.clear()
        features = compute(*asked, FEATURES_VERSION)
    return features.astype(np.float32)


def _features(descriptor, images, name="", parameters=None, content="", version=FEATURES_VERSION):
    """Return the features float16 (N, D). The cache goes by all arguments but the first two."""
    return descriptor.transform(images).astype(np.float16)


def _read_kept(kept):
    """Return the array that joblib keeps, None when its file holds none."""
    try:
        features = kept.get()
    except Exception:  # a damaged pickle may raise anything
        return None
    return features if isinstance(features, np.ndarray) and features.ndim == 2 else None


class NetworkEmbedding(Descriptor):
    """The input of a trained network's last layer; `run` is a `records.Run` with its model."""

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
    _known(name)
    first, _, kind = name.partition("-")
    if name != NETWORK:
        return find_descriptor(first), kind
    if run is None:
        raise ValueError(f"{NETWORK} needs the run of a trained network: run=fer_kit.fit(...)")
    return NetworkEmbedding(run), kind


def _known(names):
    """Return one name or several as a tuple. Raises ValueError for one that is no baseline's."""
    names = (names,) if isinstance(names, str) else tuple(names)
    for name in names:
        if name not in KNOWN:
            raise ValueError(unknown("baseline", name, KNOWN))
    return names


def classifier(kind, faces, features):
    """Return (Pipeline, grid): a classifier of `features` numbers and the settings to search among.

    `faces` is how many it will be fitted to. Every feature is first given mean 0 and variance 1; two faces
    then lie 2 * `features` apart in mean squared distance, so the kernel's gamma is counted in
    1 / `features`. "rbf-svm" describes each face by its similarity to `LANDMARKS` others (Nystroem, Williams
    & Seeger 2001) and draws straight borders there; "exact-rbf-svm" uses the whole kernel.
    """
    scale = ("scale", StandardScaler())
    gamma = [factor / features for factor in (0.5, 1)]
    if kind == "knn":
        pca = PCA(min(COMPONENTS, features, faces), svd_solver="randomized", random_state=0)
        steps = [scale, ("pca", pca), ("knn", KNeighborsClassifier(weights="distance"))]
        return Pipeline(steps), {"knn__n_neighbors": [k for k in (1, 5, 15, 30) if k <= faces]}
    if kind == "linear-svm":
        return Pipeline([scale, ("svm", LinearSVC(**SVM))]), {"svm__C": [1e-5, 1e-4, 1e-3]}
    if kind == "rbf-svm":
        kernel = ("kernel", Nystroem(n_components=min(LANDMARKS, faces), random_state=0))
        steps = [scale, kernel, ("svm", LinearSVC(**SVM))]
        return Pipeline(steps), {"kernel__gamma": gamma, "svm__C": [0.1, 1]}
    return Pipeline([scale, ("svm", SVC())]), {"svm__gamma": gamma, "svm__C": [1, 10]}


# ---- fitting, scoring and records ----


def fit_baselines(faces, out, names=BASELINES, select_on="PublicTest", run=None):
    """Fit and score baselines, and return the `table` of them all.

    If it is interrupted, the same call resumes with the first baseline that has no record yet.

    Args:
        faces: A FaceSet with Training, PublicTest and PrivateTest faces.
        out: The folder of their records.
        names: One baseline or several, by default all of `BASELINES`.
        select_on: "PublicTest" or "folds", see `fit_baseline`.
        run: The network of `NETWORK`, a `records.Run`.
    """
    for name in (names := _known(names)):
        record = fit_baseline(name, faces, out, select_on, run)
        score = record["scores"]["PrivateTest"]["accuracy"]
        spent = "searched {search:.0f} s, fitted {fit:.0f} s".format(**record["seconds"])
        print(f"{name:20} PrivateTest {score:.1%}   {spent}   {_in_words(record['settings'])}")
    return table(out, names)


def fit_baseline(name, faces, out, select_on="PublicTest", run=None):
    """Fit one baseline, score it on PublicTest and PrivateTest, and return its record.

    Settings are searched with at most `SEARCHED` Training faces; the classifier with the best ones is then
    fitted to all Training faces (to `EXACT` of them where the kernel is exact).

    Args:
        name: A name of `BASELINES`, `NETWORK` or `WHOLE`.
        faces: A FaceSet with Training, PublicTest and PrivateTest faces.
        out: The folder of the record `name`.json; a record that is there already is returned as it is.
        select_on: "PublicTest", or "folds" for three folds of the Training faces.
        run: The network of `NETWORK`, a `records.Run`.

    Returns:
        The record, a dict. Its seconds are processor time of all cores together, which other work on the
        machine hardly changes.

    Raises:
        ValueError: For an unknown name, Training faces of one emotion, a usage without faces, or a record
            in `out` of other faces or settings.
    """
    if select_on not in ("PublicTest", "folds"):
        raise ValueError(f"settings are selected on PublicTest or folds, not on {select_on}")
    descriptor, kind = parts_of(name, run)
    path = Path(out) / f"{name}.json"
    asked = _asked(faces, descriptor, kind, select_on)
    if path.exists():
        return _unchanged(path, asked)
    learnt = _checked(faces)
    features = describe(descriptor.fit(learnt.images), learnt)
    begin = time.process_time()
    found = _search(kind, features, learnt, descriptor, faces, select_on)
    rows = _some(len(learnt), EXACT if kind == "exact-rbf-svm" else None)
    model, _ = classifier(_plain(kind), len(rows), features.shape[1])
    half = time.process_time()
    model.set_params(**found["settings"]).fit(features[rows], learnt.labels[rows])
    seconds = {"search": half - begin, "fit": time.process_time() - half}
    whole = Pipeline([("descriptor", descriptor), *model.steps])
    record = {"baseline": name, "asked": asked, "features": features.shape[1], "learnt_from": len(rows)}
    record |= found | score_model(whole, faces) | {"seconds": seconds} | _provenance(faces)
    write_sealed(path, record)
    return _read(path)


def score_model(model, faces):
    """Return {"scores": by usage, "predict_us": microseconds a face} of anything that predicts labels.

    `model.predict` takes uint8 (N, 48, 48) and returns labels (N,). The time is processor time of all
    cores together, from pixels to labels, for all PublicTest faces at once.
    """
    training = faces.training
    microseconds = {}
    scores = {}
    for usage in USAGES[1:]:
        part = faces.part(usage)
        begin = time.process_time()
        predicted = model.predict(part.images)
        microseconds[usage] = 1e6 * (time.process_time() - begin) / len(part)
        votes = np.eye(len(faces.names))[predicted]  # these classifiers give no probabilities
        numbers = Scores(part, votes, usage, part.has_twin_in(training)).as_json()
        scores[usage] = {name: numbers[name] for name in KEPT}
    return {"scores": scores, "predict_us": microseconds["PublicTest"]}


def table(folder, names=None, usage="PrivateTest"):
    """Return the records in `folder` as a DataFrame, one row per baseline, best first.

    Columns: accuracy, twin_free, macro_f1 (0-1) on `usage`; fit_seconds (on features that are ready) and
    predict_us (microseconds per face, from pixels to label), both processor time; learnt_from, how many
    faces it was fitted to. A damaged record is left out with a warning, an unknown name or usage refused.

    Args:
        folder: Where the records lie.
        names, usage: One baseline or several, by default all; PublicTest or PrivateTest.
    """
    if usage not in USAGES[1:]:
        raise ValueError(unknown("usage", usage, USAGES[1:]))
    chosen = None if names is None else _known(names)
    rows = {}
    for path in sorted(Path(folder).glob("*.json")):
        try:
            record = _read(path)
            if chosen is None or record["baseline"] in chosen:
                rows[record["baseline"]] = _row(record, record["scores"][usage])
        except ValueError as error:
            warnings.warn(f"left out of the table: {error}", stacklevel=2)
    frame = pd.DataFrame.from_dict(rows, "index")
    return frame.rename_axis("baseline").sort_values("accuracy", ascending=False) if rows else frame


def _row(record, score):
    row = {"accuracy": score["accuracy"], "twin_free": score["accuracy_twin_free"]}
    row |= {"macro_f1": score["macro_f1"], "fit_seconds": record["seconds"]["fit"]}
    return row | {"predict_us": record["predict_us"], "learnt_from": record["learnt_from"]}


def _search(kind, features, learnt, descriptor, faces, select_on):
    """Return the best settings of the grid, and how each did."""
    rows = _some(len(learnt), EXACT if "exact" in kind else SEARCHED)
    X = features[rows]
    y = learnt.labels[rows]
    if select_on == "PublicTest":
        public = faces.public_test
        X = np.concatenate([X, describe(descriptor, public)])
        y = np.concatenate([y, public.labels])
        parts = PredefinedSplit(np.repeat([-1, 0], [len(rows), len(public)]))
        fewest = len(rows)
    else:
        parts = StratifiedKFold(3, shuffle=True, random_state=0)
        fewest = len(rows) // 2
    model, grid = classifier(_plain(kind), fewest, features.shape[1])
    with tempfile.TemporaryDirectory() as folder:
        model.set_params(memory=folder)  # scaling and kernel are fitted once for all C
        search = GridSearchCV(model, grid, scoring="accuracy", cv=parts, refit=False, error_score="raise")
        results = search.fit(X, y).cv_results_
    scored = zip(results["params"], results["mean_test_score"], strict=True)
    tried = [{"settings": one, "accuracy": float(accuracy)} for one, accuracy in scored]
    return {"settings": search.best_params_, "searched_with": len(rows), "tried": tried}


def _plain(kind):
    return kind.removesuffix("-on-all-faces")


def _some(count, most):
    """Rows of at most `most` of `count` faces, drawn at random, in their old order."""
    return np.sort(np.random.default_rng(0).permutation(count)[:most])


def _checked(faces):
    """The Training faces, of several emotions, in a FaceSet where no usage is empty."""
    learnt, *_ = [faces.part(usage) for usage in USAGES]
    present = np.unique(learnt.labels)
    if len(present) < 2:
        only = learnt.names[present[0]]
        raise ValueError(f"the Training faces are all {only}; a classifier needs at least two emotions")
    return learnt


def _asked(faces, descriptor, kind, select_on):
    return {
        "faces": faces.fingerprint,
        "descriptor": {"kind": type(descriptor).__name__, **descriptor.parameters()},
        "classifier": kind,
        "selected_on": select_on,
    }


def _unchanged(path, asked):
    """The record in `path`, if it is of what is asked for."""
    record = _read(path)
    differing = differences(record["asked"], json.loads(json.dumps(asked)))
    if differing:
        raise ValueError(f"{path} is of other faces or settings: {'; '.join(differing)}. Give another folder")
    return record


def _read(path):
    try:
        return read_json(path)
    except ValueError as error:
        raise ValueError(f"{path} is damaged: delete it and fit this baseline again") from error


def _provenance(faces):
    installed = versions()
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        installed["scikit-image"] = importlib.metadata.version("scikit-image")
    return {
        "dataset": {"source": faces.source or "memory", "fingerprint": faces.fingerprint},
        "profile": settings.profile().name,
        "device": f"{platform.machine()} CPU, {os.cpu_count()} cores",
        "versions": installed,
        "finished": now(),
    }


def _in_words(chosen):
    return ", ".join(f"{name.rpartition('__')[2]} {value:.3g}" for name, value in chosen.items())
