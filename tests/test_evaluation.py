"""Scores: known numbers, twins, emotions that do not match, other folders of faces, PrivateTest counted."""

import json
from dataclasses import replace

import cv2
import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import f1_score, precision_recall_fscore_support

from fer_kit.data.emotions import EMOTIONS
from fer_kit.data.faceset import FaceSet
from fer_kit.data.loading import load_faces
from fer_kit.data.sample.people import draw_sample
from fer_kit.evaluation import metrics
from fer_kit.evaluation.scores import (
    Scores,
    compare,
    ensemble,
    over_seeds,
    recorded_scores,
    scaled,
    select,
    with_images,
)
from fer_kit.evaluation.scoring import evaluate, predict
from fer_kit.plots import results
from fer_kit.runtime.files import write_json
from fer_kit.studies.drop_emotion import without
from fer_kit.training.records import Run, recorded


def flat_faces(labels, usage="PublicTest", names=EMOTIONS, seed=0):
    """Faces whose grey level gives their label away: 30 times the label, with a little noise."""
    noise = np.random.default_rng(seed).integers(0, 8, (len(labels), 48, 48))
    images = (30 * np.array(labels)[:, None, None] + noise).astype(np.uint8)
    return FaceSet(images, labels, usage, names, source="flat")


def reader(outputs=7, level=30):
    """A model that reads the label off the grey level: softmax of -(grey - 30 k)^2."""
    faces = keras.Input((48, 48, 1), dtype="uint8")
    grey = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1.0)(faces))
    dense = keras.layers.Dense(outputs, activation="softmax")
    model = keras.Model(faces, dense(grey), name="reader")
    k = np.arange(outputs)
    dense.set_weights([(2.0 * level * k)[None] / 100, -((level * k + 3.5) ** 2 - 3.5**2) / 100])
    return model


@pytest.fixture(scope="module")
def model():
    return reader()


def test_known_confusion_matrix():
    counts = metrics.confusion_matrix([0, 0, 1, 1, 1, 2], [0, 1, 1, 1, 2, 2], 4)
    assert counts.tolist() == [[1, 1, 0, 0], [0, 2, 1, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    table = metrics.emotion_table(counts, list("abcd"))
    assert table.precision.tolist() == pytest.approx([1, 2 / 3, 1 / 2, 0])
    assert table.recall[:3].tolist() == pytest.approx([1 / 2, 2 / 3, 1]) and np.isnan(table.recall["d"])
    assert metrics.macro_f1(counts) == pytest.approx((2 / 3 + 2 / 3 + 2 / 3) / 3)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60))
def test_scores_agree_with_scikit_learn(pairs):
    true, guess = np.array(pairs).T
    counts = metrics.confusion_matrix(true, guess, 5)
    options = {"labels": range(5), "zero_division": 0}
    precision, recall, f1, faces = precision_recall_fscore_support(true, guess, **options)
    seen = faces > 0
    np.testing.assert_allclose(metrics.precision_per_emotion(counts), precision)
    np.testing.assert_allclose(metrics.recall_per_emotion(counts)[seen], recall[seen])
    np.testing.assert_allclose(metrics.f1_per_emotion(counts)[seen], f1[seen])
    present = f1_score(true, guess, labels=np.flatnonzero(seen), average="macro", zero_division=0)
    assert metrics.macro_f1(counts) == pytest.approx(present)
    assert metrics.balanced_accuracy(counts) == pytest.approx(recall[seen].mean())


@pytest.mark.parametrize(
    ("right", "faces", "low", "high"),
    [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0), (2400, 3589, 0.6531, 0.6839)],
)
def test_wilson_known_values(right, faces, low, high):
    assert metrics.wilson(right, faces) == pytest.approx((low, high), abs=2e-4)


@settings(deadline=None)
@given(st.integers(0, 500), st.integers(1, 500))
def test_wilson_is_the_formula_of_the_textbook(right, faces):
    right = min(right, faces)
    z = 1.959963984540054
    share = right / faces
    middle = (share + z**2 / (2 * faces)) / (1 + z**2 / faces)
    half = z * np.sqrt(share * (1 - share) / faces + z**2 / (4 * faces**2)) / (1 + z**2 / faces)
    assert metrics.wilson(right, faces) == pytest.approx((middle - half, middle + half), abs=1e-9)
    assert metrics.wilson(0, 0) == (0, 1)


