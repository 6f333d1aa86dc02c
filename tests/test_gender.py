"""The second question: a fair split, whom a network fails, what remedies change, an audit, and two heads."""

import zipfile
from dataclasses import replace

import cv2
import keras
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fer_kit
from fer_kit.data.faceset import FaceSet
from fer_kit.data.loading import find_dataset
from fer_kit.data.sample.people import HAIR, draw_hair_sample, draw_people
from fer_kit.data.utkface import GENDERS
from fer_kit.evaluation import metrics
from fer_kit.evaluation.scores import Scores
from fer_kit.plots import gender as gender_plots
from fer_kit.studies import audit, gender
from fer_kit.studies import two_heads as multitask
from fer_kit.training.recipes import RECIPES
from fer_kit.training.records import Run


@pytest.fixture(scope="module")
def drawn():
    return gender.split_by_hash(draw_hair_sample(600))


def utkface(names, images=None, labels=None):
    """Faces that are named as in UTKFace; noise where no images are given."""
    if images is None:
        images = np.random.default_rng(1).integers(0, 256, (len(names), 48, 48), np.uint8)
    labels = [int(name.split("_")[1]) for name in names] if labels is None else labels
    return FaceSet(images, labels, "Training", GENDERS, np.array(names), "utk.zip")


def test_drawn_faces_are_repeatable_and_say_what_they_are(drawn):
    again = gender.split_by_hash(draw_hair_sample(600))
    assert again.fingerprint == drawn.fingerprint
    assert drawn.names == HAIR and "not gender" in drawn.notes[0].text
    known = gender.traits(drawn)
    assert set(known.lines) == {"smooth", "lined"}
    assert 0.1 < (known.skin == "dark").mean() < 0.2
    assert 0.2 < drawn.labels.mean() < 0.8


def test_split_is_a_fifth_a_tenth_and_the_rest():
    names = [f"30_1_0_{20170101000000000 + 100000 * i}.jpg" for i in range(4000)]
    faces = gender.split_by_hash(utkface(names))
    shares = pd.Series(faces.usage).value_counts(normalize=True)
    assert shares["PrivateTest"] == pytest.approx(0.2, abs=0.03)
    assert shares["PublicTest"] == pytest.approx(0.1, abs=0.02)


def test_split_keeps_a_minute_together_whoever_comes_or_goes():
    names = [f"{20 + i % 50}_{i % 2}_1_2017010112{i // 10:02d}{i:05d}.jpg" for i in range(600)]
    faces = gender.split_by_hash(utkface(names))
    minute = [name.split("_")[3][:12] for name in faces.files]
    assert pd.Series(faces.usage).groupby(minute).nunique().max() == 1
    some = gender.split_by_hash(utkface(names)[::3])
    usage_of = dict(zip(faces.files, faces.usage, strict=True))
    assert all(usage_of[name] == usage for name, usage in zip(some.files, some.usage, strict=True))


def test_a_lighter_copy_of_a_held_out_face_is_left_out():
    names = [f"30_0_0_{20170101000000000 + 100000 * i}.jpg" for i in range(60)]
    held = gender.split_by_hash(utkface(names)).private_test
    images = np.random.default_rng(1).integers(20, 200, (60, 48, 48), np.uint8)
    rows = [names.index(held.files[0]), next(i for i, n in enumerate(names) if n not in held.files)]
    images[rows[1]] = images[rows[0]] + 30
    faces = gender.split_by_hash(utkface(names, images))
    assert names[rows[0]] in faces.files and names[rows[1]] not in faces.files
    assert "1 faces left out that look the same" in faces.notes[-1].text


