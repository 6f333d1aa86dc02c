"""Balancing gives equal counts, says what is a copy, and writes a folder wholly or not at all."""

import signal
import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest

from fer_kit.data.balancing import balance, balance_train_folder, multiply, originals, with_copies
from fer_kit.data.emotions import EMOTIONS
from fer_kit.data.faceset import FaceSet
from fer_kit.data.loading import load_faces


@pytest.fixture
def train(faces):
    return faces.training


@pytest.fixture
def src(tmp_path):
    """A small training folder: happy has twelve faces, disgust one, the others four."""
    rng = np.random.default_rng(3)
    for emotion in EMOTIONS:
        folder = tmp_path / "fer" / "train" / emotion
        folder.mkdir(parents=True)
        for number in range({"happy": 12, "disgust": 1}.get(emotion, 4)):
            face = cv2.GaussianBlur(rng.integers(0, 256, (48, 48), dtype=np.uint8), (9, 9), 0)
            cv2.imwrite(str(folder / f"Training_{emotion}{number}.jpg"), face)
    return tmp_path / "fer" / "train"


def contents(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_every_emotion_has_the_target(train):
    balanced = balance(train, 60, seed=1)
    assert balanced.counts()["Training"].tolist() == [60] * 7
    copies = np.array([" augmented " in file for file in balanced.files])
    assert (copies.sum() + np.minimum(train.counts()["Training"], 60).sum()) == 420
    assert len(set(balanced.files)) == 420
    assert set(originals(balanced)) <= set(train.files)
    # originals keep their pixels, a copy keeps the label of the face it was made from
    assert balanced[~copies].has_twin_in(train).all()
    assert not balanced[copies].has_twin_in(train).any()
    label_of = dict(zip(train.files, train.labels, strict=True))
    assert [label_of[file] for file in originals(balanced)] == balanced.labels.tolist()


def test_a_seed_repeats(train):
    assert balance(train, 20, seed=4).fingerprint == balance(train, 20, seed=4).fingerprint
    assert balance(train, 20, seed=4).fingerprint != balance(train, 20, seed=5).fingerprint


def test_only_training_faces_are_balanced_or_multiplied(faces, train):
    for act in (lambda f: balance(f, 10), lambda f: multiply(f, "disgust")):
        with pytest.raises(ValueError, match="Training faces alone, not PrivateTest, PublicTest"):
            act(faces)
    with pytest.raises(ValueError, match="no disgust face"):
        balance(train[train.labels != 1], 10)
    with pytest.raises(ValueError, match="at least 1, not 0"):
        balance(train, 0)


def test_multiply_is_murphys_tenfold(train):
    count = len(train.of("disgust"))
    ten = multiply(train, "disgust")
    assert len(ten.of("disgust")) == 10 * count
    assert len(ten) - len(train) == 9 * count
    _, each = np.unique(originals(ten.of("disgust")), return_counts=True)
    assert set(each) == {10}
    assert len(multiply(train, "disgust", total=10 * count + 4).of("disgust")) == 10 * count + 4
    with pytest.raises(ValueError, match="multiply adds only"):
        multiply(train, "disgust", total=count - 1)
    with pytest.raises(ValueError, match="no 'contempt' face"):
        multiply(train, "contempt")


def test_the_real_split_gives_murphys_numbers():
    counts = np.array([3995, 436, 4097, 7215, 4830, 3171, 4965])
    labels = np.repeat(np.arange(7), counts)
    blank = FaceSet(np.zeros((len(labels), 48, 48), np.uint8), labels, "Training")
    rest, held = blank.split()
    assert (len(rest), len(held), len(rest.of("disgust"))) == (22965, 5744, 348)
    assert len(multiply(rest, "disgust", total=3520).of("disgust")) == 3520


def test_the_folder_holds_what_memory_holds(src, tmp_path):
    before = contents(src)
    balanced = balance_train_folder(src, tmp_path / "out", target=6, seed=2)
    written = load_faces(tmp_path / "out")
    assert written.counts()["Training"].tolist() == [6] * 7
    assert written.fingerprint == balanced.fingerprint == balance(load_faces(src), 6, seed=2).fingerprint
    copied = {name: data for name, data in contents(tmp_path / "out").items() if "augmented" not in name}
    assert len(copied) == 5 * 4 + 1 + 6
    assert all(before[name] == data for name, data in copied.items())
    assert contents(src) == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["fer", "out"]


def test_unusual_folder_names_are_mapped_and_reported(src, tmp_path):
    (src / "happy").rename(src / "Happiness")
    (src / "contempt").mkdir()
    cv2.imwrite(str(src / "contempt" / "1.png"), np.zeros((48, 48), np.uint8))
    balanced = balance_train_folder(src, tmp_path / "out", target=3)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == sorted(EMOTIONS)
    assert any("Happiness" in note.text for note in balanced.notes)
    assert any("contempt" in note.text for note in balanced.notes)


def test_a_path_that_looks_like_a_copys_is_an_original(train):
    names = np.array([f"fer augmented set/{file}" for file in train.files])
    named = replace(train, files=names)
    assert originals(named).tolist() == names.tolist()
    twice = with_copies(with_copies(named, 2), 1)
    assert set(originals(twice)) == set(names)


def test_two_images_of_one_name_are_not_made_one(src, tmp_path):
    (src / "anger").mkdir()
    twin = src / "anger" / "Training_angry0.jpg"
    twin.write_bytes((src / "angry" / "Training_angry1.jpg").read_bytes())
    with pytest.raises(ValueError, match="both be called angry/Training_angry0.jpg"):
        balance_train_folder(src, tmp_path / "out", target=6)


def test_a_second_run_leaves_the_first_one_alone(src, tmp_path):
    out = tmp_path / "out"
    out.mkdir()  # an empty folder may be filled
    balance_train_folder(src, out, target=3)
    before = contents(out)
    with pytest.raises(FileExistsError, match="holds something already"):
        balance_train_folder(src, out, target=5)
    assert contents(out) == before


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (
            lambda s: (s / "fear" / "Training_fear0.jpg").write_bytes(b"no image"),
            ValueError,
            "Training_fear0.jpg",
        ),
        (lambda s: (s / "fear" / "Training_fear0.jpg").write_bytes(b""), ValueError, "Training_fear0.jpg"),
        (lambda s: (s / "disgust" / "Training_disgust0.jpg").unlink(), ValueError, "no disgust face"),
        (lambda s: (s / "sad").rename(s.parent / "sad"), ValueError, "no sad face"),
        (lambda s: (s / "sad").rename(s / "PublicTest"), ValueError, "no sad face"),
    ],
    ids=["not an image", "empty file", "empty class", "missing class", "renamed class"],
)
def test_a_bad_source_leaves_nothing(src, tmp_path, spoil, error, message):
    spoil(src)
    before = contents(src)
    with pytest.raises(error, match=message):
        balance_train_folder(src, tmp_path / "out", target=5)
    assert not (tmp_path / "out").exists()
    assert contents(src) == before


