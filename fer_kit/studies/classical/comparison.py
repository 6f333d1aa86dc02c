"""Fitting, scoring and recording the classical baselines, all on the same faces and by the same protocol.

Training trains, PublicTest (or folds of Training) selects the settings, PrivateTest is scored once: each
baseline leaves one JSON file with its settings, scores, seconds and provenance, and is taken from there.
"""

import contextlib
import importlib.metadata
import json
import os
import platform
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import GridSearchCV, PredefinedSplit, StratifiedKFold
from sklearn.pipeline import Pipeline

from fer_kit.data.emotions import USAGES
from fer_kit.evaluation.scores import Scores
from fer_kit.evaluation.scoring import find_twins
from fer_kit.runtime import settings
from fer_kit.runtime.files import read_json, write_json
from fer_kit.studies.classical.baselines import BASELINES, EXACT, classifier, parts_of
from fer_kit.studies.classical.feature_cache import describe
from fer_kit.training import records
from fer_kit.training.recipes import differences

SEARCHED = 8000
"""How many Training faces, at most, settings are searched with."""

KEPT = ("accuracy", "accuracy_twin_free", "interval", "macro_f1", "macro_f1_interval", "balanced_accuracy",
        "confusion", "faces", "twins")  # fmt: skip
RECORDED = records.RECORDS / "classical"


def fit_baselines(faces, out, names=BASELINES, select_on="PublicTest", run=None):
    """Fit and score baselines, and return the `table` of them all; see `fit_baseline`.

    Interrupted, the same call goes on with the first baseline that has no record yet.
    """
    for name in names:
        record = fit_baseline(name, faces, out, select_on, run)
        score, seconds = record["scores"]["PrivateTest"]["accuracy"], record["seconds"]
        spent = f"searched {seconds['search']:.0f} s, fitted {seconds['fit']:.0f} s"
        print(f"{name:20} PrivateTest {score:.1%}   {spent}   {_in_words(record['settings'])}")
    return table(out, names)


def fit_baseline(name, faces, out, select_on="PublicTest", run=None):
    """Fit one baseline, score it on PublicTest and PrivateTest, and return its record, a dict.

    The settings are searched with at most `SEARCHED` Training faces, on PublicTest or, with `select_on`
    "folds", on three folds of those faces; then the best are fitted to all Training faces (to `EXACT` of
    them where the kernel is exact). The record is `out`/`name`.json; where it is there already, it is
    returned and nothing is fitted. `run` is the network of `baselines.NETWORK`.

    Raises ValueError for an unknown name, Training faces of one emotion, a usage without faces, or a
    record in `out` of other faces or settings.

    Seconds are processor time of all cores together, which other work on the machine hardly changes.
    """
    if select_on not in ("PublicTest", "folds"):
        raise ValueError(f"settings are selected on PublicTest or folds, not on {select_on}")
    descriptor, kind = parts_of(name, run)
    path, asked = Path(out) / f"{name}.json", _asked(faces, descriptor, kind, select_on)
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
    write_json(path, record)
    return _read(path)


def score_model(model, faces):
    """Return {"scores": by usage, "predict_us": microseconds a face} of anything that predicts labels.

    `model.predict` takes uint8 (N, 48, 48) and returns labels (N,). The time is processor time of all
    cores together, from pixels to labels, for all PublicTest faces at once.
    """
    scores = {}
    for usage in ("PublicTest", "PrivateTest"):
        part = faces.part(usage)
        begin = time.process_time()
        predicted = model.predict(part.images)
        scores.setdefault("predict_us", 1e6 * (time.process_time() - begin) / len(part))
        votes = np.eye(len(faces.names))[predicted]  # these classifiers give no probabilities
        twins = find_twins(part, faces, among=faces.usage == "Training")
        numbers = Scores(part, votes, usage, twins).as_json()
        scores.setdefault("scores", {})[usage] = {name: numbers[name] for name in KEPT}
    return scores


def table(folder, names=None, usage="PrivateTest"):
    """Return the records in `folder` as a DataFrame, one row per baseline, best first.

    Columns: accuracy, twin_free, macro_f1 (0-1) on `usage`; fit_seconds (on features that are ready) and
    predict_us (microseconds a face, from pixels to label), processor time both; learnt_from, how many faces.
    Only `names`, where given.
    """
    rows = {}
    for path in sorted(Path(folder).glob("*.json")):
        record = _read(path)
        score = record["scores"][usage]
        rows[record["baseline"]] = {
            "accuracy": score["accuracy"],
            "twin_free": score["accuracy_twin_free"],
            "macro_f1": score["macro_f1"],
            "fit_seconds": record["seconds"]["fit"],
            "predict_us": record["predict_us"],
            "learnt_from": record["learnt_from"],
        }
    wanted = [name for name in rows if names is None or name in names]
    frame = pd.DataFrame.from_dict({name: rows[name] for name in wanted}, "index")
    return frame.rename_axis("baseline").sort_values("accuracy", ascending=False) if wanted else frame


def _search(kind, features, learnt, descriptor, faces, select_on):
    """Return the best settings of the grid, and how each did."""
    rows = _some(len(learnt), EXACT if "exact" in kind else SEARCHED)
    X, y = features[rows], learnt.labels[rows]
    if select_on == "PublicTest":
        public = faces.public_test
        X = np.concatenate([X, describe(descriptor, public)])
        y = np.concatenate([y, public.labels])
        parts, fewest = PredefinedSplit(np.repeat([-1, 0], [len(rows), len(public)])), len(rows)
    else:
        parts, fewest = StratifiedKFold(3, shuffle=True, random_state=0), len(rows) // 2
    model, grid = classifier(_plain(kind), fewest, features.shape[1])
    search = GridSearchCV(model, grid, scoring="accuracy", cv=parts, refit=False, error_score="raise")
    results = search.fit(X, y).cv_results_
    tried = [
        {"settings": tried, "accuracy": float(accuracy)}
        for tried, accuracy in zip(results["params"], results["mean_test_score"], strict=True)
    ]
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
    versions = records.versions()
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        versions["scikit-image"] = importlib.metadata.version("scikit-image")
    return {
        "dataset": {"source": faces.source or "memory", "fingerprint": faces.fingerprint},
        "profile": settings.profile().name,
        "device": f"{platform.machine()} CPU, {os.cpu_count()} cores",
        "versions": versions,
        "finished": records.now(),
    }


def _in_words(chosen):
    return ", ".join(f"{name.rpartition('__')[2]} {value:.3g}" for name, value in chosen.items())
