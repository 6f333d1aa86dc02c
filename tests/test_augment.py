"""Augmentation changes a face within the reports' limits, repeatably, and in training alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

from fer_kit.data.augment import (
    augment_disgust,
    augment_face,
    augmentation_layers,
    class_weights,
    rotate,
    zoom,
)

STRENGTHS = ("hejslet", "murphy", "light", "strong")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("augment", [augment_face, augment_disgust])
def test_a_seed_repeats_and_the_face_stays_untouched(faces, augment):
    face = faces.images[0]
    before = face.copy()
    first, again, other = (augment(face, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert (face == before).all()
    assert first.shape == (48, 48)
    assert first.dtype == np.uint8
    assert (first == again).all()
    assert (first != other).any()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(8, 96), st.sampled_from([augment_face, augment_disgust]))
def test_any_size_and_any_pixels_stay_in_range(seed, size, augment):
    rng = np.random.default_rng(seed)
    face = rng.integers(0, 256, (size, size), dtype=np.uint8)
    out = augment(face, rng)
    assert out.shape == face.shape
    assert out.dtype == np.uint8


@pytest.mark.parametrize("augment", [augment_face, augment_disgust])
@pytest.mark.parametrize("wrong", [np.zeros((48, 48, 1), np.uint8), np.zeros((48, 48), np.float32)])
def test_another_shape_or_dtype_is_refused(augment, wrong, rng):
    with pytest.raises(ValueError, match="a face is uint8"):
        augment(wrong, rng)


def test_brightness_contrast_and_noise_keep_to_hejslets_limits(rng):
    grey = np.full((48, 48), 100, np.uint8)
    out = np.array([augment_face(grey, rng) for _ in range(400)]).reshape(400, -1)
    means, spreads = out.mean(1), out.std(1)
    assert 80 < means.min() < 90
    assert 110 < means.max() < 120  # 100 x 0.9..1.1 -8..+8
    noisy = spreads > 1
    assert 0.22 < noisy.mean() < 0.38  # three faces in ten
    assert spreads[noisy].mean() == pytest.approx(3, abs=0.2)
    assert spreads[~noisy].max() == 0


def test_half_the_faces_are_mirrored(rng):
    face = np.repeat(np.linspace(40, 200, 48), 48).reshape(48, 48).T.astype(np.uint8)  # dark to light
    for augment in (augment_face, augment_disgust):
        out = np.array([augment(face, rng) for _ in range(300)]).astype(float)
        mirrored = out[:, :, :12].mean((1, 2)) > out[:, :, -12:].mean((1, 2))
        assert 0.4 < mirrored.mean() < 0.6


def test_rotation_and_zoom_keep_the_middle_and_fill_the_corners():
    face = np.full((48, 48), 90, np.uint8)
    assert (rotate(face, 15) == 90).all()
    for factor in (0.95, 1.0, 1.08):
        assert (zoom(face, factor) == 90).all()
    face[20:28, 20:28] = 250
    assert (rotate(face, 90) == face).mean() > 0.98
    assert [int((zoom(face, f) > 170).sum()) for f in (0.75, 1.0, 1.5)] == [36, 64, 144]


@pytest.mark.parametrize("strength", STRENGTHS)
def test_layers_act_in_training_alone(faces, strength):
    import keras

    model = keras.Sequential([keras.Input((48, 48, 1)), *augmentation_layers(strength, seed=1)])
    x = faces.x[:16].astype("float32")
    trained = np.asarray(model(x, training=True))
    assert (np.asarray(model(x, training=False)) == x).all()
    assert (np.asarray(model.predict(x, verbose=0)) == x).all()
    assert np.abs(trained - x).mean() > 5
    assert trained.min() > -0.01
    assert trained.max() < 255.01
    same = keras.Sequential([keras.Input((48, 48, 1)), *augmentation_layers(strength, seed=1)])
    assert np.allclose(trained, np.asarray(same(x, training=True)))


@pytest.mark.parametrize("strength", STRENGTHS)
def test_layers_survive_saving_and_mixed_precision(faces, strength, tmp_path):
    import keras

    x = faces.x[:8].astype("float32")
    outputs = []
    for policy in ("float32", "mixed_bfloat16"):
        keras.mixed_precision.set_global_policy(policy)
        try:
            model = keras.Sequential([keras.Input((48, 48, 1)), *augmentation_layers(strength, seed=5)])
        finally:
            keras.mixed_precision.set_global_policy("float32")
        model.save(tmp_path / "model.keras")
        again = keras.saving.load_model(tmp_path / "model.keras")
        assert (np.asarray(again(x, training=False)) == x).all()
        outputs.append(np.asarray(model(x, training=True)))
    assert np.allclose(*outputs)


def test_keras_zooms_the_same_way_as_hejslet(rng):
    zooming = next(
        layer for layer in augmentation_layers("hejslet", seed=0) if "Zoom" in type(layer).__name__
    )
    square = np.zeros((200, 48, 48, 1), np.float32)
    square[:, 12:36, 12:36] = 1
    areas = np.asarray(zooming(square, training=True)).sum((1, 2, 3)) / 24**2
    assert areas.min() == pytest.approx(0.95**2, abs=0.03)
    assert areas.max() == pytest.approx(1.08**2, abs=0.03)


@pytest.mark.parametrize(
    ("strength", "kind", "limits"),
    [
        ("hejslet", "RandomContrast", (0.9, 1.1)),
        ("hejslet", "RandomBrightness", (-8, 8)),
        ("strong", "RandomContrast", (1, 1.2)),
    ],
)
def test_keras_changes_light_and_contrast_within_these_limits(strength, kind, limits):
    (layer,) = (layer for layer in augmentation_layers(strength, seed=0) if type(layer).__name__ == kind)
    halves = np.full((500, 48, 48, 1), 80, np.float32)
    halves[:, 24:] = 120
    changed = np.asarray(layer(halves, training=True))
    values = np.ptp(changed, axis=(1, 2, 3)) / 40 if kind == "RandomContrast" else changed - halves
    assert [values.min(), values.max()] == pytest.approx(limits, abs=(limits[1] - limits[0]) / 40)


def test_an_unknown_strength_names_those_there_are():
    with pytest.raises(ValueError, match="hejslet, murphy, light, strong"):
        augmentation_layers("loud")


def test_class_weights_are_scikit_learns(faces):
    weights = class_weights(faces)
    expected = compute_class_weight("balanced", classes=np.arange(7), y=faces.labels)
    assert list(weights) == list(range(7))
    assert np.allclose(list(weights.values()), expected)
    assert np.mean([weights[label] for label in faces.labels]) == pytest.approx(1)


def test_an_emotion_without_a_face_cannot_be_weighed(faces):
    with pytest.raises(ValueError, match="no disgust face"):
        class_weights(faces[faces.labels != 1])