def test_finds_utkface_beside_fer2013_and_draws_without(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FER_DATA", str(tmp_path))
    assert gender.find_utkface() is None
    faces = gender.load_gender_faces()
    assert faces.names == HAIR and "The labels of these faces are hair" in capsys.readouterr().out
    picture = cv2.imencode(".jpg", np.full((64, 64), 120, np.uint8))[1].tobytes()
    with zipfile.ZipFile(tmp_path / "UTKFace.zip", "w") as out:
        out.writestr("UTKFace/25_1_2_20170116174525125.jpg", picture)
    assert gender.find_utkface() == tmp_path / "UTKFace.zip"
    assert gender.load_gender_faces().names == GENDERS
    (tmp_path / "fer2013.zip").touch()
    assert find_dataset(tmp_path) == tmp_path / "fer2013.zip"  # UTKFace is not taken for a second one
    monkeypatch.setenv("FER_DATA", "sample")
    assert gender.find_utkface() is None
    with pytest.raises(FileNotFoundError, match="does not exist"):
        gender.load_gender_faces(tmp_path / "nowhere.zip")


def test_traits_of_utkface_are_bands_and_the_archives_words():
    known = gender.traits(utkface(["0_0_0_1.jpg", "9_1_1_2.jpg", "10_0_2_3.jpg", "116_1_4_4.jpg"]))
    assert known["age band"].tolist() == ["0-9", "0-9", "10-19", "70 and over"]
    assert known.group.tolist() == ["White", "Black", "Asian", "other"]


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=50)
)
def test_errors_by_any_trait(answers):
    part, labels, said = (np.array(column) for column in zip(*answers, strict=True))
    faces = FaceSet(np.zeros((len(part), 48, 48), np.uint8), labels, "PrivateTest", GENDERS)
    table = gender.errors_by(Scores(faces, np.eye(2)[said], "PrivateTest"), part)
    assert table.faces.sum() == len(part) and table.wrong.sum() == (labels != said).sum()
    for name, row in table.iterrows():
        assert row.wrong == ((labels != said) & (part == name)).sum()
        assert (row.low, row.high) == pytest.approx(metrics.wilson(int(row.wrong), int(row.faces)))
        assert row.low - 1e-9 <= row.error <= row.high + 1e-9


def test_a_network_learns_the_second_question_and_its_errors_are_recorded(drawn, tmp_path):
    x = inputs = keras.Input((48, 48, 1), dtype="uint8")
    for layer in (
        keras.layers.Rescaling(1 / 64, -2),
        keras.layers.AveragePooling2D(6),
        keras.layers.Flatten(),
    ):
        x = layer(x)
    model = keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(x), name="linear")
    recipe = replace(RECIPES["hejslet"], learning_rate=0.02, epochs=25)
    run = fer_kit.fit(model, drawn, recipe, tmp_path / "run")
    scores = fer_kit.evaluate(run, drawn, "PrivateTest")
    assert scores.interval[0] > 0.5  # better than guessing
    tables = gender.record_errors(run, scores)
    assert list(tables) == ["lines", "skin", "skin and label"]
    stored = Run.open(run.folder).metrics["scores"]
    assert stored["PrivateTest errors by skin"]["dark"]["faces"] == tables["skin"].faces["dark"]
    assert (
        sum(part["faces"] for part in stored["PrivateTest errors by skin and label"].values()) == scores.faces
    )
    assert Run.open(run.folder).metrics["private_test_scored"] == 1
    for figure in (
        gender_plots.gender_errors(tables["skin"], "Errors", drawn.source),
        gender_plots.gender_histogram(scores),
        gender_plots.framework(),
        gender_plots.gender_side_by_side(drawn.images[:3], {"hair": (scores.predictions[:3], HAIR)}),
    ):
        titles = [axis.get_title(loc) for axis in figure.axes for loc in ("left", "center")]
        assert any([figure.get_suptitle(), *titles])


# ---- remedies ----


def answers_to(part, labels, second):
    """Scores of faces without pictures, of which `second` is the probability of the second label."""
    faces = FaceSet(np.zeros((len(labels), 48, 48), np.uint8), np.array(labels), "PrivateTest", GENDERS)
    second = np.array(second, float)
    scores = Scores(faces, np.stack([1 - second, second], axis=1), "PrivateTest")
    return scores, pd.Series(list(part), name="part")


