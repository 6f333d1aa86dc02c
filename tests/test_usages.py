"""A dataset that lacks a usage: FER-2013's faces get theirs back, others hold out a part of Training."""

import json
import zipfile

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_kit.data.emotions import EMOTIONS, USAGES
from fer_kit.data.faceset import FaceSet
from fer_kit.data.fetch import FINGERPRINT
from fer_kit.data.files.reading import read_dataset
from fer_kit.data.files.votes import with_votes
from fer_kit.data.loading import load_faces
from fer_kit.data.usages import give_back, hold_out
from fer_kit.models import load_pretrained
from fer_kit.tools.cli import main
from fer_kit.training.batches import one_hot


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FER_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def original(real_archive):
    return load_faces(real_archive, cache=False)


def with_usage(faces, usage):
    return FaceSet(faces.images, faces.labels, usage, faces.names, source="copy")


@pytest.mark.parametrize("second", ["PrivateTest", "PublicTest", "Training"])
def test_fer2013_in_two_folders_or_one_is_the_original_again(original, second):
    usage = np.where(original.usage == "Training", "Training", second)
    read = give_back(with_usage(original, usage))
    assert read.fingerprint == FINGERPRINT
    assert any("35,887 of 35,887 are FER-2013's" in note.text for note in read.notes)


def test_altered_faces_are_known_and_strangers_keep_their_folder(original, faces):
    few = original.per_usage(300)
    blurred = np.array([cv2.GaussianBlur(image, (3, 3), 0) for image in few.images])
    strangers = faces.training.sample(50)
    mixed = FaceSet(
        np.concatenate([blurred, strangers.images]),
        np.concatenate([few.labels, strangers.labels]),
        np.append(np.where(few.usage == "Training", "Training", "PrivateTest"), ["PrivateTest"] * 50),
    )
    read = give_back(mixed)
    place = {image.tobytes(): k for k, image in enumerate(read.images)}
    right = [read.usage[place[b.tobytes()]] == u for b, u in zip(blurred, few.usage, strict=True)]
    assert np.mean(right) > 0.97
    assert all(read.usage[place[image.tobytes()]] == "PrivateTest" for image in strangers.images)


def test_a_set_with_three_usages_and_another_dataset_stay_as_they_are(faces):
    assert give_back(faces) is faces
    two = with_usage(faces, np.where(faces.usage == "Training", "Training", "PrivateTest"))
    assert give_back(two) is two


@settings(max_examples=40, deadline=None)
@given(
    counts=st.lists(st.integers(0, 9), min_size=3, max_size=7).filter(lambda c: sum(n > 1 for n in c)),
    share=st.floats(0.01, 0.99),
    usages=st.sets(st.sampled_from(USAGES[1:])),
)
def test_what_is_held_out_is_a_part_of_every_emotion_and_always_the_same(counts, share, usages):
    labels = np.repeat(np.arange(len(counts)), counts)
    images = np.arange(len(labels), dtype=np.uint8)[:, None, None] * np.ones((1, 48, 48), np.uint8)
    training = FaceSet(images, labels, "Training", EMOTIONS[: len(counts)])
    known = [FaceSet(images[:1] + np.uint8(200), labels[:1], u, training.names) for u in sorted(usages)]
    faces = training
    for one in known:
        faces = faces.join(one)
    try:
        held = hold_out(faces, share)
    except ValueError as error:
        assert "too few Training faces" in str(error)
        return
    assert set(held.usage.tolist()) == set(USAGES) or "Training" not in held.usage
    assert np.array_equal(held.images, faces.images) and np.array_equal(held.labels, faces.labels)
    assert hold_out(faces, share).fingerprint == held.fingerprint
    single = np.flatnonzero(np.bincount(labels, minlength=len(counts)) == 1)
    assert (held.usage[: len(training)][np.isin(labels, single)] == "Training").all()
    kept = faces.usage != "Training"
    assert np.array_equal(held.usage[kept], faces.usage[kept])


def test_without_a_path_a_tenth_is_held_out_and_said(faces, tmp_path, monkeypatch, capsys):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as out:
        for n, (image, label) in enumerate(zip(faces.images[:280], faces.labels[:280], strict=True)):
            out.writestr(f"{EMOTIONS[label]}/{n}.png", cv2.imencode(".png", image)[1].tobytes())
    monkeypatch.setenv("FER_DATA", str(tmp_path / "a.zip"))
    read = load_faces()
    said = capsys.readouterr().out
    assert "there were no PublicTest faces" in said and "10% of each emotion (seed 0)" in said
    assert set(read.usage.tolist()) == set(USAGES)
    with pytest.raises(ValueError, match=r"no PublicTest faces; load_faces\(..., hold_out=0.1\)"):
        load_faces(tmp_path / "a.zip").public_test  # noqa: B018
    assert load_faces(tmp_path / "a.zip", hold_out=0.1).fingerprint == read.fingerprint