def test_bootstrap_of_accuracy_agrees_with_wilson():
    counts = np.array([[300, 100], [100, 500]])

    def accuracy(confusion):
        return np.trace(confusion, axis1=-2, axis2=-1) / confusion.sum((-2, -1))

    assert metrics.bootstrap(counts, accuracy) == pytest.approx(metrics.wilson(800, 1000), abs=0.005)


def test_faces_needed():
    assert metrics.faces_needed(0.01) == 9604  # the textbook's number
    assert metrics.faces_needed(0.05) == 385


def test_mcnemar_agrees_with_scipy_and_counts_only_differences():
    first = np.array([True] * 40 + [False] * 60)
    second = np.array([True] * 30 + [False] * 10 + [True] * 25 + [False] * 35)
    p, only_first, only_second = metrics.mcnemar(first, second)
    assert (only_first, only_second) == (10, 25)
    assert p == pytest.approx(binomtest(10, 35).pvalue)
    assert metrics.mcnemar(first, first) == (1.0, 0, 0)


def test_calibration_error_of_calibrated_and_overconfident_predictions():
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(7), 40_000)
    drawn = (rng.random((40_000, 1)) > probabilities.cumsum(1)).sum(1)
    labels = np.minimum(drawn, 6)
    table = metrics.calibration_table(probabilities, labels)
    assert table.faces.sum() == 40_000
    assert metrics.calibration_error(table) < 0.01
    sure = np.eye(7)[np.zeros(100, int)]
    half = np.repeat([0, 1], 50)
    assert metrics.calibration_error(metrics.calibration_table(sure, half)) == pytest.approx(0.5)


def test_twin_free_accuracy(model):
    test = flat_faces([0, 1, 2, 3, 4, 5, 6, 0], seed=1)
    wrong = test[:2]  # twins whose label is right; the last face is mislabelled
    labels = test.labels.copy()
    labels[7] = 6
    test = FaceSet(test.images, labels, "PublicTest", source="flat")
    train = FaceSet(wrong.images, wrong.labels, "Training")
    scores = evaluate(model, test.join(train), "PublicTest")
    assert scores.twins.tolist() == [True, True] + [False] * 6
    assert scores.accuracy == pytest.approx(7 / 8)
    assert scores.accuracy_twin_free == pytest.approx(5 / 6)
    assert evaluate(model, test).accuracy_twin_free is None


def test_twins_are_those_of_the_face_set(model, faces):
    test = faces[faces.usage == "PublicTest"]
    train = faces.training.join(replace(test[:5], usage="Training"))
    expected = test.has_twin_in(train)
    assert expected.sum() >= 5
    np.testing.assert_array_equal(evaluate(model, test.join(train)).twins, expected)
    np.testing.assert_array_equal(evaluate(model, test, twins_from=train).twins, expected)


def test_json_has_the_promised_keys_and_is_plain(model):
    report = json.loads(json.dumps(evaluate(model, flat_faces([0, 1, 2, 2])).as_json(), allow_nan=False))
    keys = "accuracy accuracy_twin_free interval macro_f1 per_emotion confusion faces usage dataset"
    assert set(keys.split()) <= set(report)
    assert report["accuracy"] == 1 and report["faces"] == 4 and report["usage"] == "PublicTest"
    assert report["per_emotion"]["fear"]["recall"] == 1
    assert report["per_emotion"]["happy"]["recall"] is None
    assert report["dataset"]["source"] == "flat"


def test_six_class_model_on_seven_class_faces():
    faces = flat_faces([0, 1, 1, 2, 6])
    six = FaceSet(faces.images, faces.labels, "PublicTest")
    scores = evaluate(reader(6), six, names=("angry", "fear", "happy", "sad", "surprise", "neutral"))
    assert scores.left_out == {"disgust": 2}
    assert scores.faces == 3 and "disgust" not in scores.scored.names
    assert scores.scored.labels.tolist() == [0, 1, 5]
    assert evaluate(reader(6), six).left_out == {"disgust": 2}