def test_who_gets_no_answer_and_who_a_wrong_one():
    scores, part = answers_to("aaaabbbb", [0, 0, 1, 1, 0, 0, 1, 1], [0.1, 0.6, 0.9, 0.3, 0.3, 0.4, 0.6, 0.2])
    figure = gender_plots.gender_abstention(scores, part, 0.7)
    left, right = figure.axes
    assert [bar.get_width() for bar in left.patches] == [25, 50]  # 0.6 of a; 0.4 and 0.6 of b
    assert [bar.get_width() for bar in right.patches] == pytest.approx([100 / 3, 50])
    assert "answers to 62 % of the faces, 40.0 % of them wrong" in figure.get_suptitle()
    assert [text.get_text() for text in left.get_yticklabels()] == ["a", "b"] and "%" in left.get_xlabel()


@pytest.mark.parametrize("threshold", [0.5, 0.95, 1.0])
def test_a_part_or_everybody_may_get_no_answer(threshold):
    scores, part = answers_to("aab", [0, 1, 0], [0.04, 0.97, 0.4])
    left, right = gender_plots.gender_abstention(scores, part.astype("category"), threshold).axes
    silent = {0.5: [0, 0], 0.95: [0, 100], 1.0: [100, 100]}[threshold]
    assert [bar.get_width() for bar in left.patches] == silent
    assert np.isnan(right.patches[1].get_width()) == (threshold > 0.5)


def test_before_and_after_stand_side_by_side():
    before, part = answers_to("aabb", [0, 1, 0, 1], [0.6, 0.9, 0.2, 0.3])
    after = replace(before, predictions=before.predictions[:, ::-1])
    tables = [gender.errors_by(scores, part) for scores in (before, after)]
    (axis,) = gender_plots.gender_remedy(*tables, "A remedy").axes
    assert [label.get_text() for label in axis.get_legend().get_texts()] == [
        "before, all faces 50.0 %",
        "after, all faces 50.0 %",
    ]
    assert [list(bar[0].get_xdata()) for bar in axis.containers] == [[50, 50], [50, 50]]
    assert [text.get_text() for text in axis.get_yticklabels()] == ["a (2)", "b (2)"]


def test_publictest_chooses_and_privatetest_judges():
    record = fer_kit.recorded("gender-utkface")
    public, private = gender.chooser_and_judge(record)
    assert (public.usage, private.usage) == ("PublicTest", "PrivateTest")
    stored = record.metrics["scores"]["PrivateTest errors by group"]
    again = gender.errors_by(private, gender.traits(private.scored).group)
    assert {group: row["wrong"] for group, row in stored.items()} == again.wrong.to_dict()


# ---- an audit with drawn people ----