def test_numbered_folders_are_named_held_out_and_scored_on_the_command_line(faces, tmp_path, capsys):
    emotions = EMOTIONS[::-1]  # folder 0 holds the neutral faces
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as out:
        for n, (image, label) in enumerate(zip(faces.images[:280], faces.labels[:280], strict=True)):
            out.writestr(f"{6 - label}/{n}.png", cv2.imencode(".png", image)[1].tobytes())
    options = ["--names", ",".join(emotions), "--json"]
    assert main(["doctor", str(tmp_path / "a.zip"), *options]) == 0
    counts = json.loads(capsys.readouterr().out)["counts"]["Training"]
    assert list(counts.values()) == np.bincount(faces.labels[:280], minlength=7).tolist()
    held = hold_out(load_faces(tmp_path / "a.zip", names=emotions), 0.3).public_test
    scored = ["evaluate", "kit-small", "--data", str(tmp_path / "a.zip"), "--usage", "PublicTest"]
    assert main([*scored, "--hold-out", "0.3", *options]) in (0, None)
    scores = json.loads(capsys.readouterr().out)
    assert scores["dataset"]["fingerprint"] == held.fingerprint
    answers = load_pretrained("kit-small").predict(held.x, verbose=0).argmax(1)
    truth = [EMOTIONS.index(held.names[label]) for label in held.labels]
    assert scores["accuracy"] == pytest.approx(np.mean(answers == truth))


# ---- FER+ ----

COLUMNS = [
    "neutral",
    "happiness",
    "surprise",
    "sadness",
    "anger",
    "disgust",
    "fear",
    "contempt",
    "unknown",
    "NF",
]


@pytest.fixture
def voted(tmp_path, faces):
    """fer2013.csv and fer2013new.csv of six faces: clear, split, contempt, unknown, not a face, tied."""
    six = faces[np.argsort([USAGES.index(u) for u in faces.usage], kind="stable")][[0, 1, 2, 3, 4, 5]]
    votes = [
        dict(sadness=10),
        dict(anger=6, fear=3, contempt=1),
        dict(contempt=7, anger=3),
        dict(unknown=6, neutral=4),
        dict(NF=10),
        dict(happiness=5, neutral=5),
    ]
    table = pd.DataFrame([dict.fromkeys(COLUMNS, 0) | vote for vote in votes])
    table.insert(0, "Usage", six.usage)
    table.insert(1, "Image name", [f"fer{k:07}.png" for k in range(6)])
    table.to_csv(tmp_path / "fer2013new.csv", index=False)
    rows = [
        f"{k},{' '.join(map(str, i.ravel()))},{u}"
        for i, k, u in zip(six.images, six.labels, six.usage, strict=True)
    ]
    (tmp_path / "fer2013.csv").write_text("\n".join(["emotion,pixels,Usage", *rows]) + "\n")
    return six


def test_majority_and_shares_of_votes(voted, tmp_path):
    csv = tmp_path / "fer2013.csv"
    votes = tmp_path / "fer2013new.csv"
    whole = with_votes(read_dataset(csv), votes, soft=True)
    assert sorted(whole.names[k] for k in whole.labels) == ["angry", "sad"]
    (angry,) = whole.of("angry").targets
    assert angry == pytest.approx([6 / 9, 0, 3 / 9, 0, 0, 0, 0])
    read = load_faces(csv, votes=votes, soft=True)
    assert read.names == ("angry", "sad") and read.targets.sum(axis=1) == pytest.approx([1, 1])
    assert np.array_equal(one_hot(read), read.targets)
    hard = load_faces(csv, votes=votes)
    assert hard.targets is None and np.array_equal(hard.labels, read.labels)
    assert any("1 contempt, 1 unknown, 1 NF, 1 tied" in note.text for note in hard.notes)


def test_votes_for_pictures_need_their_names_or_the_csv(voted, tmp_path):
    for place, name in (("named", "fer{:07}.png"), ("other", "Training_{}.png")):
        for k in range(6):
            target = tmp_path / place / "train" / EMOTIONS[voted.labels[k]] / name.format(k)
            target.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(target), voted.images[k])
    votes = tmp_path / "fer2013new.csv"
    by_name = load_faces(tmp_path / "named", votes=votes)
    by_pixels = load_faces(tmp_path / "other", votes=votes)
    assert by_name.fingerprint == by_pixels.fingerprint
    (tmp_path / "fer2013.csv").unlink()
    with pytest.raises(ValueError, match="order of fer2013.csv.*put fer2013.csv beside it"):
        load_faces(tmp_path / "other", votes=votes)


def test_soft_labels_need_votes_and_votes_a_file(voted, tmp_path, capsys):
    with pytest.raises(ValueError, match="soft=True is of use with votes=path alone"):
        load_faces("sample", soft=True)
    train = f"train kit-small --recipe kit-small --data sample --out {tmp_path}/run".split()
    assert main([*train, "--soft"]) == 2
    assert "--soft is of use with --votes FILE alone" in capsys.readouterr().err
    for path in (tmp_path / "gone.csv", tmp_path):
        with pytest.raises(FileNotFoundError, match="no table of votes at .*fer2013new.csv"):
            load_faces("sample", votes=path)


def test_votes_of_other_faces_are_refused(voted, tmp_path):
    votes = tmp_path / "fer2013new.csv"
    table = pd.read_csv(votes)
    table.assign(Usage="PrivateTest").to_csv(votes, index=False)
    with pytest.raises(ValueError, match=r"line 2: the usage is PrivateTest"):
        load_faces(tmp_path / "fer2013.csv", votes=votes)
    table[:3].to_csv(votes, index=False)
    with pytest.raises(ValueError, match="no row for line 5"):
        load_faces(tmp_path / "fer2013.csv", votes=votes)
    table.drop(columns="fear").to_csv(votes, index=False)
    with pytest.raises(ValueError, match="no column for fear"):
        load_faces(tmp_path / "fer2013.csv", votes=votes)
    table.assign(**dict.fromkeys(COLUMNS, 0) | {"NF": 10}).to_csv(votes, index=False)
    with pytest.raises(ValueError, match=r"leaves no face of fer2013.csv: each is tied, or"):
        load_faces(tmp_path / "fer2013.csv", votes=votes)