def test_seven_class_model_on_six_class_faces_is_masked(model):
    faces = flat_faces([0, 1, 2, 6])
    shown_disgust = FaceSet(faces.images, [0, 0, 2, 6], "PublicTest")
    assert evaluate(model, shown_disgust).accuracy == pytest.approx(3 / 4)
    scores = evaluate(model, shown_disgust.drop("disgust"))
    assert scores.predictions.shape == (4, 6)
    np.testing.assert_allclose(scores.predictions.sum(1), 1, atol=1e-5)
    assert "disgust" not in scores.per_emotion.index


def test_a_face_for_which_no_output_is_left_gets_all_alike():
    sure = np.array([[0.0, 0.0], [0.3, 0.1]], np.float32)
    np.testing.assert_allclose(scaled(sure), [[0.5, 0.5], [0.75, 0.25]], atol=1e-6)
    scores = Scores(flat_faces([0, 1, 2]), np.eye(7)[[0, 1, 1]], "PublicTest")
    masked = without(scores, "disgust")
    assert masked.faces == 2 and masked.right.tolist() == [True, False]


@pytest.fixture
def ckplus(tmp_path):
    """A folder like CK+: its own spellings, an eighth emotion, colour and other sizes, no neutral faces."""
    levels = {
        "anger": 0,
        "disgust": 30,
        "fear": 60,
        "happy": 90,
        "sadness": 120,
        "surprise": 150,
        "contempt": 77,
    }
    rng = np.random.default_rng(0)
    for number, (name, level) in enumerate(levels.items()):
        (tmp_path / "ck" / name).mkdir(parents=True)
        for i in range(3):
            shape = [(48, 48), (64, 64, 3), (100, 100)][i]
            picture = level + rng.integers(0, 8, shape)
            cv2.imwrite(str(tmp_path / "ck" / name / f"S{number}_{i}.png"), picture.astype(np.uint8))
    return tmp_path / "ck"


def test_folder_of_another_dataset(model, ckplus):
    faces = load_faces(ckplus, allow_missing=True)
    scores = evaluate(model, faces)
    assert scores.usage == "all" and scores.faces == 18
    assert scores.accuracy == 1 and scores.macro_f1 == 1
    assert any("contempt" in note for note in scores.as_json()["notes"])
    with pytest.raises(ValueError, match='usage="all"'):
        evaluate(model, faces, "PrivateTest")


def test_emotions_without_a_place_in_the_model_are_counted(model):
    faces = flat_faces([0, 1, 2, 2], names=("anger", "contempt", "happiness"))
    scores = evaluate(model, faces, usage="PublicTest")
    assert scores.left_out == {"contempt": 1}
    assert scores.scored.names == ("angry", "happy")
    with pytest.raises(ValueError, match="no such faces"):
        evaluate(model, flat_faces([0], names=("contempt", "boredom")))


def test_augment_keeps_probabilities_and_averages_mirror_images(model):
    images = flat_faces([0, 3, 6]).images
    plain = predict(model, images)
    for augment in ("flip", "ten-crop"):
        np.testing.assert_allclose(predict(model, images, augment).sum(1), 1, atol=1e-5)
    np.testing.assert_allclose(predict(model, images, "flip"), plain, atol=1e-4)
    with pytest.raises(ValueError, match="no test-time augmentation 'flop'"):
        predict(model, images, "flop")


def test_private_test_is_scored_by_name_and_counted(model, tmp_path):
    write_json(tmp_path / "config.json", {})
    write_json(tmp_path / "provenance.json", {"emotions": list(EMOTIONS)})
    write_json(tmp_path / "metrics.json", {"status": "finished", "scores": {}, "private_test_scored": 0})
    model.save(tmp_path / "best.keras")
    faces = flat_faces([0, 1, 2]).join(flat_faces([3, 4], "PrivateTest"))
    assert evaluate(tmp_path, faces).usage == "PublicTest"
    assert Run.open(tmp_path).metrics["private_test_scored"] == 0
    scores = evaluate(tmp_path, faces, "PrivateTest")
    stored = Run.open(tmp_path).metrics
    assert stored["private_test_scored"] == 1
    assert Run.open(tmp_path).score("PrivateTest")["accuracy"] == scores.accuracy == 1
    np.testing.assert_array_equal(Run.open(tmp_path).private_predictions["labels"], [3, 4])
    with pytest.warns(UserWarning, match="scored 2 times"):
        evaluate(Run.open(tmp_path), faces, "all")


