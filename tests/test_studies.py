"""Studies: dropping an emotion fairly, the imbalance toolbox, data size; runs that are shared and kept."""

import shutil
from dataclasses import replace

import keras
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_kit.data.emotions import EMOTIONS
from fer_kit.data.faceset import FaceSet
from fer_kit.data.sample.people import draw_sample
from fer_kit.evaluation.scores import Scores, recorded_scores
from fer_kit.evaluation.scoring import evaluate
from fer_kit.plots import studies
from fer_kit.studies import common, data_size, drop_emotion, imbalance
from fer_kit.tools.cli import main
from fer_kit.training import callbacks
from fer_kit.training.recipes import Recipe
from fer_kit.training.records import Run
from maintain.gallery.from_records import of_studies

QUICK = Recipe("quick", "these tests", epochs=1, batch_size=64)


def tiny(emotions):
    faces = keras.Input((48, 48, 1), dtype="uint8")
    x = keras.layers.Flatten()(keras.layers.AveragePooling2D(8)(keras.layers.Rescaling(1 / 255)(faces)))
    return keras.Model(faces, keras.layers.Dense(emotions, activation="softmax")(x), name="tiny")


@pytest.fixture(scope="module")
def few():
    """240 faces to learn from, 120 to select on and as many PrivateTest faces."""
    faces = draw_sample(1800)
    return faces.training.sample(240).join(faces.public_test.sample(120)).join(faces.private_test.sample(120))


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """One folder for all studies of this file, so that they share the plain run."""
    return tmp_path_factory.mktemp("records") / "studies"


@pytest.fixture(scope="module")
def drop(few, out):
    return drop_emotion.drop_study(tiny, few, QUICK, out)


def guesses(right, seed=0):
    """Scores of faces of two emotions of which `right` bool (N,) are predicted right."""
    right = np.asarray(right, bool)
    images = np.random.default_rng(seed).integers(0, 256, (len(right), 48, 48), np.uint8)
    faces = FaceSet(images, np.zeros(len(right)), "PublicTest", ("happy", "sad"))
    return Scores(faces, np.where(right[:, None], [[0.9, 0.1]], [[0.1, 0.9]]), "PublicTest")


# ---- runs ----


def test_a_finished_run_is_not_trained_again(few, out, drop, capsys):
    run = common.train(tiny, few, QUICK, out / "plain")
    assert "Already trained" in capsys.readouterr().out
    assert run.folder == drop.full_run.folder and evaluate(run, few).accuracy == drop.full.accuracy


def test_an_interrupted_study_stops_and_goes_on(few, tmp_path, monkeypatch):
    def interrupted(watch, epoch, logs=None):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(callbacks.Watch, "on_epoch_begin", interrupted)
        with pytest.raises(KeyboardInterrupt, match="run is not finished; the same call resumes"):
            common.train(tiny, few, QUICK, tmp_path / "run")
    assert common.train(tiny, few, QUICK, tmp_path / "run").finished


def test_a_trained_network_cannot_be_handed_from_run_to_run(few, tmp_path):
    with pytest.raises(TypeError, match="not tiny again and again"):
        common.train(tiny(7), few, QUICK, tmp_path)


# ---- dropping an emotion ----


def test_the_parts_add_up_to_the_reported_difference(few, drop):
    assert drop.dropped == ("disgust",) and drop.full.faces == 120
    assert drop.parts.sum() == pytest.approx(drop.reported)
    assert drop.parts["trained without"] == pytest.approx(drop.fair["points"])
    assert "disgust" not in drop.reduced.scored.names and "disgust" in drop.full.scored.names


@pytest.mark.parametrize("dropped", [("disgust",), ("happy",), ("fear", "neutral")])
def test_masking_afterwards_is_what_evaluate_does(few, drop, dropped):
    others = few
    for name in dropped:
        others = others.drop(name)
    masked, scored = drop_emotion.without(drop.full, *dropped), evaluate(drop.full_run, others)
    assert masked.scored.names == scored.scored.names
    np.testing.assert_allclose(masked.predictions, scored.predictions, atol=1e-5)
    np.testing.assert_allclose(masked.predictions.sum(1), 1, atol=1e-5)
    assert np.array_equal(masked.scored.labels, scored.scored.labels)
    assert np.array_equal(masked.twins, scored.twins)


