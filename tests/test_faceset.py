"""The dataset object: selection, splits, fingerprints, saving."""

import errno
import os
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_kit.data.emotions import EMOTIONS, OFFICIAL_COUNTS
from fer_kit.data.faceset import FaceSet, Note


def random_faces(count, seed=0, usage="Training"):
    rng = np.random.default_rng(seed)
    return FaceSet(rng.integers(0, 256, (count, 48, 48), np.uint8), rng.integers(0, 7, count), usage)


def labelled(counts):
    labels = np.repeat(np.arange(7), counts)
    return FaceSet(np.zeros((len(labels), 48, 48), np.uint8), labels, "Training")


def test_murphy_split_on_the_official_counts():
    rest, held = labelled(OFFICIAL_COUNTS["Training"]).split()
    assert (len(rest), len(held)) == (22965, 5744)
    assert rest.counts()["Training"]["disgust"] == 348


@settings(deadline=None, max_examples=30)
@given(
    counts=st.lists(st.integers(0, 30), min_size=7, max_size=7),
    fraction=st.floats(0.05, 0.95),
    seed=st.integers(0, 9),
)
def test_split_loses_nothing_and_rounds_up(counts, fraction, seed):
    faces = labelled(counts)
    rest, held = faces.split(fraction, seed)
    assert sorted([*rest.files, *held.files]) == sorted(faces.files)
    for k, count in enumerate(counts):
        assert (held.labels == k).sum() == np.ceil(round(fraction * count, 6))


def test_fingerprint_ignores_order_and_notices_everything_else():
    faces = random_faces(20)
    assert faces[np.arange(20)[::-1]].fingerprint == faces.fingerprint
    pixel = faces.images.copy()
    pixel[3, 4, 5] ^= 1
    labels = faces.labels.copy()
    labels[0] = (labels[0] + 1) % 7
    for changed in (
        FaceSet(pixel, faces.labels, "Training"),
        FaceSet(faces.images, labels, "Training"),
        FaceSet(faces.images, faces.labels, "PublicTest"),
        faces[:-1],
    ):
        assert changed.fingerprint != faces.fingerprint


def test_drop_recodes_the_labels():
    faces = random_faces(200)
    six = faces.drop("disgust")
    assert six.names == tuple(e for e in EMOTIONS if e != "disgust")
    kept = faces[faces.labels != 1]
    assert [six.names[k] for k in six.labels] == [faces.names[k] for k in kept.labels]
    assert np.array_equal(six.images, kept.images)


def test_dropping_too_much_or_what_is_not_there():
    faces = random_faces(200)
    with pytest.raises(ValueError, match="no emotion 'contempt' here"):
        faces.drop("contempt")
    for name in EMOTIONS[:5]:
        faces = faces.drop(name)
    with pytest.raises(ValueError, match="only surprise, neutral are left"):
        faces.drop("surprise")


def test_twins():
    faces = random_faces(10)
    assert faces.has_twin_in(faces[:3]).tolist() == [True] * 3 + [False] * 7
    assert not faces.has_twin_in(faces[:0]).any()


@given(
    st.lists(st.integers(0, 200), min_size=7, max_size=7).filter(any), st.integers(1, 60), st.integers(0, 9)
)
def test_a_draw_per_usage_has_every_emotion_where_there_is_room(counts, count, seed):
    faces = labelled(counts)
    drawn = faces.per_usage(count, seed)
    assert len(drawn) == min(count, len(faces)) == len(set(drawn.files))
    known, chance = set(faces.labels), faces.sample(count, seed)
    if count >= len(known):
        assert set(drawn.labels) == known
    if set(chance.labels) == known:
        assert np.array_equal(drawn.files, chance.files)


def test_drawing_per_emotion_per_usage_and_from_all():
    faces = labelled([5, 50, 50, 50, 50, 50, 2])
    assert faces.per_emotion(10).counts()["Training"].tolist() == [5, 10, 10, 10, 10, 10, 2]
    assert len(faces.sample(30)) == 30
    assert len(faces.sample(10_000)) == len(faces)
    public = random_faces(20, usage="PublicTest")
    both = faces.join(replace(public, files=np.array([f"public {i}" for i in range(20)])))
    assert both.per_usage(15).counts().sum().tolist() == [15, 15, 0]
    assert both.per_usage(None) is both
    drawn = both.sample(40, seed=3)
    assert np.array_equal(drawn.files, both.sample(40, seed=3).files)
    assert len(set(drawn.files)) == 40


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros((2, 48, 48), np.float32), [0, 0], "Training"), "images must be uint8"),
        ((np.zeros((2, 64, 64), np.uint8), [0, 0], "Training"), r"\(2, 64, 64\)"),
        ((np.zeros((2, 48, 48), np.uint8), [0, 7], "Training"), "face 1 has label 7; labels go from 0 to 6"),
        ((np.zeros((2, 48, 48), np.uint8), [0], "Training"), "labels has 1 entries for 2 images"),
        ((np.zeros((2, 48, 48), np.uint8), [0, 1.7], "Training"), "labels must be whole numbers, not 1.7"),
        ((np.zeros((2, 48, 48), np.uint8), [0, np.nan], "Training"), "labels must be whole numbers, not nan"),
        ((np.zeros((2, 48, 48), np.uint8), [np.inf, 0], "Training"), "labels must be whole numbers, not inf"),
        ((np.zeros((2, 48, 48), np.uint8), pd.Series([0, 0.5], dtype=object), "Training"), "not 0.5"),
        ((np.zeros((2, 48, 48), np.uint8), np.eye(7)[:2], "Training"), r"of shape \(2, 7\)"),
        ((np.zeros((2, 48, 48), np.uint8), [[0], [1]], "Training"), r"of shape \(2, 1\)"),
    ],
)
def test_what_does_not_fit_together_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        FaceSet(*arguments)


