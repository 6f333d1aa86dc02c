"""Baselines: the SVM against scikit-learn's, who may select, records taken up again, and pictures."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.svm import LinearSVC

from fer_kit.plots import classical
from fer_kit.runtime.files import read_json
from fer_kit.studies.classical import baselines
from fer_kit.studies.classical.baselines import (
    BASELINES,
    NETWORK,
    SVM,
    WHOLE,
    classifier,
    fit_baseline,
    fit_baselines,
    parts_of,
    score_model,
    table,
)
from fer_kit.studies.classical.descriptors import Hog
from fer_kit.training.records import folders


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("FER_CACHE", str(tmp_path_factory.getbasetemp() / "features"))


@pytest.fixture
def few(faces):
    return faces.per_usage(150)


def other_labels(faces, usage):
    """The same faces with the labels of one usage drawn at random."""
    labels = faces.labels.copy()
    rows = np.flatnonzero(faces.usage == usage)
    labels[rows] = np.random.default_rng(0).permutation(labels[rows])
    return replace(faces, labels=labels)


def small_network(folder):
    """A finished run whose network is untrained."""
    import keras

    run = folders.begin(folder, {"model": "tiny", "recipe": {"name": "quick", "monitor": "val_accuracy"}})
    words = {"selected_on": "PublicTest", "device": "CPU", "precision": "float32", "profile": "smoke"}
    (folder / "provenance.json").write_text(json.dumps(words | {"dataset": {"source": "sample"}}))
    row = dict.fromkeys(("loss", "accuracy", "val_loss", "val_accuracy", "seconds"), [0.5])
    pd.DataFrame(row, index=pd.Index([1], name="epoch")).to_csv(folder / "history.csv")
    inputs = keras.Input((48, 48, 1), dtype="uint8")
    x = keras.layers.AveragePooling2D(8)(keras.layers.Rescaling(1 / 255)(inputs))
    x = keras.layers.Dense(12, name="embedding")(keras.layers.Flatten()(x))
    keras.Model(inputs, keras.layers.Dense(7, activation="softmax")(x)).save(folder / "best.keras")
    (folder / "metrics.json").write_text(json.dumps({"status": "finished", "scores": {}}))
    return run


# ---- the SVM ----


@pytest.mark.parametrize("C", [0.01, 0.1])
def test_a_loose_tolerance_finds_the_same_border(C):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 20)) * np.linspace(0.1, 3, 20) + 2  # neither centred nor of one scale
    y = (X[:, :4] + rng.normal(size=(300, 4))).argmax(1)
    exact = LinearSVC(C=C, dual=False, tol=1e-8, max_iter=9999).fit(X, y)
    ours = LinearSVC(C=C, **SVM).fit(X, y)
    np.testing.assert_allclose(ours.decision_function(X), exact.decision_function(X), atol=0.1)
    assert ours.score(X, y) == pytest.approx(exact.score(X, y), abs=0.02)
    assert (LinearSVC(C=C, **SVM).fit(X, y).coef_ == ours.coef_).all()


# ---- fitting and scoring ----


@pytest.mark.parametrize("kind", ["knn", "linear-svm", "rbf-svm", "exact-rbf-svm"])
def test_every_classifier_learns_and_grids_name_its_settings(kind, faces):
    learnt, asked = faces.training, faces.public_test
    X, Q = Hog().transform(learnt.images), Hog().transform(asked.images)
    model, grid = classifier(kind, len(learnt), X.shape[1])
    model.set_params(**{name: values[-1] for name, values in grid.items()}).fit(X, learnt.labels)
    guess = np.bincount(asked.labels).max() / len(asked)
    assert model.score(Q, asked.labels) > 1.2 * guess
    tiny, _ = classifier(kind, 12, X.shape[1])
    tiny.fit(X[:12], np.arange(12) % 3)


def test_a_record_says_what_was_done_and_what_came_out(few, tmp_path):
    record = fit_baseline("hog-linear-svm", few, tmp_path)
    assert record == read_json(tmp_path / "hog-linear-svm.json")
    assert record["asked"]["descriptor"] == {"kind": "Hog", "cell": 8}
    assert record["dataset"] == {"source": "built-in sample", "fingerprint": few.fingerprint}
    best = max(record["tried"], key=lambda tried: tried["accuracy"])
    assert record["settings"] == best["settings"] and len(record["tried"]) == 3
    assert record["learnt_from"] == record["searched_with"] == 150
    assert {"search", "fit"} == set(record["seconds"]) and record["predict_us"] > 0
    assert record["profile"] == "smoke" and "scikit-learn" in record["versions"]
    for usage, score in record["scores"].items():
        assert np.trace(score["confusion"]) / score["faces"] == pytest.approx(score["accuracy"])
        assert score["faces"] == (few.usage == usage).sum()


def test_scores_are_those_of_a_known_classifier(few):
    class Oracle:
        def predict(self, images):
            known = dict(zip(few.digests.tolist(), few.labels.tolist(), strict=True))
            return np.array(
                [known[d] for d in replace(few, images=images, **nothing(images)).digests.tolist()]
            )

    def nothing(images):
        return {"labels": np.zeros(len(images), int), "usage": "Training", "files": None}

    scores = score_model(Oracle(), few)["scores"]
    assert scores["PublicTest"]["accuracy"] > 0.95 and scores["PrivateTest"]["macro_f1"] > 0.9


def test_private_test_selects_nothing_and_teaches_nothing(few, tmp_path):
    first = fit_baseline("hog-linear-svm", few, tmp_path / "a")
    second = fit_baseline("hog-linear-svm", other_labels(few, "PrivateTest"), tmp_path / "b")
    assert first["tried"] == second["tried"] and first["settings"] == second["settings"]
    assert first["scores"]["PublicTest"] == second["scores"]["PublicTest"]
    assert first["scores"]["PrivateTest"] != second["scores"]["PrivateTest"]


def test_folds_of_training_select_without_public_test(few, tmp_path):
    first = fit_baseline("pixels-knn", few, tmp_path / "a", select_on="folds")
    second = fit_baseline("pixels-knn", other_labels(few, "PublicTest"), tmp_path / "b", select_on="folds")
    assert first["tried"] == second["tried"] and first["asked"]["selected_on"] == "folds"
    assert first["scores"]["PublicTest"] != second["scores"]["PublicTest"]


def test_an_emotion_without_training_faces_is_never_predicted(few, tmp_path):
    gone = few[~((few.usage == "Training") & (few.labels == 3))]
    confusion = np.array(fit_baseline("hog-linear-svm", gone, tmp_path)["scores"]["PrivateTest"]["confusion"])
    assert confusion.shape == (7, 7) and confusion[:, 3].sum() == 0 and confusion[3].sum() > 0


def test_an_svm_on_a_networks_embedding(few, tmp_path):
    run = small_network(tmp_path / "run")
    record = fit_baseline(NETWORK, few, tmp_path / "out", run=run)
    assert record["features"] == 12 and "tiny" in record["asked"]["descriptor"]["run"]
    with pytest.raises(ValueError, match="needs the run of a trained network"):
        fit_baseline(NETWORK, few, tmp_path / "out")


# ---- records that are there already ----


def test_fitting_goes_on_where_it_was_interrupted(few, tmp_path, monkeypatch, capsys):
    names = ["pixels-knn", "hog-linear-svm"]
    score = baselines.score_model

    def interrupted(model, faces):
        if (tmp_path / "pixels-knn.json").exists():
            raise KeyboardInterrupt
        return score(model, faces)

    monkeypatch.setattr(baselines, "score_model", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fit_baselines(few, tmp_path, names)
    assert [path.name for path in tmp_path.iterdir()] == ["pixels-knn.json"]
    monkeypatch.setattr(baselines, "score_model", score)
    done = (tmp_path / "pixels-knn.json").read_bytes()
    results = fit_baselines(few, tmp_path, names)
    assert (tmp_path / "pixels-knn.json").read_bytes() == done and set(results.index) == set(names)
    monkeypatch.setattr(baselines, "_search", lambda *_: pytest.fail("fitted again"))
    pd.testing.assert_frame_equal(fit_baselines(few, tmp_path, names), results)
    assert "PrivateTest" in capsys.readouterr().out


def test_a_folder_with_other_faces_or_settings_is_left_alone(few, tmp_path):
    fit_baseline("pixels-knn", few, tmp_path)
    with pytest.raises(ValueError, match="of other faces or settings: faces was"):
        fit_baseline("pixels-knn", few[1:], tmp_path)
    with pytest.raises(ValueError, match="selected_on was PublicTest, now folds"):
        fit_baseline("pixels-knn", few, tmp_path, select_on="folds")
    (tmp_path / "pixels-knn.json").write_text('{"baseline": "pix')
    with pytest.raises(ValueError, match="pixels-knn.json is damaged: delete it"):
        fit_baseline("pixels-knn", few, tmp_path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:40],
        lambda text: "[1]",
        lambda text: text.replace('"accuracy": 0', '"accuracy": 1', 1),
        lambda text: json.dumps({name: v for name, v in json.loads(text).items() if name == "baseline"}),
    ],
    ids=["cut", "a list", "a number changed", "without scores"],
)
def test_a_damaged_record_blocks_no_other(few, tmp_path, damage):
    fit_baselines(few, tmp_path, ["pixels-knn", "hog-knn"])
    path = tmp_path / "pixels-knn.json"
    path.write_text(damage(path.read_text()))
    with pytest.warns(UserWarning, match="left out of the table: .*pixels-knn.json"):
        assert table(tmp_path).index.tolist() == ["hog-knn"]


def test_the_table_is_sorted_and_may_be_empty(few, tmp_path):
    assert table(tmp_path).empty
    fit_baselines(few, tmp_path, ["pixels-knn", "hog-linear-svm"])
    both = table(tmp_path, usage="PublicTest")
    assert both.accuracy.is_monotonic_decreasing
    assert list(both.columns) == [
        "accuracy",
        "twin_free",
        "macro_f1",
        "fit_seconds",
        "predict_us",
        "learnt_from",
    ]
    assert list(table(tmp_path, ["pixels-knn"]).index) == ["pixels-knn"]


def test_every_recorded_baseline_is_whole():
    recorded = table(baselines.RECORDED)
    assert {*BASELINES} <= set(recorded.index) <= {*BASELINES, NETWORK, WHOLE}
    assert recorded.gt(0).all(axis=None)


# ---- bad input ----


def test_names_that_no_baseline_has_are_refused_before_any_is_fitted(few, tmp_path):
    with pytest.raises(ValueError, match="no baseline 'hog-knnn'; did you mean 'hog-knn'"):
        fit_baselines(few, tmp_path, ["pixels-knn", "hog-knnn"])
    assert not list(tmp_path.iterdir())
    fit_baselines(few, tmp_path, "pixels-knn")
    assert table(tmp_path, "pixels-knn").index.tolist() == ["pixels-knn"]
    for wrong in ("pixels", ["hog"], ["pixels-knn", None]):
        with pytest.raises(ValueError, match="no baseline"):
            table(tmp_path, wrong)
    for usage in ("Training", "privatetest", None, 1):
        with pytest.raises(ValueError, match="no usage .* [tT]here are"):
            table(tmp_path, usage=usage)


def test_unknown_baselines_are_told_the_nearest(few, tmp_path):
    with pytest.raises(ValueError, match="did you mean 'hog-linear-svm'"):
        fit_baseline("hog-linearsvm", few, tmp_path)
    with pytest.raises(ValueError, match="no baseline 'forest'"):
        parts_of("forest")
    with pytest.raises(ValueError, match="not on PrivateTest"):
        fit_baseline("hog-knn", few, tmp_path, select_on="PrivateTest")


def test_faces_that_cannot_be_learnt_from(few, tmp_path):
    for usage in ("Training", "PublicTest", "PrivateTest"):
        with pytest.raises(ValueError, match=f"no {usage} faces"):
            fit_baseline("hog-knn", few[few.usage != usage], tmp_path)
    with pytest.raises(ValueError, match="all happy; a classifier needs at least two"):
        fit_baseline("hog-knn", few.of("happy"), tmp_path)
    assert not list(tmp_path.iterdir())


# ---- pictures ----


@pytest.fixture
def results():
    names = [name for name in BASELINES if name.split("-")[0] in ("hog", "lbp")]
    values = {"accuracy": np.linspace(0.6, 0.3, len(names)), "predict_us": np.geomspace(20, 9000, len(names))}
    return pd.DataFrame(values, index=pd.Index(names, name="baseline"))


def test_the_grid_shows_every_accuracy_once(results):
    axis = classical.accuracy_grid(results, source="sample").axes[0]
    shown = sorted(float(text.get_text()) for text in axis.texts)
    assert shown == pytest.approx(sorted(100 * results.accuracy), abs=0.05)
    assert [tick.get_text() for tick in axis.get_yticklabels()] == ["lbp", "hog"]  # best on top


def test_the_grid_has_a_column_for_each_classifier_there_is():
    names = ["hog-linear-svm", "hog-exact-rbf-svm", "hog-exact-rbf-svm-on-all-faces"]
    axis = classical.accuracy_grid(pd.DataFrame({"accuracy": [0.3, 0.4, 0.5]}, names)).axes[0]
    labels = [tick.get_text() for tick in axis.get_xticklabels()]
    assert labels == ["linear-svm", "exact-rbf-svm", "exact-rbf-svm-on-all-faces"] and len(axis.texts) == 3


def test_the_cost_plot_has_a_dot_per_baseline_and_names_both_its_parts(results):
    figure = classical.accuracy_beside_cost(results, source="sample", human=0.65)
    axis = figure.axes[0]
    assert len(axis.collections) == len(results) and axis.get_xscale() == "log"
    legend = [text.get_text() for text in axis.get_legend().get_texts()]
    parts = {part for name in results.index for part in name.split("-", 1)}
    assert sorted(legend) == sorted({*parts, "human, 65%"}) and "µs" in axis.get_xlabel()
    assert any("profile smoke" in text.get_text() for text in figure.texts)


def test_glyphs_lie_along_the_edge():
    image = np.zeros((1, 48, 48), np.uint8)
    image[:, 26:] = 200  # a horizontal edge
    cells = Hog().cells(Hog().transform(image))
    figure = classical.hog_glyphs(cells, image, ["edge"], source="sample")
    lines = figure.axes[1].collections[0]
    (x0, y0), (x1, y1) = lines.get_segments()[-1]  # the strongest is drawn last
    assert abs(x1 - x0) > 5 * abs(y1 - y0) and lines.get_colors()[-1][0] == 1


def test_eigenfaces_show_the_mean_and_every_component(faces):
    components = np.linalg.qr(np.random.default_rng(0).normal(size=(2304, 5)))[0].T
    figure = classical.eigenfaces(faces.images.mean(0), components, np.full(5, 0.1), source="sample")
    titles = [axis.get_title(loc="center") for axis in figure.axes if axis.images]
    assert titles == ["mean face", "1: 10.0%", "2: 10.0%", "3: 10.0%", "4: 10.0%", "5: 10.0%"]
