"""The built-in sample: its counts, its defects, the same faces for the same seed, and what the faces show."""

import numpy as np
import pytest

from fer_kit.data.emotions import EMOTIONS, OFFICIAL_COUNTS
from fer_kit.data.loading import load_faces
from fer_kit.data.sample.expressions import ACTION_UNITS, PROTOTYPES
from fer_kit.data.sample.people import (
    CONFUSED_WITH,
    describe_sample,
    draw_hair_sample,
    draw_people,
    draw_sample,
    true_labels,
)
from fer_kit.data.sample.votes import draw_votes


@pytest.fixture(scope="module")
def tenth():
    """A sample of a tenth of FER-2013's size, and what its faces really show."""
    return draw_sample(3589), true_labels(3589)


def test_it_has_the_asked_number_of_grey_faces(faces):
    assert faces.images.shape == (700, 48, 48)
    assert faces.images.dtype == np.uint8
    assert faces.source == "built-in sample"
    assert faces.files[17] == "sample/Training_00017"


@pytest.mark.parametrize("count", [21, 22, 100, 1000])
def test_every_emotion_is_in_every_usage(count):
    sample = draw_sample(count)
    assert len(sample) == count
    assert (sample.counts().to_numpy() >= 1).all()


def test_proportions_are_those_of_fer_2013(tenth):
    counts = tenth[0].counts()
    official = np.array(list(OFFICIAL_COUNTS.values())).T
    assert np.abs(counts.to_numpy() - official / 10).max() < 1.5


@pytest.mark.parametrize("count", [-3, 0, 1.5, 30.5, "30", None])
def test_only_whole_numbers_of_faces_are_drawn(count):
    for draw, least in ((draw_sample, 21), (draw_hair_sample, 1), (lambda n: draw_people("happy", n), 1)):
        with pytest.raises(ValueError, match=f"cannot draw {count!r} .* from {least}"):
            draw(count)
    with pytest.raises(ValueError, match="cannot draw 20 faces; give a whole number from 21"):
        draw_sample(20)
    assert len(draw_people("happy", np.int64(2))) == 2 and len(draw_hair_sample(1)) == 1


def test_a_seed_stands_for_the_same_faces_whatever_numpy_s_global_state(faces):
    np.random.seed(1)
    assert draw_sample(700).fingerprint == faces.fingerprint
    assert draw_sample(700, seed=1).fingerprint != faces.fingerprint


def test_some_labels_are_wrong_and_known(tenth):
    sample, truth = tenth
    seen = truth >= 0
    wrong = seen & (truth != sample.labels)
    assert 0.025 < wrong.mean() < 0.06


def test_blank_images_are_the_constant_ones(tenth):
    sample, truth = tenth
    constant = sample.images.reshape(len(sample), -1).std(axis=1) == 0
    assert constant.sum() >= 3
    np.testing.assert_array_equal(constant, truth < 0)


def test_copies_twins_and_conflicts_are_there_to_be_found(tenth):
    training, private = tenth[0].training, tenth[0].private_test
    _, group = np.unique(training.digests, return_inverse=True)
    labels = [set(training.labels[group == g]) for g in np.flatnonzero(np.bincount(group) > 1)]
    assert len(labels) > 30
    assert sum(len(found) > 1 for found in labels) >= 3
    assert 10 <= private.has_twin_in(training).sum() <= 60


def test_copies_show_the_same_emotion(faces):
    truth = true_labels(700)
    for digest in np.unique(faces.digests):
        assert len(set(truth[faces.digests == digest])) == 1


def test_even_a_small_sample_has_each_defect(faces):
    training = faces.training
    assert (true_labels(700) < 0).any()
    assert training.has_twin_in(faces.private_test.join(faces.public_test)).any()
    assert len(set(training.digests)) < len(training)


def test_faces_are_neither_black_nor_white_and_differ(tenth):
    seen = tenth[0].images[tenth[1] >= 0].astype(float)
    assert 90 < seen.mean() < 160
    assert np.median(seen.std(axis=(1, 2))) > 35
    assert seen.std(axis=0).min() > 15


def test_one_person_shows_each_emotion_in_another_way():
    shown = {e: draw_people(e, seed=3)[0].astype(float) for e in EMOTIONS}
    for emotion in EMOTIONS[:-1]:
        change = np.abs(shown[emotion] - shown["neutral"])
        assert change.max() > 40
        assert (change[:4] < 20).mean() > 0.9  # the hair above stays as it is


def test_intensity_goes_from_neutral_to_strong():
    neutral = draw_people("neutral", seed=2)[0].astype(float)
    changes = [np.abs(draw_people("happy", seed=2, intensity=i)[0] - neutral).mean() for i in (0, 0.5, 1)]
    assert changes[0] == 0
    assert changes[0] < changes[1] < changes[2]