def test_wrong_places_are_refused(src, tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere does not exist"):
        balance_train_folder(tmp_path / "nowhere", tmp_path / "out")
    with pytest.raises(NotADirectoryError, match="is a file"):
        balance_train_folder(src / "fear" / "Training_fear0.jpg", tmp_path / "out")
    for inside in (src, src / "balanced", src / "angry" / "balanced"):
        with pytest.raises(ValueError, match="only read"):
            balance_train_folder(src, inside)
    with pytest.raises(FileExistsError):
        balance_train_folder(src, src.parent)
    test = src.parent / "test" / "sad"
    test.mkdir(parents=True)
    (test / "PublicTest_1.jpg").write_bytes((src / "sad" / "Training_sad0.jpg").read_bytes())
    with pytest.raises(ValueError, match="point at its train folder"):
        balance_train_folder(src.parent, tmp_path / "out")


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_a_destination_that_cannot_be_written_is_named(src):
    with pytest.raises(OSError, match="cannot write /proc/balanced"):
        balance_train_folder(src, "/proc/balanced", target=3)


@pytest.mark.skipif(sys.platform == "win32", reason="file-size limits are POSIX")
def test_a_disk_that_fills_up_leaves_nothing(src, tmp_path):
    import resource

    (src / "neutral" / "Training_neutral3.jpg").unlink()
    cv2.imwrite(str(src / "neutral" / "large.bmp"), np.zeros((400, 400), np.uint8))
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limit[1]))  # the last emotion's image is larger
    try:
        with pytest.raises(OSError, match="cannot write .*out .*nothing was left"):
            balance_train_folder(src, tmp_path / "out", target=4)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert [p.name for p in tmp_path.iterdir()] == ["fer"]


@pytest.mark.skipif(sys.platform == "win32", reason="interval timers are POSIX")
def test_an_interrupted_run_leaves_nothing(src, tmp_path):
    before = contents(src)
    handler = signal.signal(signal.SIGALRM, signal.default_int_handler)  # a Ctrl-C after a moment
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    try:
        with pytest.raises(KeyboardInterrupt):
            balance_train_folder(src, tmp_path / "out", target=20_000)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
    assert [p.name for p in tmp_path.iterdir()] == ["fer"]
    assert contents(src) == before