@pytest.mark.parametrize(
    ("dropped", "message"),
    [
        ("contempt", "no emotion 'contempt' here; there are angry"),
        (("disgust", "disgust"), "no emotion 'disgust' here"),
        (EMOTIONS[1:], "only angry, neutral are left; drop nothing more"),
    ],
)
def test_what_cannot_be_dropped_is_said_before_training(few, tmp_path, dropped, message):
    with pytest.raises(ValueError, match=message):
        drop_emotion.drop_study(tiny, few, QUICK, tmp_path, dropped)
    assert not list(tmp_path.iterdir())


def test_private_test_is_looked_at_once_by_either_network(few, out, drop):
    study = drop_emotion.drop_study(tiny, few, QUICK, out, usage="PrivateTest")
    assert study.full.usage == study.masked.usage == "PrivateTest"
    assert [run.metrics["private_test_scored"] for run in (study.full_run, study.reduced_run)] == [1, 1]


def test_the_difference_of_known_answers():
    first, second = [True] * 60 + [False] * 40, [True] * 50 + [False] * 10 + [True] * 30 + [False] * 10
    found = drop_emotion.difference(guesses(first), guesses(second))
    assert found["points"] == pytest.approx(0.2)
    assert (found["first_only"], found["second_only"]) == (10, 30)
    # Wald's interval of a paired difference: sqrt(b + c - (b - c)^2 / n) / n.
    half = 1.96 * np.sqrt(40 - 20**2 / 100) / 100
    assert (found["low"], found["high"]) == pytest.approx((0.2 - half, 0.2 + half), abs=0.02)


@settings(deadline=None, max_examples=20)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40))
def test_the_difference_turns_round_with_its_networks(pairs):
    first, second = (guesses(right) for right in zip(*pairs, strict=True))
    there, back = drop_emotion.difference(first, second), drop_emotion.difference(second, first)
    assert there["points"] == pytest.approx(-back["points"]) and there["p"] == pytest.approx(back["p"])
    assert there["low"] <= there["points"] + 1e-9 and there["points"] <= there["high"] + 1e-9


def test_networks_that_answered_other_faces_are_not_compared():
    with pytest.raises(ValueError, match="not of the same faces"):
        drop_emotion.difference(guesses([True] * 5), guesses([True] * 5, seed=1))


# ---- imbalance ----


def test_oversampling_keeps_every_face_and_makes_all_emotions_equal(few):
    learnt = few.training
    many = imbalance.oversample(learnt, seed=1)
    counts = many.counts().Training
    assert (counts == learnt.counts().Training.max()).all()
    assert set(learnt.digests) == set(many.digests)
    with pytest.raises(ValueError, match="no sad face to repeat"):
        imbalance.oversample(learnt[learnt.labels != 4])


@pytest.mark.parametrize("method", imbalance.METHODS)
def test_a_method_changes_training_faces_or_the_recipe_only(few, method):
    faces, recipe = imbalance.treat(method, few, QUICK)
    assert faces.public_test.fingerprint == few.public_test.fingerprint
    assert faces.private_test.fingerprint == few.private_test.fingerprint
    more = len(faces.training) > len(few.training)
    assert (method == "none") == (recipe == QUICK and not more)
    if method in imbalance.COPIES:
        before, after = few.counts().Training, faces.counts().Training
        assert after["disgust"] == 10 * before["disgust"]
        assert after.drop("disgust").equals(before.drop("disgust"))


def test_mild_copies_are_nearer_to_their_faces(few):
    change = {}
    for method in imbalance.COPIES:
        learned = imbalance.treat(method, few, QUICK)[0].training.of("disgust")
        faces = dict(zip(learned.files, learned.images.astype(float), strict=True))
        copies = set(learned.files) - set(few.files)
        change[method] = np.mean([abs(faces[copy] - faces[copy.split(" aug")[0]]).mean() for copy in copies])
    assert 0 < change["mild x10"] < 0.8 * change["rare x10"]


def test_methods_and_emotions_that_are_not_there_are_named(few):
    with pytest.raises(ValueError, match="no method 'smote'; there are none, class weights"):
        imbalance.treat("smote", few, QUICK)
    with pytest.raises(ValueError, match="no 'disgust' face"):
        imbalance.treat("rare x10", few.drop("disgust"), QUICK)