def test_unknown_emotion_is_named():
    with pytest.raises(ValueError, match="contempt"):
        draw_people("contempt")
    with pytest.raises(ValueError, match="no action unit 3; they have .1, 2, 4"):
        draw_people({1: 1, 3: 1})


@pytest.mark.parametrize(
    ("name", "low", "high", "place"), [("skin", 0.35, 0.95, np.s_[20:30]), ("age", 0, 1, np.s_[8:40])]
)
def test_people_can_be_changed_in_one_thing(name, low, high, place):
    """They stay who they are: more like themselves than like anybody else."""
    usual = draw_people({}, 6, seed=5).astype(float)
    one, other = (draw_people({}, 6, seed=5, alike={name: value}).astype(float) for value in (low, high))
    assert np.abs(one - other)[:, place].mean() > 0.8
    assert [np.abs(usual - changed).mean((1, 2)).argmin() for changed in one] == list(range(6))
    assert np.array_equal(usual, draw_people({}, 6, seed=5, alike={}))


def test_darker_skin_is_darker_and_a_tilt_tilts():
    light, dark = (draw_people({}, 8, seed=5, alike={"skin": tone})[:, 20:30] for tone in (0.95, 0.35))
    assert dark.mean() < light.mean() - 10
    level, tilted = (draw_people({}, 1, seed=5, alike={"roll": angle})[0] for angle in (0, 0.35))
    assert np.abs(level[10:38, 10:38].astype(float) - tilted[10:38, 10:38]).mean() > 10


@pytest.mark.parametrize("name", ["skins", "roll_", "cos", "au12"])
def test_an_unknown_property_is_named(name):
    with pytest.raises(ValueError, match=name):
        draw_people("happy", alike={name: 1})


def test_people_show_the_units_that_are_asked_for():
    still, smiling = draw_people({}, 8, seed=5), draw_people({6: 0.8, 12: 1, 25: 0.9}, 8, seed=5)
    assert np.array_equal(smiling, draw_people("happy", 8, seed=5)) and smiling.shape == (8, 48, 48)
    change = np.abs(smiling.astype(float) - still).mean(0)
    assert change[28:40].mean() > 5 * change[:8].mean()  # the mouth moves and the hair does not
    assert len(np.unique(still.reshape(8, -1), axis=0)) == 8


def test_tables_speak_of_known_emotions_and_units():
    assert set(PROTOTYPES) == set(CONFUSED_WITH) == set(EMOTIONS)
    assert {unit for ways in PROTOTYPES.values() for way in ways for unit in way} <= set(ACTION_UNITS)
    assert all(name not in others for name, others in CONFUSED_WITH.items())


def test_the_expressions_can_be_told_apart(tenth):
    """Even a linear model of coarse pixels beats always saying happy (25 %); a CNN does far better."""
    sample, _ = tenth
    coarse = sample.images.reshape(-1, 16, 3, 16, 3).mean(axis=(2, 4)).reshape(len(sample), -1) / 128 - 1
    train, test = sample.usage == "Training", sample.usage != "Training"
    x, y = coarse[train], np.eye(len(EMOTIONS))[sample.labels[train]]
    weights = np.linalg.solve(x.T @ x + 10 * np.eye(x.shape[1]), x.T @ y)
    assert ((coarse[test] @ weights).argmax(axis=1) == sample.labels[test]).mean() > 0.35


# ---- simulated votes ----


def test_votes_are_those_of_the_drawn_faces(tenth, tmp_path):
    sample, truth = tenth
    table = draw_votes()
    counts = table.drop(columns=["Usage", "Image name"])
    assert (counts.sum(axis=1) == 10).all() and (counts.NF[truth < 0] == 10).all()
    assert table.equals(draw_votes()) and not table.equals(draw_votes(seed=1))
    table.to_csv(tmp_path / "votes.csv", index=False)
    voted = load_faces("sample", votes=tmp_path / "votes.csv", soft=True)
    rows = np.flatnonzero(np.isin(sample.files, voted.files))
    assert np.array_equal(sample.images[rows], voted.images) and len(rows) > 3400
    assert (voted.labels == truth[rows]).mean() > 0.95
    assert 0.8 < voted.targets.max(axis=1).mean() < 0.9


def test_faint_and_mixed_expressions_divide_the_voters():
    table = draw_votes()
    shares = np.sort(table.drop(columns=["Usage", "Image name"]).to_numpy(), axis=1)[:, -1]
    units = describe_sample()[2]
    strongest = np.nan_to_num(units).max(axis=1)
    shown = (strongest > 0.3) & (true_labels() >= 0)
    assert shares[shown & (strongest < 0.6)].mean() < shares[shown & (strongest > 0.9)].mean() - 1