def test_selecting_on_private_test_is_refused(model):
    public, private = flat_faces([0, 1, 2]), flat_faces([0, 1], "PrivateTest")
    wrong = FaceSet(public.images, [0, 1, 3], "PublicTest")
    candidates = {"worse": evaluate(model, wrong), "better": evaluate(model, public)}
    assert select(candidates) == "better"
    with pytest.raises(ValueError, match="select on PublicTest"):
        select(candidates | {"peeked": evaluate(model, private, "PrivateTest")})


def test_several_scores_of_the_same_faces(model):
    faces = flat_faces([0, 1, 2, 3])
    good = evaluate(model, faces)
    bad = Scores(faces, np.eye(7)[[0, 0, 0, 0]], "PublicTest")
    table = over_seeds([good, bad])
    assert table.loc["accuracy", "mean"] == pytest.approx(0.625)
    assert table.loc["accuracy", "sd"] == pytest.approx(np.std([1, 0.25], ddof=1))
    assert table.loc["accuracy", "seeds"] == 2
    assert compare(good, bad)[1:] == (3, 0)
    vote = ensemble([good.predictions, bad.predictions])
    np.testing.assert_allclose(vote.sum(1), 1, atol=1e-5)
    with pytest.raises(ValueError, match="not of the same faces"):
        compare(good, evaluate(model, flat_faces([0, 1, 2, 3], seed=9)))
    with pytest.raises(ValueError, match="one shape"):
        ensemble([vote, vote[:2]])


def test_empty_usage_and_odd_outputs_say_what_to_do(model):
    with pytest.raises(ValueError, match="no PublicTest faces"):
        evaluate(model, flat_faces([0], "PrivateTest"))
    with pytest.raises(ValueError, match="names="):
        evaluate(reader(5), flat_faces([0]))
    with pytest.raises(FileNotFoundError, match=r"no model nowhere\.keras"):
        evaluate("nowhere.keras", flat_faces([0]))


def test_every_result_plot_draws(model):
    import matplotlib.pyplot as plt
    import pandas as pd

    scores = evaluate(model, flat_faces(np.arange(70) % 7))
    history = pd.DataFrame(
        {"accuracy": [0.3, 0.5], "val_accuracy": [0.3, 0.4], "loss": [1.8, 1.5], "val_loss": [1.8, 1.7]},
        index=[1, 2],
    )
    names = scores.scored.names
    figures = [
        results.training_curves(history),
        results.confusion(scores.confusion, names),
        results.confusion(scores.confusion, names, normalise=False),
        results.confusion(np.eye(7), names, normalise=False),
        results.reliability(scores.calibration),
        results.per_emotion(scores.confusion, names),
        results.compare_models({"a": scores, "b": (0.5, (0.4, 0.6))}, human=0.65),
    ]
    for figure in figures:
        assert figure.axes[0].get_xlabel() or len(figure.axes) > 1
        plt.close(figure)


def test_recorded_predictions_find_the_readers_own_images():
    scores = recorded_scores(recorded("murphy-finetune"))
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, scores.scored.images.shape, dtype=np.uint8)
    order = rng.permutation(scores.faces)
    mine = replace(scores.scored, images=images)
    shown = with_images(scores, mine[order])
    assert (shown.scored.images == images).all() and shown.accuracy == scores.accuracy
    assert with_images(scores, mine[order[1:]]) is None
    assert with_images(scores, replace(mine, labels=np.roll(mine.labels, 1))) is None
    assert with_images(scores, draw_sample(60)) is None


def test_a_record_has_answers_for_the_faces_it_was_scored_on_alone():
    run = recorded("kit-small")
    assert recorded_scores(run, "PublicTest").accuracy == recorded_scores(run).accuracy
    for usage in ("Training", "privatetest", ""):
        with pytest.raises(ValueError, match=f"selected on PublicTest; it keeps no answers for {usage}"):
            recorded_scores(run, usage)


def test_recorded_predictions_belong_to_the_real_archive(real_archive):
    real = load_faces(real_archive)
    for name in ("murphy-finetune", "studies/balanced-light", "zhao-vgg-24-epochs"):
        scores = with_images(recorded_scores(recorded(name)), real)
        assert scores.scored.images.any(axis=(1, 2)).mean() > 0.99
        assert set(scores.scored.usage) == {"PublicTest"}