def test_people_are_changed_in_one_thing_and_stay_in_order():
    faces, changes = audit.changed_people(2, seed=3, emotions=("happy", "fear"))
    count = len(audit.CHANGES) + len(audit.PICTURES)
    assert len(faces) == len(changes) == 4 * count and set(faces.usage) == {"PublicTest"}
    assert list(changes.cat.categories) == [*audit.CHANGES, *audit.PICTURES]
    assert faces.labels.tolist() == [3, 3, 2, 2] * count
    pictures = {change: faces.images[(changes == change).to_numpy()] for change in changes.cat.categories}
    as_drawn = pictures.pop("as drawn")
    assert np.array_equal(as_drawn[:2], draw_people("happy", 2, seed=3))
    assert all((shown != as_drawn).any((1, 2)).all() for shown in pictures.values())
    assert np.array_equal(pictures["a third of the light"], as_drawn // 3)
    table = gender.errors_by(Scores(faces, np.eye(7)[faces.labels], "PublicTest"), changes)
    assert table.index.tolist() == list(changes.cat.categories) and (table.faces == 4).all()


# ---- one trunk, two heads ----


def test_joined_tasks_keep_their_labels(drawn, faces):
    joined = multitask.join_tasks(faces, drawn)
    assert joined.names == faces.names + HAIR and len(joined) == len(faces) + len(drawn)
    assert (joined.labels[: len(faces)] == faces.labels).all()
    assert (joined.labels[len(faces) :] == drawn.labels + 7).all()
    with pytest.raises(ValueError, match="both tasks have a label 'angry'"):
        multitask.join_tasks(faces, replace(faces))


@pytest.fixture(scope="module")
def two_heads():
    keras.utils.set_random_seed(4)
    return multitask.two_heads("zhao-sepconv", (7, 2), "float32", augment=None)


def test_a_missing_label_gives_no_gradient(two_heads, faces):
    two_heads.compile(keras.optimizers.SGD(1.0), keras.losses.CategoricalCrossentropy())
    answers = two_heads.predict(faces.x[:8], verbose=0)
    np.testing.assert_allclose(answers[:, :7].sum(1), 0.5, atol=1e-5)
    before = [w.copy() for w in two_heads.get_layer("head_1").get_weights()]
    own = two_heads.get_layer("head_0").get_weights()[0].copy()
    two_heads.fit(faces.x[:8], np.eye(9, dtype="float32")[faces.labels[:8]], verbose=0)
    for old, new in zip(before, two_heads.get_layer("head_1").get_weights(), strict=True):
        np.testing.assert_allclose(new, old, atol=1e-6)
    assert np.abs(two_heads.get_layer("head_0").get_weights()[0] - own).max() > 1e-3


def test_accuracy_asks_each_face_its_own_question(two_heads, drawn, faces):
    two_heads.compile(
        "sgd", "categorical_crossentropy", metrics=[keras.metrics.CategoricalAccuracy("accuracy")]
    )
    x = np.concatenate([faces.x[:20], drawn.x[:20]])
    labels = np.concatenate([faces.labels[:20], drawn.labels[:20] + 7])
    answers = two_heads.predict(x, verbose=0)
    said = np.where(labels < 7, answers[:, :7].argmax(1), answers[:, 7:].argmax(1) + 7)
    measured = two_heads.evaluate(x, np.eye(9)[labels], verbose=0, return_dict=True)
    assert measured["accuracy"] == pytest.approx((said == labels).mean())


def test_both_tasks_are_trained_recorded_and_scored(drawn, faces, tmp_path):
    recipe = replace(RECIPES["hejslet"], mixup=0.2, label_smoothing=0.1)
    run = multitask.fit_together("zhao-sepconv", faces, drawn, recipe, tmp_path / "two", epochs=1)
    assert run.finished and run.config["recipe"]["mixup"] == run.config["recipe"]["label_smoothing"] == 0
    noted = run.metrics["scores"]["PublicTest"]
    for task in (faces, drawn):
        scores = fer_kit.evaluate(run, task)
        assert scores.scored.names == task.names
        assert noted[" / ".join(task.names)]["accuracy"] == pytest.approx(scores.accuracy, abs=0.02)
    with pytest.raises(ValueError, match="two answers two questions at once"):
        fer_kit.evaluation.recorded_scores(run)
    again = multitask.fit_together("zhao-sepconv", faces, drawn, recipe, tmp_path / "two", epochs=1)
    assert again.metrics["scores"]["PublicTest"] == noted


# ---- the real archive ----


def test_real_utkface_split(real_archive):
    path = real_archive.with_name("utkface64.zip")
    if not path.exists():
        pytest.skip(f"no UTKFace at {path}")
    faces = gender.load_gender_faces(path)
    counts = faces.counts().sum()
    assert counts.sum() > 23_000 and 0.18 < counts.PrivateTest / counts.sum() < 0.22
    assert not faces[faces.usage != "PrivateTest"].has_twin_in(faces.private_test).any()