def test_the_toolbox_counts_the_faces_that_were_learned_from(few, tmp_path):
    twin = replace(few.training[:1], usage="PublicTest", files=["a twin"])
    recipe = replace(QUICK, without_twins=True, epochs=1)
    table = imbalance.compare_methods(tiny, few.join(twin), recipe, tmp_path, ("none",))
    learned = Run(tmp_path / "plain").provenance["trained_on"]["faces"]
    assert table.images["none"] == learned < len(few.training)


def test_the_toolbox_is_one_table(few, out, drop):
    methods = ("none", "class weights", "logit adjustment")
    table = imbalance.compare_methods(tiny, few, QUICK, out, methods)
    assert tuple(table.index) == methods and table.p["none"] == 1
    assert (table.images == len(few.training)).all()
    plain = drop.full
    assert table.accuracy["none"] == pytest.approx(plain.accuracy)
    assert table.macro_f1["none"] == pytest.approx(plain.macro_f1)
    np.testing.assert_allclose(
        table.loc["none", list(few.names)].to_numpy(float), plain.per_emotion.recall, atol=1e-9
    )
    assert {folder.name for folder in out.iterdir()} >= {"plain", "class-weights", "logit-adjustment"}
    assert studies.imbalance_heatmap(table, few.names).axes[0].get_xlabel() == "true emotion"


# ---- data size ----


def test_sizes_lie_inside_each_other_and_test_faces_stay_whole(few):
    taken = data_size.take_sizes(few, (20, None, 5))
    assert list(taken) == ["5 per emotion", "20 per emotion", "all"]
    small, large, whole = taken.values()
    assert set(small.training.files) < set(large.training.files) < set(whole.training.files)
    assert small.public_test.fingerprint == few.public_test.fingerprint
    assert small.counts().Training.max() == 5 and large.counts().Training.max() == 20
    assert list(data_size.take_sizes(few, (10_000,))) == ["all"]
    for wrong in ((), (0, None)):
        with pytest.raises(ValueError, match="sizes are faces of each emotion"):
            data_size.take_sizes(few, wrong)


def test_the_size_study_says_which_emotions_were_short(few, out, drop):
    table = data_size.study_sizes(tiny, few, QUICK, out, (20, None))
    disgust = few.counts().Training["disgust"]
    assert table["took all of"]["20 per emotion"] == f"disgust ({disgust})"
    assert table.faces.to_dict() == {"20 per emotion": 120 + disgust, "all": 240}
    assert table.accuracy["all"] == pytest.approx(drop.full.accuracy)
    assert ((table.low <= table.accuracy) & (table.accuracy <= table.high)).all()
    law = data_size.PowerLaw(1, 0.2)
    assert studies.learning_curve(table, {"law": law}).axes[0].get_xscale() == "log"


# ---- from records ----


def test_a_record_gives_the_same_scores_without_its_faces(drop):
    again = drop_emotion.recorded_drop(drop.full_run, drop.reduced_run)
    assert again.dropped == ("disgust",) and again.fair["points"] == pytest.approx(drop.fair["points"])
    np.testing.assert_allclose(again.parts, drop.parts)
    with pytest.raises(ValueError, match="no emotion was dropped"):
        drop_emotion.recorded_drop(drop.full_run, drop.full_run)


def test_private_test_comes_from_a_record_only_when_it_was_scored(few, drop, tmp_path):
    run = common.train(tiny, few, QUICK, tmp_path)
    with pytest.raises(ValueError, match="no PrivateTest score; evaluate it there once"):
        recorded_scores(run, "PrivateTest")
    asked = evaluate(run, few, "PrivateTest")
    stored = recorded_scores(run, "PrivateTest")
    assert stored.accuracy == asked.accuracy and stored.accuracy_twin_free == asked.accuracy_twin_free


