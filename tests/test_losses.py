"""The losses of a recipe: known values, what they aim at, and records from before they could be named."""

import json
from dataclasses import replace

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_kit.data.sample.people import draw_sample
from fer_kit.runtime.files import CHECKSUM
from fer_kit.training import callbacks, loop
from fer_kit.training.losses import FOCAL_GAMMA, CrossEntropy, LogitAdjusted, frequencies, make_loss
from fer_kit.training.recipes import Recipe, differences

QUICK = Recipe("quick", "these tests", epochs=2, batch_size=64)
ONE_HOT = np.eye(3, dtype=np.float32)
GUESS = np.array([[0.7, 0.2, 0.1], [0.5, 0.4, 0.1], [0.9, 0.1, 0.0]], np.float32)


@pytest.fixture(scope="module")
def few():
    """100 faces to learn from and 30 to select on."""
    faces = draw_sample(700)
    return faces.training.sample(100).join(faces.public_test.sample(30))


def tiny():
    faces = keras.Input((48, 48, 1), dtype="uint8")
    x = keras.layers.Flatten()(keras.layers.AveragePooling2D(8)(keras.layers.Rescaling(1 / 255)(faces)))
    return keras.Model(faces, keras.layers.Dense(7, activation="softmax")(x), name="tiny")


def value(loss, targets, probabilities):
    return float(keras.ops.convert_to_numpy(loss(targets, probabilities)))


def test_focal_loss_is_lin_et_als(few):
    loss = make_loss(replace(QUICK, loss="focal"), few)
    right = np.array([0.7, 0.4])
    expected = (-((1 - right) ** FOCAL_GAMMA) * np.log(right)).mean()
    assert value(loss, ONE_HOT[:2], GUESS[:2]) == pytest.approx(expected, rel=1e-4)


def test_logit_adjustment_adds_the_log_frequencies_to_the_logits():
    frequency = np.array([0.6, 0.3, 0.1])
    logits = np.log(GUESS[:2]) + np.log(frequency)
    expected = np.mean(np.log(np.exp(logits).sum(1)) - logits[[0, 1], [0, 1]])
    assert value(LogitAdjusted(frequency), ONE_HOT[:2], GUESS[:2]) == pytest.approx(expected, rel=1e-5)


def test_with_equal_frequencies_it_is_crossentropy_with_its_smoothing(few):
    plain = make_loss(replace(QUICK, label_smoothing=0.1), few)
    adjusted = LogitAdjusted([1 / 3] * 3, label_smoothing=0.1)
    assert value(adjusted, ONE_HOT[:2], GUESS[:2]) == pytest.approx(value(plain, ONE_HOT[:2], GUESS[:2]))


def test_a_certain_mistake_costs_a_finite_loss():
    assert 20 < value(LogitAdjusted([0.4, 0.3, 0.3]), ONE_HOT[2:], GUESS[2:]) < 100


def test_crossentropy_is_keras_own_where_that_does_not_clip():
    theirs = keras.losses.CategoricalCrossentropy(label_smoothing=0.1)
    expected = value(theirs, ONE_HOT[:2], GUESS[:2])
    assert value(CrossEntropy(0.1), ONE_HOT[:2], GUESS[:2]) == pytest.approx(expected, rel=1e-5)


def test_a_certain_mistake_teaches():
    """On JAX, where it matters, in test_models."""
    sure = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2, activation="softmax")])
    sure.set_weights([np.array([[40.0, -40.0]]), np.zeros(2)])
    sure.compile(keras.optimizers.SGD(1.0), CrossEntropy())
    assert sure.train_on_batch(np.ones((1, 1)), ONE_HOT[1:2, :2]) == pytest.approx(80)
    np.testing.assert_allclose(sure.get_weights()[0], [[39, -39]], atol=1e-4)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.floats(0.05, 1), min_size=3, max_size=3))
def test_a_network_that_sees_nothing_learns_equal_probabilities(weights):
    """Cross-entropy would teach it the frequencies; the adjusted loss is least where all are alike."""
    frequency = np.array(weights) / sum(weights)
    loss = LogitAdjusted(frequency)

    def expected(answer):
        return sum(
            f * value(loss, row[None], np.array([answer])) for f, row in zip(frequency, ONE_HOT, strict=True)
        )

    alike = expected([1 / 3] * 3)
    assert alike <= expected([0.5, 0.25, 0.25]) + 1e-5 and alike <= expected(frequency) + 1e-5


def test_frequencies_are_shares_and_an_emotion_without_faces_is_named(few):
    assert frequencies(few).sum() == pytest.approx(1)
    np.testing.assert_allclose(frequencies(few), np.bincount(few.labels) / len(few))
    with pytest.raises(ValueError, match="no fear face"):
        make_loss(replace(QUICK, loss="logit-adjusted"), few[few.labels != 2])


def test_keras_can_save_the_loss_and_an_unknown_one_is_refused():
    loss = LogitAdjusted([0.75, 0.25], 0.1)
    again = LogitAdjusted.from_config(json.loads(json.dumps(loss.get_config())))
    assert value(again, ONE_HOT[:1, :2], GUESS[:1, :2]) == value(loss, ONE_HOT[:1, :2], GUESS[:1, :2])
    with pytest.raises(ValueError, match="loss is 'hinge'; choose from"):
        replace(QUICK, loss="hinge")


def test_a_run_from_before_the_field_goes_on_and_another_loss_is_another_run(few, tmp_path, monkeypatch):
    whole = callbacks.Watch.on_epoch_begin

    def interrupted(watch, epoch, logs=None):
        if epoch == 1:
            raise KeyboardInterrupt
        whole(watch, epoch, logs)

    with monkeypatch.context() as patch:
        patch.setattr(callbacks.Watch, "on_epoch_begin", interrupted)
        assert not loop.fit(tiny(), few, QUICK, tmp_path).finished
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["recipe"].pop("loss") == "crossentropy"
    assert config.pop(CHECKSUM)  # runs of that time had none
    (tmp_path / "config.json").write_text(json.dumps(config))
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    plain = {name: value for name, value in metrics.items() if name not in (CHECKSUM, "files")}
    (tmp_path / "metrics.json").write_text(json.dumps(plain))
    with pytest.raises(ValueError, match="recipe loss was crossentropy, now focal"):
        loop.fit(tiny(), few, replace(QUICK, loss="focal"), tmp_path)
    run = loop.fit(tiny(), few, QUICK, tmp_path)
    assert run.finished and len(run.history) == 2


def test_a_field_that_only_one_config_has_counts_as_its_default():
    assert differences({"recipe": {"name": "a"}}, {"recipe": {"name": "a", "mixup": 0.0}}) == []
    assert differences({"recipe": {"mixup": 0.2}}, {"recipe": {}}) == ["recipe mixup was 0.2, now 0.0"]