def test_an_absent_part_is_named():
    with pytest.raises(ValueError, match="memory has no PublicTest faces|has no PublicTest faces"):
        _ = random_faces(3).public_test
    with pytest.raises(ValueError, match="no usage 'test'; there are Training, PublicTest, PrivateTest"):
        random_faces(3).part("test")


@pytest.mark.parametrize(
    "files", [["a", "b"], ("a", "b"), np.array(["a", "b"], object), pd.Series(["a", "b"])]
)
def test_files_may_be_any_names(tmp_path, files):
    faces = FaceSet(np.zeros((2, 48, 48), np.uint8), np.array([0.0, 1.0]), "Training", files=files)
    faces.save(tmp_path / "faces.npz")
    assert FaceSet.load(tmp_path / "faces.npz").files.tolist() == ["a", "b"]
    assert faces[np.array([False, True])].files.tolist() == ["b"]


def test_save_and_load(tmp_path):
    faces = random_faces(12)
    faces.save(tmp_path / "deep" / "faces.npz")
    again = FaceSet.load(tmp_path / "deep" / "faces.npz")
    assert again.fingerprint == faces.fingerprint
    assert again.names == faces.names
    assert list((tmp_path / "deep").iterdir()) == [tmp_path / "deep" / "faces.npz"]


def test_notes_keep_their_kinds_and_older_files_their_texts(tmp_path):
    faces = random_faces(3)
    noted = replace(faces, notes=(Note("left out", "2 files left out"), "a word of one's own"))
    assert [str(note) for note in noted.notes] == ["2 files left out", "a word of one's own"]
    noted.save(tmp_path / "new.npz")
    assert FaceSet.load(tmp_path / "new.npz").notes == noted.notes
    fields = dict(np.load(tmp_path / "new.npz")) | {"notes": np.array(["2 files left out"])}
    np.savez(tmp_path / "old.npz", **fields)
    assert FaceSet.load(tmp_path / "old.npz").notes == (Note("about", "2 files left out"),)


def test_a_full_disk_leaves_the_old_file_and_no_rest(tmp_path, monkeypatch):
    faces = random_faces(12)
    faces.save(tmp_path / "faces.npz")

    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="No space left"):
        random_faces(5).save(tmp_path / "faces.npz", overwrite=True)
    assert list(tmp_path.iterdir()) == [tmp_path / "faces.npz"]
    assert FaceSet.load(tmp_path / "faces.npz").fingerprint == faces.fingerprint


def test_loading_something_else(tmp_path):
    (tmp_path / "faces.npz").write_text("no archive")
    with pytest.raises(ValueError, match="faces.npz is not a FaceSet file"):
        FaceSet.load(tmp_path / "faces.npz")


def test_tf_data_batches_hold_every_face_once():
    faces = random_faces(50)
    batches = list(faces.to_tf_data(batch_size=16).as_numpy_iterator())
    assert [len(y) for _, y in batches] == [16, 16, 16, 2]
    assert batches[0][0].shape == (16, 48, 48, 1)
    assert batches[0][0].dtype == np.uint8
    assert sorted(np.concatenate([x for x, _ in batches]).sum(axis=(1, 2, 3))) == sorted(
        faces.images.sum(axis=(1, 2))
    )
    ordered = np.concatenate([y for _, y in faces.to_tf_data(16, shuffle=False).as_numpy_iterator()])
    assert np.array_equal(ordered, faces.labels)


@pytest.mark.parametrize("usage", ["train", "PrivateTesting", "", ["Training", "Test"]])
def test_only_the_three_usages_are_taken(usage):
    with pytest.raises(ValueError, match=r"no usage '.*'; there are Training, PublicTest, PrivateTest"):
        FaceSet(np.zeros((2, 48, 48), np.uint8), np.zeros(2, int), usage)
