"""Numbers that users see, each against a value worked out by hand or by another library."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest
from test_faceset import labelled

from fer_kit.data.emotions import EMOTIONS
from fer_kit.data.faceset import FaceSet
from fer_kit.data.sample.people import draw_sample


def test_views_are_the_face_its_mirror_and_five_crops():
    from fer_kit.evaluation.scoring import predict

    seen = []

    class Network:
        def predict(self, x, **_):
            seen.append(x[..., 0].copy())
            return np.full((len(x), 7), 1 / 7, np.float32)

    face = np.random.default_rng(0).integers(0, 256, (1, 48, 48), np.uint8)
    wide = np.pad(face, ((0, 0), (2, 2), (2, 2)), mode="edge")
    crops = [wide[:, y : y + 48, x : x + 48] for y, x in ((2, 2), (0, 0), (0, 4), (4, 0), (4, 4))]
    for augment, shown in ((None, [face]), ("flip", [face, face[:, :, ::-1]])):
        seen.clear()
        predict(Network(), face, augment)
        assert len(seen) == len(shown) and all(map(np.array_equal, seen, shown))
    seen.clear()
    predict(Network(), face, "ten-crop")
    shown = [view for crop in crops for view in (crop, crop[:, :, ::-1])]
    assert len(seen) == 10 and all(map(np.array_equal, seen, shown))


def test_mixup_mixes_pixels_and_labels_alike():
    from fer_kit.training.batches import Batches

    labels = np.arange(64) % 2
    faces = FaceSet(
        np.uint8(200 * labels)[:, None, None] * np.ones((1, 48, 48), np.uint8),
        labels,
        "Training",
        ("happy", "sad"),
    )
    images, targets, _ = Batches(faces, 64, mixup=0.4)[0]
    np.testing.assert_allclose(images[:, 9, 9, 0], 200 * targets[:, 1], atol=0.51)
    assert ((targets[:, 1] > 0.05) & (targets[:, 1] < 0.95)).any()


def test_a_teacher_gets_its_share(few):
    from fer_kit.training import distillation

    sure = SimpleNamespace(predict=lambda x, **_: np.eye(7, dtype=np.float32)[[2] * len(x)])
    expected = 0.3 * np.eye(7)[few.labels] + 0.7 * np.eye(7)[2]
    np.testing.assert_allclose(distillation.targets(few, [sure], 0.7), expected, atol=1e-6)


def test_a_bootstrap_of_shares_is_as_wide_as_wilsons_interval():
    from fer_kit.evaluation import metrics

    def accuracy(confusion):
        return np.trace(confusion, axis1=-2, axis2=-1) / confusion.sum((-2, -1))

    found = metrics.bootstrap(np.array([[300, 100], [100, 500]]), accuracy, rounds=20_000)
    assert found == pytest.approx(metrics.wilson(800, 1000), abs=0.0015)


def test_a_paired_difference():
    from test_studies import guesses

    from fer_kit.studies import drop_emotion

    first, second = [True] * 60 + [False] * 40, [True] * 50 + [False] * 10 + [True] * 30 + [False] * 10
    found = drop_emotion.difference(guesses(first), guesses(second))
    half = 1.96 * np.sqrt(40 - 20**2 / 100) / 100
    assert (found["low"], found["high"]) == pytest.approx((0.2 - half, 0.2 + half), abs=0.012)


def test_another_seed_draws_other_faces():
    faces = labelled([200] * 7)
    both = faces.join(replace(faces, usage="PublicTest"))
    draws = {
        "split": lambda seed: faces.split(0.2, seed)[1],
        "per_emotion": lambda seed: faces.per_emotion(40, seed),
        "per_usage": lambda seed: both.per_usage(280, seed).training,
        "sample": lambda seed: faces.sample(280, seed),
    }
    for draw in draws.values():
        one, other = (draw(seed).files for seed in (0, 1))
        assert len(one) == len(other) == 280 and 0.1 < np.isin(one, other).mean() < 0.35


def test_a_tenth_is_held_out_for_each_missing_usage():
    from fer_kit.data.usages import hold_out

    counts = hold_out(labelled([100] * 7), 0.1).counts()
    assert counts.PublicTest.tolist() == [10] * 7 and counts.PrivateTest.tolist() == [9] * 7
    assert counts.Training.tolist() == [81] * 7


def test_a_face_is_changed_within_the_ranges_that_are_said(monkeypatch):
    from fer_kit.data import augment

    angles, factors = [], []
    monkeypatch.setattr(augment, "rotate", lambda face, angle: angles.append(angle) or face)
    monkeypatch.setattr(augment, "zoom", lambda face, factor: factors.append(factor) or face)
    rng = np.random.default_rng(0)
    for _ in range(400):
        augment.augment_face(np.full((48, 48), 100, np.uint8), rng)
    assert -15 <= min(angles) < -14 and 14 < max(angles) <= 15
    assert 0.95 <= min(factors) < 0.955 and 1.075 < max(factors) <= 1.08


def tilt(image):
    y, x = np.nonzero(image > 127)
    x, y = x - x.mean(), y - y.mean()
    return np.degrees(0.5 * np.arctan2(2 * (x * y).mean(), (x * x).mean() - (y * y).mean()))


def test_disgust_is_turned_by_twenty_degrees_at_most():
    from fer_kit.data.augment import augment_disgust

    bar = np.zeros((96, 96), np.uint8)
    bar[46:50, 20:76] = 255
    rng = np.random.default_rng(0)
    angles = np.array([tilt(augment_disgust(bar, rng)) for _ in range(300)])
    assert 18 < angles.max() < 21 and -21 < angles.min() < -18


@pytest.mark.parametrize(("strength", "most"), [("hejslet", 15), ("murphy", 20), ("strong", 12)])
def test_layers_turn_as_far_as_the_reports_say(strength, most):
    from fer_kit.data.augment import augmentation_layers

    turn = next(
        one for one in augmentation_layers(strength, seed=0) if type(one).__name__ == "RandomRotation"
    )
    bars = np.zeros((200, 96, 96, 1), np.float32)
    bars[:, 46:50, 20:76] = 255
    angles = [tilt(image) for image in np.asarray(turn(bars, training=True))[..., 0]]
    assert max(angles) == pytest.approx(most, abs=1) and min(angles) == pytest.approx(-most, abs=1)


def test_layers_shift_as_far_as_is_said():
    from fer_kit.data.augment import augmentation_layers

    for strength, most in (("light", 0.1), ("murphy", 0.1), ("strong", 0.08)):
        shift = next(
            one for one in augmentation_layers(strength, seed=0) if type(one).__name__ == "RandomTranslation"
        )
        dots = np.zeros((300, 96, 96, 1), np.float32)
        dots[:, 46:50, 46:50] = 1
        moved = np.asarray(shift(dots, training=True))[..., 0]
        for axis in (1, 2):
            places = (moved.sum(3 - axis) * np.arange(96)).sum(1) / moved.sum((1, 2)) - 47.5
            assert places.max() == pytest.approx(96 * most, abs=0.4) and places.min() == pytest.approx(
                -96 * most, abs=0.4
            )


def test_the_margin_of_a_gap_counts_independent_faces():
    from test_gap import flat_faces

    from fer_kit.studies import gap

    learned = flat_faces(70, "Training", 0)
    training, held = gap.augment_then_split(learned, 6, 0)
    rows = gap._rows(SimpleNamespace(best_accuracy=0.8), (training, held), {"a cause": 0.5}, 100)
    variance = 0.8 * 0.2 / gap.independent_faces(held) + 0.5 * 0.5 / 100
    assert rows["a cause"]["margin"] == pytest.approx(1.96 * np.sqrt(variance), rel=1e-3)
    assert rows["a cause"]["gap"] == pytest.approx(0.3)


def test_the_parts_of_a_dropped_emotion():
    from fer_kit.evaluation.scores import Scores
    from fer_kit.studies.drop_emotion import Drop, without

    images = np.arange(4, dtype=np.uint8)[:, None, None] * np.ones((1, 48, 48), np.uint8)
    faces = FaceSet(images, [0, 0, 1, 2], "PublicTest", ("happy", "sad", "disgust"))
    full = Scores(
        faces, np.array([[0.8, 0.1, 0.1], [0.4, 0.1, 0.5], [0.1, 0.8, 0.1], [0.8, 0.1, 0.1]]), "PublicTest"
    )
    masked = without(full, "disgust")
    reduced = replace(masked, predictions=np.array([[0.9, 0.1], [0.1, 0.9], [0.1, 0.9]]))
    parts = Drop(("disgust",), full, masked, reduced, None, None).parts
    assert parts.tolist() == pytest.approx([2 / 3 - 2 / 4, 3 / 3 - 2 / 3, 2 / 3 - 3 / 3])


def test_p_compares_a_method_with_none(tmp_path, monkeypatch):
    from test_studies import QUICK, guesses, tiny

    from fer_kit.studies import imbalance

    first, second = [True] * 60 + [False] * 40, [True] * 50 + [False] * 10 + [True] * 30 + [False] * 10
    answers = iter([guesses(first), guesses(second)])
    run = SimpleNamespace(provenance={"trained_on": {"faces": 9}}, history=pd.DataFrame({"seconds": [1.0]}))
    monkeypatch.setattr(imbalance, "train", lambda *_, **__: run)
    monkeypatch.setattr(imbalance, "evaluate", lambda *_: next(answers))
    table = imbalance.compare_methods(tiny, labelled([9] * 7), QUICK, tmp_path, ("none", "class weights"))
    assert table.p["class weights"] == pytest.approx(binomtest(10, 40).pvalue) and table.p["none"] == 1
    assert table.accuracy["class weights"] == pytest.approx(0.8)


def test_columns_of_the_results_hold_what_they_say(tmp_path):
    from test_reproduction import write_record

    from fer_kit.studies.reproduction import attempts, result_table

    write_record(tmp_path / "one", "hejslet-light", "hejslet", 3, [0.3, 0.6, 0.5], 0.58)
    row = result_table(tmp_path).loc["hejslet-light"]
    assert (row["twin-free"], row["macro-F1"], row["calibration error"]) == pytest.approx((0.57, 0.5, 0.1))
    assert row.epochs == 3
    config = json.loads((tmp_path / "one/config.json").read_text())
    config["recipe"] |= {"weight_decay": 0.01, "mixup": 0.2}
    (tmp_path / "one/config.json").write_text(json.dumps(config))
    tried = attempts("hejslet-light", tmp_path).loc["one"]
    assert (tried.training, tried.PublicTest, tried.PrivateTest, tried["twin-free"]) == pytest.approx(
        (0.5, 0.6, 0.58, 0.57)
    )


def test_twins_of_classical_baselines_are_counted(faces, tmp_path):
    from fer_kit.studies.classical.baselines import fit_baseline, table

    few = faces.per_usage(150)
    few = few.join(replace(few.training[:9], usage="PrivateTest"))
    record = fit_baseline("pixels-knn", few, tmp_path)
    for usage, score in record["scores"].items():
        twins = few.part(usage).has_twin_in(few.training)
        assert score["twins"] == twins.sum()
    assert record["scores"]["PrivateTest"]["twins"] >= 9
    score = record["scores"]["PrivateTest"]
    row = table(tmp_path).loc["pixels-knn"]
    assert (row.accuracy, row.twin_free, row.macro_f1) == (
        score["accuracy"],
        score["accuracy_twin_free"],
        score["macro_f1"],
    )
    assert row.twin_free < row.accuracy


def test_a_fingerprint_knows_targets_and_names():
    faces = labelled([3] * 7)
    shares = np.eye(7, dtype=np.float32)[faces.labels]
    others = shares.copy()
    others[0] = 1 / 7
    known = {faces.fingerprint, *(replace(faces, targets=t).fingerprint for t in (shares, others))}
    known.add(replace(faces, names=(*EMOTIONS[:6], "contempt")).fingerprint)
    assert len(known) == 4


def test_a_calibration_table_by_hand():
    from fer_kit.evaluation import metrics

    sure = np.array([0.95, 0.95, 0.65, 0.6])
    table = metrics.calibration_table(np.stack([sure, 1 - sure], 1), np.array([0, 1, 0, 0]), bins=10)
    full = table[table.faces > 0]
    assert full.faces.tolist() == [1, 1, 2] and full.low.tolist() == pytest.approx([0.5, 0.6, 0.9])
    assert full.confidence.tolist() == pytest.approx([0.6, 0.65, 0.95])
    assert full.accuracy.tolist() == [1, 1, 0.5]
    assert metrics.calibration_error(table) == pytest.approx((0.4 + 0.35 + 2 * 0.45) / 4)


def test_percentages_of_a_confusion_matrix_are_of_rows():
    from fer_kit.plots import results

    axis = results.confusion(np.array([[8, 2], [30, 10]]), ("happy", "sad")).axes[0]
    assert [text.get_text() for text in axis.texts] == ["80", "20", "75", "25"]
    assert [tick.get_text() for tick in axis.get_yticklabels()] == ["happy (10)", "sad (40)"]


def test_whiskers_are_wilsons_intervals():
    from fer_kit.evaluation import metrics
    from fer_kit.plots import results

    axis = results.per_emotion(np.array([[8, 2], [30, 10]]), ("happy", "sad")).axes[0]
    assert [bar.get_height() for bar in axis.patches] == pytest.approx([80, 25])
    (lines,) = [c for c in axis.collections if hasattr(c, "get_segments")]
    ends = [segment[:, 1].tolist() for segment in lines.get_segments()]
    np.testing.assert_allclose(ends, 100 * np.array([metrics.wilson(8, 10), metrics.wilson(10, 40)]))


def test_bars_of_a_reliability_diagram_are_accuracies():
    from fer_kit.evaluation import metrics
    from fer_kit.plots import results

    sure = np.array([0.95, 0.95, 0.65, 0.6])
    table = metrics.calibration_table(np.stack([sure, 1 - sure], 1), np.array([0, 1, 0, 0]), bins=10)
    axis, below = results.reliability(table).axes
    assert [bar.get_height() for bar in axis.patches[:3]] == [1, 1, 0.5]
    assert [bar.get_height() for bar in below.patches] == [1, 1, 2]
    assert "41.2%" in axis.get_title(loc="left") + axis.get_title()


def test_curves_mark_the_best_epoch():
    from fer_kit.plots import results

    history = pd.DataFrame(
        {
            "accuracy": [0.3, 0.5, 0.6],
            "val_accuracy": [0.3, 0.45, 0.4],
            "loss": [1.8, 1.5, 1.2],
            "val_loss": [1.8, 1.7, 1.9],
        },
        index=[1, 2, 3],
    )
    axis, loss = results.training_curves(history).axes
    assert [line.get_ydata() for line in axis.lines[:2]][1].tolist() == pytest.approx([30, 45, 40])
    assert "best epoch, 2" in [t.get_text() for t in loss.get_legend().get_texts()]


def test_the_name_of_a_loss_says_what_the_recorded_numbers_are():
    from fer_kit.training.records import recorded

    assert recorded("hejslet-light").loss_name == "cross-entropy"
    assert recorded("kit-best").loss_name == "cross-entropy, labels smoothed by 0.1"
    for name in ("hejslet-light", "kit-best"):
        run = recorded(name)
        probabilities, labels = (run.predictions[part] for part in ("probabilities", "labels"))
        plain = -np.log(probabilities[np.arange(len(labels)), labels].clip(1e-5)).mean()
        shown = run.history.val_loss[run.best_epoch] - plain
        assert (0.15 < shown < 0.3) if "smoothed" in run.loss_name else shown == pytest.approx(0, abs=0.01)


def test_kcf_gets_blue_before_red(monkeypatch):
    import cv2

    from fer_kit.camera import FaceTracker, moving_faces
    from fer_kit.camera.boxes import shrink
    from fer_kit.camera.detection import Face
    from fer_kit.camera.tracking import LONGEST

    seen = []
    kcf = SimpleNamespace(init=lambda image, box: seen.append(image), update=lambda image: (True, box))
    monkeypatch.setattr(cv2, "TrackerKCF", SimpleNamespace(Params=SimpleNamespace, create=lambda _: kcf))
    frame, (box,) = next(iter(moving_faces(1)))
    FaceTracker(lambda _: [Face(box, 1.0)]).update(frame)
    assert np.array_equal(seen[0], shrink(frame, LONGEST)[0][..., ::-1])


def test_occlusion_averages_where_patches_overlap():
    from fer_kit.evaluation.saliency import occlusion

    def predict(x, **_):
        share = x[:, 20, 30, 0] / np.float32(255)
        return np.stack([share, 1 - share], 1)

    heat = occlusion(SimpleNamespace(predict=predict), np.full((1, 48, 48), 255, np.uint8))
    assert heat.max() == pytest.approx(127 / 255) == heat[0, 20, 30] and heat.min() == 0
    assert np.argwhere(heat[0]).min(0).tolist() == [16, 24] and np.argwhere(heat[0]).max(0).tolist() == [
        27,
        35,
    ]


def test_the_most_suspect_label_comes_first():
    from fer_kit.data.doctor import likely_wrong_labels

    first = np.array([0.95, 0.95, 0.8, 0.1, 0.6, 0.95, 0.98])
    found = likely_wrong_labels(np.stack([first, 1 - first], 1), [0, 0, 0, 1, 1, 1, 1])
    assert found.tolist() == [6, 5]


def test_the_recipes_weights_and_mixup_reach_the_batches():
    from fer_kit.data.augment import class_weights
    from fer_kit.training import loop
    from fer_kit.training.recipes import Recipe

    faces = draw_sample(700)
    recipe = Recipe("r", "these tests", batch_size=32, mixup=0.2, class_weight="balanced")
    learning, selecting = loop._batches(faces.training, faces.public_test, recipe, 5, None)
    np.testing.assert_allclose(learning.class_weight, list(class_weights(faces.training).values()), rtol=1e-6)
    assert (learning.mixup, learning.seed, learning.batch_size, learning.shuffle) == (0.2, 5, 32, True)
    assert not selecting.shuffle and not selecting.mixup and (selecting.class_weight == 1).all()


def test_weight_decay_leaves_biases_and_normalisation_alone():
    import keras

    from fer_kit.training.recipes import Recipe, make_optimiser

    recipe = Recipe(
        "r", "these tests", optimiser="sgd", learning_rate=1.0, weight_decay=0.1, ema=0.99, epochs=4
    )
    optimiser = make_optimiser(recipe, steps=10)
    assert optimiser.ema_momentum == pytest.approx(0.75) and optimiser.momentum == 0.9 and optimiser.nesterov
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(2, bias_initializer="ones"), keras.layers.BatchNormalization()]
    )
    before = [v.numpy().copy() for v in model.trainable_variables]
    optimiser.build(model.trainable_variables)
    optimiser.apply([keras.ops.zeros(v.shape) for v in model.trainable_variables])
    shares = [0.9 if v.name == "kernel" else 1.0 for v in model.trainable_variables]
    for old, variable, share in zip(before, model.trainable_variables, shares, strict=True):
        np.testing.assert_allclose(variable.numpy(), share * old, rtol=1e-5)


def test_scores_against_scikit_learn():
    from sklearn.metrics import balanced_accuracy_score, f1_score

    from fer_kit.evaluation import metrics
    from fer_kit.evaluation.scores import Scores

    rng = np.random.default_rng(0)
    labels = rng.integers(0, 7, 300) // 2
    faces = FaceSet(rng.integers(0, 256, (300, 48, 48), np.uint8), labels, "PublicTest", EMOTIONS[:4])
    answers = rng.dirichlet(np.ones(4), 300) * 0.6 + 0.4 * np.eye(4)[labels]
    twins = np.arange(300) < 50
    scores = Scores(faces, answers, "PublicTest", twins)
    said = scores.as_json()
    guess = answers.argmax(1)
    right = guess == labels
    assert said["macro_f1"] == pytest.approx(f1_score(labels, guess, average="macro"))
    assert said["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(labels, guess))
    assert said["accuracy"] == pytest.approx(right.mean()) != said["balanced_accuracy"] != said["macro_f1"]
    assert said["accuracy_twin_free"] == pytest.approx(right[50:].mean()) and said["twins"] == 50
    assert said["interval"] == pytest.approx(list(metrics.wilson(right.sum(), 300)))
    assert said["macro_f1_interval"] == pytest.approx(
        list(metrics.bootstrap(scores.confusion, metrics.macro_f1))
    )
    assert said["calibration_error"] == pytest.approx(
        metrics.calibration_error(metrics.calibration_table(answers, labels))
    )
    assert said["confusion"][1][2] == ((labels == 1) & (guess == 2)).sum()


def test_learned_test_faces_are_a_leak(tmp_path):
    from test_reproduction import write_record

    from fer_kit.training.records import Run

    write_record(tmp_path / "run", "hejslet-light", "hejslet", 1, [0.3])
    path = tmp_path / "run/provenance.json"
    path.write_text(
        json.dumps(json.loads(path.read_text()) | {"trained_on": {"faces": 9, "test_faces": 1041}})
    )
    assert Run(tmp_path / "run").leak == "learned 1,041 of FER-2013's test faces"


def test_learned_test_faces_are_counted(faces, monkeypatch):
    from fer_kit.data.doctor.signatures import Signatures
    from fer_kit.training.batches import learned_facts

    known = Signatures.of(faces)
    monkeypatch.setattr(Signatures, "load", lambda: known)
    private = faces.private_test
    leaked = faces.training.join(replace(private, usage="Training"))
    told = learned_facts(faces, leaked, False)["trained_on"]
    strange = ~private.has_twin_in(faces.training)
    assert told["faces"] == len(leaked) and told["test_faces"] == strange.sum() > 10
    assert learned_facts(faces, faces.training, False)["trained_on"]["test_faces"] == 0


def test_copies_of_public_test_leave_training_in_the_gender_split():
    from test_gender import utkface

    from fer_kit.studies import gender

    names = [f"30_0_0_{20170101000000000 + 100000 * i}.jpg" for i in range(90)]
    split = gender.split_by_hash(utkface(names))
    rows = [names.index(split.public_test.files[0]), names.index(split.training.files[0])]
    images = np.random.default_rng(1).integers(20, 200, (90, 48, 48), np.uint8)
    images[rows[1]] = images[rows[0]] + 30
    kept = gender.split_by_hash(utkface(names, images)).files
    assert names[rows[0]] in kept and names[rows[1]] not in kept


def test_colour_becomes_luminance():
    from fer_kit.data.files.pictures import to_face

    for channel, grey in enumerate((76, 150, 29)):
        image = np.zeros((48, 48, 3), np.uint8)
        image[..., channel] = 255
        assert abs(int(to_face(image)[0][0, 0]) - grey) <= 1


def test_options_of_the_commands_arrive(monkeypatch, tmp_path):
    from fer_kit.evaluation import scoring
    from fer_kit.tools import cli
    from fer_kit.training import loop

    asked = []
    finished = SimpleNamespace(finished=True)
    monkeypatch.setattr(scoring, "evaluate", lambda *of, **more: asked.append((of, more)) or "scores")
    monkeypatch.setattr(loop, "fit", lambda *of, **more: asked.append((of, more)) or finished)
    command = "evaluate kit-small --data sample --usage Training --augment ten-crop"
    assert cli.main(command.split()) == 0
    (_, _, usage, augment), _ = asked.pop()
    assert (usage, augment) == ("Training", "ten-crop")
    command = "train kit-small --recipe kit-small --data sample --seed 7 --epochs 3 --retrain --out"
    assert cli.main([*command.split(), str(tmp_path / "run")]) == 0
    (_, _, recipe, _), options = asked.pop()
    assert (options["seed"], options["epochs"], options["retrain"]) == (7, 3, True) and recipe.without_twins


def test_a_face_turns_about_its_middle():
    from fer_kit.data.augment import rotate

    face = np.random.default_rng(0).integers(0, 256, (48, 48), np.uint8)
    assert (rotate(face, 180) == face[::-1, ::-1]).all() and (rotate(face, 90) == np.rot90(face)).all()


@pytest.mark.parametrize("factor", [0.95, 0.96, 1.0, 1.03, 1.08])
def test_a_zoom_is_by_the_factor_about_the_middle(factor):
    from fer_kit.data.augment import zoom

    row = zoom(np.tile(np.arange(48, dtype=np.float32), (48, 1)), factor)[24]
    slope, middle = np.polyfit(np.arange(10, 38) - 23.5, row[10:38], 1)
    assert 1 / slope == pytest.approx(factor, abs=0.003) and middle == pytest.approx(23.5, abs=0.05)


def test_grey_is_kept_on_average():
    from fer_kit.data.augment import augment_face

    rng = np.random.default_rng(0)
    grey = np.full((4, 4), 100, np.uint8)
    assert np.mean([augment_face(grey, rng).mean() for _ in range(20_000)]) == pytest.approx(100, abs=0.2)


def test_a_named_network_has_its_usual_augmentation():
    from fer_kit.data.augment import augmentation_layers
    from fer_kit.models.zoo import MODELS, build

    for name, row in MODELS.items():
        wanted = [type(layer).__name__ for layer in augmentation_layers(row.augmentation)]
        assert [type(layer).__name__ for layer in build(name).layers[1 : 1 + len(wanted)]] == wanted, name
    usual = {name: row.augmentation for name, row in MODELS.items()}
    assert (
        usual["zhao-cnn"] == "light"
        and usual["hejslet-light"] == "hejslet"
        and usual["choudhari-cnn"] == "murphy"
    )


def test_recipes_are_those_that_the_records_were_trained_by():
    from dataclasses import asdict

    from fer_kit.studies.reproduction import EXPERIMENTS, KIT_TRANSFER, finished_runs
    from fer_kit.training.recipes import RECIPES, differences

    experiments = (*EXPERIMENTS, KIT_TRANSFER)
    pairs = [(run, one) for run in finished_runs() for one in experiments if one.is_of(run)]
    assert len(pairs) > 15
    for run, one in pairs:
        now = {"recipe": asdict(RECIPES[one.recipe])}
        said = differences({"recipe": run.config["recipe"]}, now)
        others = [d for d in said if not d.startswith(("recipe epochs", "recipe without_twins"))]
        assert not others, f"{run.folder.name}: {others}"


def test_usages_are_given_back_by_pixels(faces, monkeypatch):
    from fer_kit.data.doctor.signatures import Signatures
    from fer_kit.data.usages import give_back

    known = Signatures.of(faces)
    monkeypatch.setattr(Signatures, "load", lambda: known)
    two = replace(faces, usage=np.where(faces.usage == "Training", "Training", "PrivateTest"))
    back = give_back(two)
    moved = (faces.usage == "PublicTest").sum()
    assert back.counts().equals(faces.counts())
    assert f"{moved} changed theirs" in back.notes[-1].text
    usage = dict(zip(faces.files, faces.usage, strict=True))
    assert np.mean([usage[file] == now for file, now in zip(back.files, back.usage, strict=True)]) > 0.98


def test_widths_and_dropout_of_named_networks():
    import keras

    from fer_kit.models.zoo import build

    def kinds(model, kind, what):
        return [layer.get_config()[what] for layer in model.layers if isinstance(layer, kind)]

    choudhari, compact = (build(name, augment=None) for name in ("choudhari-cnn", "kit-compact"))
    assert kinds(choudhari, keras.layers.Conv2D, "filters") == [32, 64, 128]
    assert kinds(choudhari, keras.layers.Dropout, "rate") == [0.25, 0.25, 0.25, 0.5]
    assert kinds(compact, keras.layers.Conv2D, "filters") == [64, 96, 96, 192, 192, 384, 384]
    assert kinds(compact, keras.layers.Dropout, "rate") == [0.1, 0.1, 0.1, 0.4]


@pytest.mark.parametrize(("monitor", "accuracy"), [("val_loss", 0.3), ("val_accuracy", 0.5)])
def test_a_pruned_trial_has_the_accuracy_of_the_epoch_that_is_kept(monitor, accuracy):
    from fer_kit.studies.tuning import results

    trial = SimpleNamespace(state=SimpleNamespace(name="PRUNED"), params={}, user_attrs={}, value=None)
    epochs = {"val_accuracy": [0.3, 0.5], "val_loss": [1.0, 2.0], "seconds": [1.0, 2.0]}
    history = pd.DataFrame(epochs, index=[1, 2])
    assert results._row(trial, history, monitor)["accuracy"] == accuracy
    assert np.isnan(results._row(trial, history[:0], monitor)["accuracy"])
