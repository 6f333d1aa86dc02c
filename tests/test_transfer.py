"""Transfer in two stages: the head on cached features is the one trained in the loop; runs are records."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from test_training import states

from fer_kit.data.sample.people import draw_sample
from fer_kit.evaluation.scores import vote
from fer_kit.evaluation.scoring import evaluate
from fer_kit.models.backbones import RANDOM, classifier, feature_head, load_backbone
from fer_kit.training import transfer
from fer_kit.training.loop import fit
from fer_kit.training.recipes import RECIPES, Recipe
from fer_kit.training.records import Run

QUICK = Recipe("quick", "these tests", epochs=2, batch_size=32, learning_rate=1e-3)


@pytest.fixture(scope="module")
def few():
    """130 faces of the built-in sample to learn from, 40 to select on, 20 to test."""
    faces = draw_sample(700)
    return faces.training.sample(130).join(faces.public_test.sample(40)).join(faces.private_test.sample(20))


def small_backbone(seed=0):
    return load_backbone("MobileNet", 32, weights=None, precision="float32", alpha=0.25, seed=seed)


@pytest.fixture(scope="module")
def backbone():
    return small_backbone()


@pytest.fixture(scope="module")
def base(few, backbone, tmp_path_factory):
    """A finished run of the frozen stage."""
    folder = tmp_path_factory.mktemp("transfer")
    return transfer.train_head(backbone, few, folder / "base", QUICK, cache=folder / "cache")


def last_layer(model):
    return model.get_layer("probabilities").get_weights()


def test_the_head_on_features_equals_training_with_the_backbone_in_the_loop(
    few, backbone, tmp_path, monkeypatch
):
    monkeypatch.setenv("FER_SEED", "5")  # which both take
    recipe = replace(RECIPES["murphy-base"], learning_rate=1e-3)
    cached = transfer.train_head(
        backbone, few, tmp_path / "cached", recipe, epochs=3, cache=tmp_path / "cache"
    )
    in_loop = fit(classifier(backbone), few, recipe, tmp_path / "loop", epochs=3)
    start = last_layer(feature_head(backbone))
    assert np.abs(last_layer(cached.model())[0] - start[0]).max() > 1e-3, "the head has learnt nothing"
    for ours, theirs in zip(last_layer(cached.model()), last_layer(in_loop.model()), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)
    drop = ["seconds", "learning_rate"]
    np.testing.assert_allclose(
        cached.history.drop(columns=drop), in_loop.history.drop(columns=drop), rtol=1e-3, atol=1e-3
    )


def test_the_record_holds_the_whole_model_and_says_what_its_weights_are(base, few, backbone):
    assert base.finished and list(base.history.columns[:2]) == ["accuracy", "learning_rate"]
    about = base.config["variant"]
    assert (about["backbone"], about["size"], about["weights"]) == ("MobileNet", 32, RANDOM)
    assert "random-weights" in base.summary
    scores = evaluate(base.folder, few, "PublicTest")
    np.testing.assert_allclose(scores.predictions, base.predictions["probabilities"], atol=1e-4)
    assert base.model().inputs[0].dtype == "uint8"


def test_a_finished_stage_is_returned_at_once_and_trained_anew_on_request(base, few, backbone, tmp_path):
    again = transfer.train_head(backbone, few, base.folder, QUICK, cache=tmp_path / "empty")
    assert again.finished and not (tmp_path / "empty").exists()
    with pytest.raises(ValueError, match="another run: .*fingerprint was"):
        transfer.train_head(small_backbone(1), few, base.folder, QUICK, cache=tmp_path)
    out = tmp_path / "anew"
    for retrain in (False, True):
        run = transfer.train_head(
            backbone, few, out, QUICK, epochs=1, cache=tmp_path / "cache", retrain=retrain
        )
        assert run.model().inputs[0].dtype == "uint8"


def test_unknown_options_of_both_stages_are_refused_before_any_work(base, few, backbone, tmp_path):
    with pytest.raises(TypeError, match=r"train_head\(\) has no option 'epoch'; did you mean 'epochs'"):
        transfer.train_head(backbone, few, tmp_path / "run", QUICK, cache=tmp_path / "cache", epoch=1)
    with pytest.raises(TypeError, match=r"train_head\(\) has no option 'copied'; did you mean 'copies'"):
        transfer.train_head(backbone, few, tmp_path / "run", QUICK, cache=tmp_path / "cache", copied=1)
    with pytest.raises(TypeError, match=r"fine_tune\(\) has no option 'layer'; did you mean 'layers'"):
        transfer.fine_tune(base, few, tmp_path / "run", layer=1)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("recipe", [replace(QUICK, mixup=0.2), "kit-small-taught"])
def test_what_needs_pictures_is_refused_before_any_work(few, backbone, tmp_path, recipe):
    for options in ({"recipe": recipe}, {"recipe": QUICK, "teacher": "kit-small"}):
        with pytest.raises(
            ValueError, match="a head learns from features; mixup and a teacher need pictures"
        ):
            transfer.train_head(backbone, few, tmp_path / "run", cache=tmp_path / "cache", **options)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kill", ["before", "between"])
def test_a_kill_before_the_whole_model_is_saved_is_made_good(few, backbone, tmp_path, kill, monkeypatch):
    def killed(*args):
        raise KeyboardInterrupt

    arguments = (backbone, few, tmp_path / "run", QUICK)
    monkeypatch.setattr(transfer, "load_model" if kill == "between" else "_complete", killed)
    with pytest.raises(KeyboardInterrupt):
        transfer.train_head(*arguments, epochs=1, cache=tmp_path)
    monkeypatch.undo()
    run = transfer.train_head(*arguments, epochs=1, cache=tmp_path)
    assert run.model().inputs[0].dtype == "uint8"
    np.testing.assert_allclose(evaluate(run, few).predictions, run.predictions["probabilities"], atol=1e-4)


def test_augmented_copies_are_learnt_from_and_selected_without(few, backbone, tmp_path):
    generators = states()
    run = transfer.train_head(backbone, few, tmp_path / "run", QUICK, copies=2, epochs=1, cache=tmp_path)
    assert states() == generators
    assert run.provenance["trained_on"]["faces"] == 3 * 130
    assert len(run.predictions["labels"]) == 40 and run.config["variant"]["copies"] == 2


def test_a_report_may_select_on_a_part_of_the_training_faces(few, backbone, tmp_path):
    rest, held = few.training.split(0.2)
    run = transfer.train_head(
        backbone, rest, tmp_path / "run", QUICK, validation=held, epochs=1, cache=tmp_path
    )
    assert run.provenance["selected_on"] == "validation"
    assert len(run.predictions["labels"]) == len(held)


def test_fine_tuning_moves_the_top_layers_and_no_statistics(base, few, tmp_path):
    generators = states()
    tuned = transfer.fine_tune(base, few, tmp_path / "tuned", 10, QUICK, epochs=1)
    assert states() == generators
    before, after = (run.model().get_layer("backbone") for run in (base, tuned))
    changed = [
        any(not np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights(), strict=True))
        for one, other in zip(before.layers, after.layers, strict=True)
    ]
    assert not any(changed[:-10]) and any(changed[-10:])
    for one, other in zip(before.layers, after.layers, strict=True):
        if isinstance(one, keras.layers.BatchNormalization):
            assert np.array_equal(one.moving_mean, other.moving_mean)
            assert np.array_equal(one.moving_variance, other.moving_variance)
    about = tuned.config["variant"]
    assert (about["layers"], about["dropout"], about["weights"]) == (10, 0.6, RANDOM)
    assert about["fingerprint"] == base.config["variant"]["fingerprint"] and about["alpha"] == 0.25
    kinds = [type(layer).__name__ for layer in tuned.model().layers]
    assert "RandomFlip" in kinds and "RandomBrightness" in kinds


def test_batch_normalisation_learns_with_the_top_layers_when_asked_to(base, few, tmp_path):
    tuned = transfer.fine_tune(base, few, tmp_path / "tuned", 10, QUICK, epochs=1, normalisation=True)
    before, after = (run.model().get_layer("backbone").layers for run in (base, tuned))
    pairs = list(zip(before, after, strict=True))
    changed = [
        not np.array_equal(old.get_weights(), new.get_weights())
        for old, new in pairs
        if isinstance(old, keras.layers.BatchNormalization)
    ]
    top = sum(isinstance(layer, keras.layers.BatchNormalization) for layer in before[-10:])
    assert changed == [False] * (len(changed) - top) + [True] * top
    assert tuned.config["variant"]["normalisation"] == "learns"
    with pytest.raises(ValueError, match="another run: .*normalisation was learns, now not given"):
        transfer.fine_tune(base, few, tmp_path / "tuned", 10, QUICK, epochs=1)


def test_fine_tuning_begins_with_the_head_of_the_frozen_stage(base, few, tmp_path):
    still = replace(QUICK, learning_rate=1e-30)
    tuned = transfer.fine_tune(base.folder, few, tmp_path / "tuned", 10, still, epochs=1, augmentation=None)
    np.testing.assert_allclose(evaluate(tuned, few).predictions, evaluate(base, few).predictions, atol=1e-5)


def test_fine_tuning_goes_on_from_finished_runs_of_the_frozen_stage_alone(base, few, tmp_path):
    other = fit(tiny_model(), few, QUICK, tmp_path / "other", epochs=1)
    with pytest.raises(ValueError, match="has no frozen backbone; .*finished run of train_head"):
        transfer.fine_tune(other, few, tmp_path / "tuned")
    with pytest.raises(FileNotFoundError, match="no run record"):
        transfer.fine_tune(tmp_path / "nothing", few, tmp_path / "tuned")
    with pytest.raises(ValueError, match="layers=0 trains nothing"):
        transfer.fine_tune(base, few, tmp_path / "tuned", layers=0)
    unfinished = Run(tmp_path / "unfinished")
    unfinished.folder.mkdir()
    (unfinished.folder / "config.json").write_bytes((base.folder / "config.json").read_bytes())
    with pytest.raises(ValueError, match="has not finished"):
        transfer.fine_tune(unfinished, few, tmp_path / "tuned")


def tiny_model(emotions=7):
    faces = keras.Input((48, 48, 1), dtype="uint8")
    x = keras.layers.Flatten()(keras.layers.AveragePooling2D(8)(keras.layers.Rescaling(1 / 255)(faces)))
    return keras.Model(faces, keras.layers.Dense(emotions, activation="softmax")(x), name="tiny")


def test_a_vote_is_the_mean_of_the_runs(base, few, tmp_path):
    other = fit(tiny_model(), few, QUICK, tmp_path / "other", epochs=1)
    members = [evaluate(run, few) for run in (base, other)]
    scores = vote(members)
    np.testing.assert_allclose(scores.predictions, (members[0].predictions + members[1].predictions) / 2)
    assert scores.usage == "PublicTest" and scores.faces == 40
    six = fit(tiny_model(6), few.drop("disgust"), QUICK, tmp_path / "six", epochs=1)
    with pytest.raises(ValueError, match="not of the same faces"):
        vote([members[0], evaluate(six, few)])


CHILD = """
import sys
import keras
sys.path.insert(0, sys.argv[1])
from fer_kit.training import transfer
from fer_kit.data.faceset import FaceSet
from fer_kit.models.backbones import load_backbone
few = FaceSet.load(sys.argv[2])
backbone = load_backbone("MobileNet", 32, weights=None, precision="float32", alpha=0.25)
run = transfer.train_head(backbone, few, sys.argv[3] + "/run", epochs=1, cache=sys.argv[3])
assert keras.backend.backend() == "jax"
"""


def test_a_head_trained_on_jax_predicts_the_same_here(few, tmp_path):
    pytest.importorskip("jax")
    few.save(tmp_path / "faces.npz")
    command = [sys.executable, "-c", CHILD, str(Path(__file__).parents[1]), str(tmp_path / "faces.npz")]
    env = os.environ | {"KERAS_BACKEND": "jax"}
    done = subprocess.run(
        [*command, str(tmp_path)], env=env, capture_output=True, text=True, timeout=500, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    run = Run.open(tmp_path / "run")
    np.testing.assert_allclose(evaluate(run, few).predictions, run.predictions["probabilities"], atol=3e-4)
