"""What opens a gap between validation and test: the same faces on both sides, mistakes at test time."""

import keras
import numpy as np
import pytest

from fer_kit.data.balancing import originals
from fer_kit.data.emotions import EMOTIONS
from fer_kit.data.faceset import FaceSet
from fer_kit.plots import studies
from fer_kit.studies import gap
from fer_kit.training.recipes import Recipe

STILL = Recipe("still", "these tests", learning_rate=1e-30, epochs=1, schedule="plateau", early_stopping=3)
"""Trains, and changes nothing."""


def flat_faces(count, usage, seed):
    """Faces whose grey level gives their label away: 30 times the label, with a little noise."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 7
    images = (30 * labels[:, None, None] + 20 + rng.integers(0, 8, (count, 48, 48))).astype(np.uint8)
    return FaceSet(images, labels, usage, source="flat")


def reader(emotions):
    """A network that reads the label off the grey level, and so is always right on flat faces."""
    faces = keras.Input((48, 48, 1), dtype="uint8")
    grey = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1.0)(faces))
    dense = keras.layers.Dense(emotions, activation="softmax")
    model = keras.Model(faces, dense(grey), name="reader")
    levels = 30 * np.arange(emotions) + 23.5
    dense.set_weights([2 * levels[None] / 100, -(levels**2) / 100])
    return model


@pytest.fixture(scope="module")
def flat():
    return flat_faces(70, "Training", 0).join(flat_faces(70, "PublicTest", 1))


def test_copies_lie_on_both_sides_only_when_they_are_made_before_the_split(flat):
    learnt, held_out = gap.split_then_augment(flat.training, times=3)
    assert (len(learnt), len(held_out)) == (3 * 56, 14)
    assert not gap.seen_before(learnt, held_out).any()
    learnt, held_out = gap.augment_then_split(flat.training, times=5)
    assert (len(learnt), len(held_out)) == (4 * 70, 70)
    assert gap.seen_before(learnt, held_out).mean() > 0.9


def test_an_emotion_with_a_single_face_lies_on_one_side_alone(flat):
    rare = flat.training[np.flatnonzero(flat.training.labels != 1)].join(flat.training[[1]])
    learnt, held_out = gap.split_then_augment(rare, times=3)
    assert sum(1 in side.labels for side in (learnt, held_out)) == 1
    assert sum(np.sum(side.labels == 1) for side in gap.augment_then_split(rare, times=3)) == 3


def test_copies_count_for_as_many_faces_as_their_mean_varies(flat):
    assert gap.independent_faces(flat.training) == pytest.approx(len(flat.training))
    _, held = gap.augment_then_split(flat.training, 6, 0)
    rng = np.random.default_rng(0)
    _, face = np.unique(originals(held), return_inverse=True)
    right = rng.random((20_000, face.max() + 1)) < 0.6  # copies of a face are right or wrong together
    spread = right[:, face].mean(axis=1).var()
    assert gap.independent_faces(held) == pytest.approx(0.6 * 0.4 / spread, rel=0.05)


def test_a_pixel_identical_twin_counts_as_seen(flat):
    learnt, held_out = flat.training.split()
    twin = held_out[:1].join(held_out[1:])
    assert gap.seen_before(learnt.join(twin[:1]), held_out).tolist() == [True] + [False] * 13


def test_pixels_beyond_255_reach_the_network():
    model, pixels = reader(7), np.full((1, 48, 48, 1), 53.5, np.float32)
    network = gap.takes_floats(model)
    assert network.predict(pixels, verbose=0).argmax() == 1
    assert network.predict(pixels * 255, verbose=0).argmax() == 6  # as a uint8 it would be 74: a dark grey
    np.testing.assert_allclose(
        network.predict(np.float32([[[[53]]]]).repeat(48, 1).repeat(48, 2), verbose=0),
        model.predict(np.full((1, 48, 48, 1), 53, np.uint8), verbose=0),
        atol=1e-6,
    )


def test_a_folder_sorts_neutral_before_sad():
    faces = flat_faces(7, "PublicTest", 0)
    listed = gap.in_folder_order(faces).labels.tolist()
    assert [EMOTIONS[k] for k in listed[4:]] == ["surprise", "neutral", "sad"]
    assert listed[:4] == [0, 1, 2, 3]
    six = faces.drop("disgust")
    assert gap.in_folder_order(six).labels.tolist() == [0, 1, 2, 4, 5, 3]


def test_the_causes_of_a_perfect_network(flat, tmp_path):
    table = gap.study_gap(reader, flat, STILL, tmp_path, times=6)
    honest = table.loc["honest: split, then augment"]
    assert (honest.validation, honest.test, honest.gap, honest.seen) == (1, 1, 0, 0)
    assert table.gap["the last epoch is tested"] == 0
    assert table.gap["test labels in a folder's order"] == pytest.approx(3 / 7)
    assert table.test["test pixels divided by 255 twice"] == pytest.approx(1 / 7)
    assert table.test["test pixels not divided by 255"] == pytest.approx(1 / 7)
    assert (table.gap > 0.3).sum() == 5
    assert table.seen["augment, then split"] > 0.6
    np.testing.assert_allclose(table.gap, table.validation - table.test)
    titles = studies.gap_bars(table, gap.REPORTED_GAP).axes[0]
    assert "(19.3 points to explain)" in titles.get_title("left") + titles.get_title("center")