def test_a_run_of_a_study_can_be_made_on_the_command_line(tmp_path):
    asked = "train kit-small --recipe kit-small --epochs 1 --data sample --no-augment --gaussian-init"
    faces = ["--keep-twins", "--drop", "disgust", "--drop", "fear", "--per-emotion", "4", "--balance", "5"]
    assert main([*asked.split(), *faces, "--out", str(tmp_path / "run")]) == 0
    run = Run.open(tmp_path / "run")
    provenance = run.provenance
    assert run.config["variant"] == {"augment": None, "gaussian_init": True}
    assert run.config["recipe"]["without_twins"] is False
    assert not any(layer.name.startswith("random") for layer in run.model().layers)
    assert not {"disgust", "fear"} & {*provenance["emotions"]} and provenance["trained_on"]["faces"] == 5 * 5


def test_the_gallery_draws_the_studies_from_their_records(few, out, drop, tmp_path):
    table = data_size.study_sizes(tiny, few, QUICK, out, (20, None))
    shutil.copytree(out / "20-per-emotion", out / "murphy-20-per-emotion")  # another network's
    read = data_size.recorded_sizes(out)
    shutil.rmtree(out / "murphy-20-per-emotion")
    pd.testing.assert_frame_equal(read, table[read.columns])
    for part in ("metrics.json", "predictions.npz", "provenance.json"):
        shutil.copytree(out, tmp_path / part)
        (tmp_path / part / "20-per-emotion" / part).write_text("[]")
        with pytest.warns(UserWarning, match=f"left out of the table: .*{part} is damaged"):
            assert data_size.recorded_sizes(tmp_path / part).index.tolist() == ["all"]
    drawn = list(of_studies(out.parent))
    assert [name for name, *_ in drawn] == ["murphy-dropdisgust", "murphy-size"]
    assert not list(of_studies(tmp_path))
    shutil.copytree(out / "plain", tmp_path / "studies" / "without-augmentation")
    ((name, caption, *_),) = of_studies(tmp_path)
    assert name == "hejslet-large" and caption.startswith("Without augmentation the last epoch has ")
    pairs = ("studies/zhao-init", "zhao-sepconv", "studies/cnn-without-augmentation", "choudhari-cnn")
    for where in ("studies/balanced-light", *pairs):
        shutil.copytree(out / "plain", tmp_path / where)
    drawn = [name for name, *_ in of_studies(tmp_path)]
    names = [name for name in drawn if name != "hejslet-fig5"]  # which needs a PrivateTest score
    assert names == ["hejslet-large", "hejslet-light", "zhao-init", "choudhari-augment"]


@settings(deadline=None)
@given(st.floats(0.5, 2), st.floats(0.05, 0.4), st.floats(0, 0.2))
def test_a_power_law_is_found_again(scale, exponent, floor):
    law = data_size.PowerLaw(scale, exponent, floor)
    faces = np.array([1000, 5000, 28709])
    found = data_size.fit_power_law(faces, law.accuracy(faces), floor)
    assert (found.scale, found.exponent) == pytest.approx((scale, exponent), rel=1e-6)
    assert found.faces_for(law.accuracy(3000)) == pytest.approx(3000, rel=1e-6)


def test_what_a_learning_curve_cannot_tell():
    with pytest.raises(ValueError, match="needs two different sizes"):
        data_size.fit_power_law([100, 100], [0.5, 0.6])
    with pytest.raises(ValueError, match="better than the floor 0.5 allows"):
        data_size.fit_power_law([100, 1000], [0.4, 0.6], floor=0.5)
    falling = data_size.fit_power_law([100, 1000], [0.6, 0.5])
    assert falling.faces_for(0.7) == np.inf
    assert data_size.PowerLaw(1, 0.2, floor=0.3).faces_for(0.8) == np.inf
    for nearly_flat in (1e-4, 1e-17, 5e-324):
        assert data_size.PowerLaw(0.8, nearly_flat).faces_for(0.3) == np.inf


# ---- figures ----


def test_the_lesson_in_one_figure(drop):
    figure = studies.fair_comparison(drop)
    titles = [
        axis.get_title(loc) for axis in figure.axes for loc in ("left", "center") if axis.get_title(loc)
    ]
    assert titles[:2] == ["As reported: two tasks", "Fairly: one task"]
    assert titles[2] == f"{100 * drop.reported:+.2f} points taken apart"
    histories = {"seven": drop.full_run.history, "six": drop.reduced_run.history}
    first = studies.compare_histories(histories).axes[0]
    assert [line.get_label() for line in first.get_lines()] == ["seven", "six"]
