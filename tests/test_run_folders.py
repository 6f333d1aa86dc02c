"""Run folders: a part that is deleted, cut, changed or exchanged is an error, and never another number."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from test_training import QUICK, fit, small_model, stop_in

from fer_kit.data.usages import hold_out
from fer_kit.evaluation import scoring
from fer_kit.evaluation.scores import recorded_scores
from fer_kit.evaluation.scoring import evaluate
from fer_kit.models.layers import weights_digest
from fer_kit.models.portable import copy_portable
from fer_kit.runtime.files import digest_of, write_json
from fer_kit.runtime.locks import locked
from fer_kit.training.records import Run, emotions_of, open_model, parts

SHORT = replace(QUICK, epochs=2)
QUICKLY = (Phase.explicit, Phase.reuse, Phase.generate)  # each example reads a network: nothing is shrunk


@pytest.fixture(scope="module")
def whole(few, faces):
    """Faces of all three usages."""
    return few.join(faces.private_test.sample(40))


@pytest.fixture(scope="module")
def scored(whole, tmp_path_factory):
    """A finished run that was scored on PrivateTest."""
    run = fit(whole, tmp_path_factory.mktemp("runs") / "scored", SHORT, model=small_model(plain=True))
    evaluate(run, whole, "PrivateTest")
    return run


@pytest.fixture(scope="module")
def other(whole, tmp_path_factory):
    """Another finished run, of another seed and network."""
    folder = tmp_path_factory.mktemp("runs") / "other"
    run = fit(whole, folder, SHORT, model=small_model(plain=True), seed=1, about={"which": "other"})
    evaluate(run, whole, "PrivateTest")
    return run


@pytest.fixture(scope="module")
def interrupted(whole, tmp_path_factory):
    """A run that was stopped in its second epoch."""
    with pytest.MonkeyPatch.context() as patch:
        stop_in(patch, 2, KeyboardInterrupt)
        folder = tmp_path_factory.mktemp("runs") / "interrupted"
        return fit(whole, folder, SHORT, model=small_model(plain=True))


READS = {
    "finished": lambda run: run.finished,
    "best epoch": lambda run: run.best_epoch,
    "best accuracy": lambda run: run.best_accuracy,
    "epochs": lambda run: run.history.drop(columns="seconds").to_csv(),
    "score": lambda run: run.score("PrivateTest"),
    "selected": lambda run: run.score("PublicTest"),
    "predictions": lambda run: run.predictions["probabilities"].tobytes(),
    "private": lambda run: (kept := run.private_predictions) and kept["probabilities"].tobytes(),
    "recorded": lambda run: recorded_scores(run, "PrivateTest").as_json(),
    "model": lambda run: weights_digest(run.model()),
    "emotions": lambda run: run.provenance["emotions"],
    "recipe": lambda run: run.config["recipe"]["epochs"],
}


def answer(read, run):
    """What a reading of a run says, or None for an error that names the folder."""
    try:
        return read(run)
    except (ValueError, OSError) as error:
        assert run.folder.name in str(error)
        return None


@pytest.fixture(scope="module")
def truths(scored, interrupted):
    runs = (scored, interrupted)
    return {run.folder.name: {name: answer(read, run) for name, read in READS.items()} for run in runs}


def hurt(path, how, place, bit, foreign):
    content = bytearray(path.read_bytes())
    if how == "delete":
        path.unlink()
    elif how == "exchange":
        shutil.copy(foreign, path)
    elif how == "cut":
        path.write_bytes(content[: int(place * len(content))])
    elif content:  # a lock is an empty file
        content[int(place * len(content))] ^= 1 << bit
        path.write_bytes(content)


HARM = {
    "how": st.sampled_from(["delete", "cut", "change", "exchange"]),
    "place": st.floats(0, 1, exclude_max=True),
    "bit": st.integers(0, 7),
    "which": st.integers(0, 99),
}


@settings(deadline=None, max_examples=20, phases=QUICKLY)
@given(**HARM)
def test_a_damaged_part_gives_the_right_answer_or_an_error(
    scored, other, interrupted, truths, tmp_path_factory, how, place, bit, which
):
    run = (scored, interrupted)[which % 2]
    copy = tmp_path_factory.mktemp("copies") / run.folder.name
    shutil.copytree(run.folder, copy)
    files = sorted(path.name for path in copy.iterdir())
    foreign = other.folder / files[which % len(files)]
    if how == "exchange" and not foreign.exists():
        return
    hurt(copy / files[which % len(files)], how, place, bit, foreign)
    said = {name: answer(read, Run(copy)) for name, read in READS.items()}
    wrong = [name for name, value in said.items() if value not in (None, truths[copy.name][name])]
    assert not wrong, f"{files[which % len(files)]}, {how}: {wrong}"
    shutil.rmtree(copy)


PARTS = ["history.csv", "predictions.npz", "private.npz", "provenance.json", "best.keras"]


@pytest.mark.parametrize("folder", [False, True], ids=["cut", "a folder"])
@pytest.mark.parametrize("part", PARTS)
def test_one_damaged_part_blocks_no_other_and_is_named(scored, whole, truths, tmp_path, part, folder):
    copy = tmp_path / "scored"
    shutil.copytree(scored.folder, copy)
    content = (copy / part).read_bytes()
    (copy / part).unlink()
    if folder:
        (copy / part).mkdir()
    else:
        (copy / part).write_bytes(content[:40])
    said = {name: answer(read, Run.open(copy)) for name, read in READS.items()}
    assert sum(value is not None for value in said.values()) >= 6
    assert any(part in problem for problem in Run(copy).damaged())
    with pytest.warns(UserWarning, match=part):
        assert fit(whole, copy, SHORT, model=small_model(plain=True)).finished


def test_a_provenance_that_is_gone_is_said_in_a_sentence(scored, tmp_path):
    shutil.copytree(scored.folder, tmp_path / "run")
    (tmp_path / "run" / "provenance.json").unlink()
    with pytest.raises(FileNotFoundError, match="provenance.json is gone, or not written yet; restore it"):
        _ = Run(tmp_path / "run").provenance


@pytest.mark.parametrize("content", [b"[1, 2]", b"\xff\xfe{}", b"3", b"{" * 5000, b'{"a": }', b""])
@pytest.mark.parametrize("part", ["config.json", "metrics.json", "provenance.json"])
def test_what_is_no_json_object_is_named(scored, tmp_path, content, part):
    shutil.copytree(scored.folder, tmp_path / "run")
    (tmp_path / "run" / part).write_bytes(content)
    with pytest.raises(ValueError, match=f"{part} is damaged"):
        _ = Run(tmp_path / "run").config, Run(tmp_path / "run").metrics, Run(tmp_path / "run").provenance
    (tmp_path / "run" / part).write_text("{}")
    assert "damaged" in Run(tmp_path / "run").summary


@pytest.mark.parametrize("part", ["best.keras", "history.csv"])
def test_what_a_resume_needs_is_missed_before_it_trains(interrupted, whole, tmp_path, part):
    harms = {"gone": lambda path: path.unlink(), "cut": lambda path: path.write_bytes(path.read_bytes()[:-9])}
    for name, harm in harms.items():
        copy = tmp_path / name
        shutil.copytree(interrupted.folder, copy)
        harm(copy / part)
        with pytest.raises(ValueError, match=part):
            fit(whole, copy, SHORT, model=small_model(plain=True))


def test_a_gap_in_the_epochs_is_an_error(scored, tmp_path):
    shutil.copytree(scored.folder, tmp_path / "run")
    run = Run(tmp_path / "run")
    history = run.history
    run.write_metrics({**run.metrics, "files": {}})
    for damaged in (history.iloc[1:], history.iloc[::-1], history.assign(val_accuracy="much")):
        damaged.to_csv(run.folder / "history.csv")
        run.write_metrics(run.metrics, changed=["history.csv"])  # as a record of an older version
        with pytest.raises(ValueError, match=r"history.csv is damaged: (row 1 is of epoch 2|val_accuracy)"):
            _ = run.best_epoch


# ---- what was scored ----


def scorings(run, whole):
    """Ways to score a run with PrivateTest faces in it, of which the first is the strict one."""
    private = whole.private_test
    return [
        lambda: evaluate(run, whole, "PrivateTest"),
        lambda: evaluate(run, whole, "all"),
        lambda: evaluate(run, whole, "PrivateTest", augment="flip"),
        lambda: evaluate(run, whole, "PrivateTest", augment="ten-crop"),
        lambda: evaluate(run, whole.training.join(private[:17]), "PrivateTest"),
        lambda: evaluate(run, private, "PrivateTest"),
        lambda: evaluate(run, whole, "PrivateTest", twins_from=private[:5]),
        lambda: evaluate(run, whole.drop("sad"), "PrivateTest"),
        lambda: evaluate(run, replace(whole.public_test, usage=np.full(40, "PrivateTest")), "PrivateTest"),
    ]


@pytest.fixture(scope="module")
def opened(scored):
    """The network of `scored`, opened once for all scorings: each new one is compiled anew."""
    return scored.model()


@pytest.mark.filterwarnings("ignore:.*PrivateTest was scored")
@settings(deadline=None, max_examples=3, phases=QUICKLY)
@given(order=st.permutations(range(9)), chosen=st.integers(3, 9))
def test_any_order_of_scorings_leaves_the_strict_one_right(
    scored, opened, whole, tmp_path_factory, order, chosen
):
    truth = evaluate(opened, whole, "PrivateTest").as_json()
    copy = tmp_path_factory.mktemp("scorings") / "scored"
    shutil.copytree(scored.folder, copy, ignore=shutil.ignore_patterns("private.npz"))
    run = Run(copy)
    run.write_metrics(run.metrics | {"scores": {}, "private_test_scored": 0}, changed=["private.npz"])
    every = scorings(run, whole)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scoring, "open_model", lambda model: (opened, model))
        for number in order[:chosen]:
            every[number]()
    found = run.score("PrivateTest")
    if 0 in order[:chosen]:
        assert {n: found[n] for n in ("accuracy", "accuracy_twin_free", "confusion")} == {
            n: truth[n] for n in ("accuracy", "accuracy_twin_free", "confusion")
        }
        np.testing.assert_array_equal(recorded_scores(run, "PrivateTest").confusion, truth["confusion"])
        assert recorded_scores(run, "PrivateTest").accuracy_twin_free == truth["accuracy_twin_free"]
    elif found:
        assert found["accuracy"] == truth["accuracy"]
        assert found["accuracy_twin_free"] in (None, truth["accuracy_twin_free"])
    shutil.rmtree(copy)


def test_a_score_of_an_interrupted_run_does_not_outlive_its_weights(interrupted, whole, tmp_path):
    shutil.copytree(interrupted.folder, tmp_path / "run")
    early = evaluate(tmp_path / "run", whole, "PrivateTest")
    assert "its training has not finished: interrupted after epoch 1 of 2" in repr(early)
    assert early.as_json()["unfinished"] == "interrupted after epoch 1 of 2"
    assert "unfinished" not in Run(tmp_path / "run").score()
    assert Run(tmp_path / "run").score("PrivateTest")["accuracy"] == early.accuracy
    run = fit(whole, tmp_path / "run", replace(SHORT, learning_rate=1e-3), model=small_model(plain=True))
    score = run.score("PrivateTest")
    if run.best_epoch == 1:
        assert score["accuracy"] == early.accuracy
    else:
        assert score is None and run.private_predictions is None
        with pytest.warns(UserWarning, match="scored 2 times"):
            late = evaluate(run, whole, "PrivateTest")
        assert run.score("PrivateTest")["accuracy"] == late.accuracy


def test_the_predictions_kept_are_those_of_the_score(few, whole, tmp_path):
    run = fit(few, tmp_path / "run", SHORT, model=small_model(plain=True), epochs=1)
    private = whole.private_test
    evaluate(run, whole, "all")
    assert run.score() is None and run.private_predictions is None
    part = evaluate(run, few.join(private[:17]), "PrivateTest")
    assert run.score()["accuracy"] == part.accuracy and recorded_scores(run, "PrivateTest").faces == 17
    evaluate(run, whole, "PrivateTest")  # whose faces are all of PrivateTest? This record does not know
    assert run.score() is None and run.private_predictions is None
    with pytest.raises(ValueError, match="no PrivateTest score"):
        recorded_scores(run, "PrivateTest")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(parts.OFFICIAL, "PrivateTest", private.fingerprint)
        official = evaluate(run, whole, "PrivateTest")
        assert run.score()["accuracy"] == official.accuracy
        assert recorded_scores(run, "PrivateTest").faces == len(private)


def test_nobody_elses_score_comes_between_reading_and_writing(few, whole, tmp_path, monkeypatch):
    run = fit(few, tmp_path / "run", SHORT, model=small_model(plain=True), epochs=1)
    monkeypatch.setitem(parts.OFFICIAL, "PrivateTest", whole.private_test.fingerprint)
    monkeypatch.setattr(scoring, "PATIENCE", 0)
    before = {path.name: path.read_bytes() for path in run.folder.iterdir() if path.name != "writer.lock"}
    scores = evaluate(run.model(), whole, "PrivateTest", twins_from=few)
    with locked(run.folder), ThreadPoolExecutor() as elsewhere:
        with pytest.raises(BlockingIOError, match="is being written to"):
            elsewhere.submit(scoring.record_private_score, run, scores).result()
        kept = {path.name: path.read_bytes() for path in run.folder.iterdir()}
        assert {name: content for name, content in kept.items() if not name.startswith("writer")} == before
    with locked(run.folder):  # as in a callback of `fit`
        evaluate(run, whole, "PrivateTest")
    assert run.metrics["private_test_scored"] == 1


def test_lines_of_a_history_written_on_windows_are_lines(tmp_path):
    path = tmp_path / "history.csv"
    rows = [b"epoch,val_loss,val_accuracy", b"1,1.5,0.4", b"2,1.4,0.5", b"3,1.3,0.6"]
    for end in (b"\r\r\n", b"\r\n", b"\n"):
        path.write_bytes(end.join(rows) + end)
        path.write_bytes(parts.first_lines(path, 2))
        assert parts.read_history(path, 2).val_accuracy.tolist() == [0.4, 0.5]


# ---- what a model is ----


def test_the_emotions_travel_with_the_file(whole, tmp_path):
    run = fit(whole.drop("fear"), tmp_path / "run", SHORT, model=small_model(6, plain=True), epochs=1)
    file = tmp_path / "elsewhere.keras"
    shutil.copy(run.folder / "best.keras", file)
    network, _ = open_model(file)
    assert emotions_of(file, network) == whole.drop("fear").names
    scores = evaluate(file, whole, "PublicTest")
    assert set(scores.left_out) == {"fear"} and scores.accuracy == evaluate(run, whole, "PublicTest").accuracy
    assert emotions_of("kit-small", open_model("kit-small")[0]) == whole.names


def another(**changes):
    """The plain small model with one thing changed, of the same name and number of parameters."""
    import keras
    from keras import layers

    made = {"activation": "relu", "rate": 0.0, "regulariser": None, "trainable": True} | changes
    faces = keras.Input((48, 48, 1), dtype="uint8")
    x = layers.Rescaling(1 / 255)(faces)
    options = {"kernel_regularizer": made["regulariser"], "trainable": made["trainable"]}
    x = layers.Conv2D(4, 3, 4, activation=made["activation"], **options)(x)
    x = layers.Dropout(made["rate"])(layers.Flatten()(x))
    return keras.Model(faces, layers.Dense(7, activation="softmax", dtype="float32")(x), name="small")


@pytest.mark.parametrize(
    "change", [{"activation": "elu"}, {"rate": 0.3}, {"regulariser": "l2"}, {"trainable": False}]
)
def test_a_network_of_ones_own_is_what_it_is_built_of(whole, tmp_path_factory, change, own):
    assert fit(whole, own, SHORT, model=another(), epochs=1).finished
    with pytest.raises(ValueError, match="holds another run: variant configuration was"):
        fit(whole, own, SHORT, model=another(**change), epochs=1)


@pytest.fixture(scope="module")
def own(whole, tmp_path_factory):
    return fit(whole, tmp_path_factory.mktemp("own") / "run", SHORT, model=another(), epochs=1).folder


OWN_LAYER = """
import keras

@keras.saving.register_keras_serializable("theirs")
class Own(keras.layers.Layer):
    def call(self, faces):
        return {body}

    def compute_output_shape(self, shape):
        return shape

@keras.saving.register_keras_serializable("theirs")
def squash(values):
    return {end}
"""


def with_own_code(body="keras.ops.cast(faces, 'float32') / 255", end="keras.ops.softmax(values)"):
    """A network with a layer and an activation of one's own, as somebody writes them in a notebook."""
    import keras

    names = {"__name__": "notebook"}
    exec(OWN_LAYER.format(body=body, end=end), names)
    faces = keras.Input((48, 48, 1), dtype="uint8")
    x = keras.layers.Flatten()(keras.layers.MaxPooling2D(8)(names["Own"](dtype="float32")(faces)))
    return keras.Model(faces, keras.layers.Dense(7, activation=names["squash"])(x), name="own")


@pytest.mark.parametrize(
    "change", [{"body": "keras.ops.cast(faces, 'float32') / 127"}, {"end": "keras.ops.softmax(2 * values)"}]
)
def test_layers_of_ones_own_are_what_their_code_is(few, tmp_path, change):
    first = fit(few, tmp_path / "run", SHORT, model=with_own_code(), epochs=1)
    assert fit(few, first.folder, SHORT, model=with_own_code(), epochs=1).weights == first.weights
    with pytest.raises(ValueError, match="holds another run: variant code was"):
        fit(few, first.folder, SHORT, model=with_own_code(**change), epochs=1)
    config = first.config
    del config["variant"]["code"]
    provenance = first.provenance | {"config": digest_of(config)}
    write_json(first.folder / "config.json", config)
    write_json(first.folder / "provenance.json", provenance)
    first.write_metrics(first.metrics | {"files": {}})
    with pytest.warns(UserWarning, match="does not record the code of the layers of its own that own has"):
        fit(few, first.folder, SHORT, model=with_own_code(), epochs=1)


def test_a_run_without_the_new_facts_opens_and_says_so(own, whole, tmp_path):
    shutil.copytree(own, tmp_path / "old")
    run = Run(tmp_path / "old")
    config = run.config
    del config["variant"]["configuration"]
    old = {
        "config": config,
        "provenance": {n: v for n, v in run.provenance.items() if n != "config"},
        "metrics": {n: v for n, v in run.metrics.items() if n not in ("files", "weights")},
    }
    for name, content in old.items():
        write_json(run.folder / f"{name}.json", content)
    with pytest.warns(UserWarning, match="does not record of what small was built"):
        assert fit(whole, run.folder, SHORT, model=another(rate=0.3), epochs=1).finished


# ---- what a run saw ----


def test_a_run_that_saw_private_test_is_no_teacher_no_record_and_not_selected(whole, tmp_path):
    from fer_kit.evaluation.scores import select
    from maintain.ship import keep, ship

    run = fit(
        whole, tmp_path / "run", SHORT, model=small_model(plain=True), epochs=1, validation=whole.private_test
    )
    assert run.leak == "was selected on PrivateTest" and run.leak in run.summary
    assert run.score("PublicTest") is None
    taught = replace(SHORT, teacher=0.7)
    for teacher in (run, run.folder, run.folder / "best.keras"):
        with pytest.raises(ValueError, match="the teacher small was selected on PrivateTest"):
            fit(whole, tmp_path / "pupil", taught, teacher=teacher)
    shutil.copytree(run.folder, tmp_path / "older")
    copy_portable(run.folder / "best.keras", tmp_path / "older" / "best.keras", {})  # says nothing of itself
    assert "was selected on PrivateTest" in repr(evaluate(tmp_path / "older" / "best.keras", whole))
    with pytest.raises(ValueError, match="the teacher small was selected on PrivateTest"):
        fit(whole, tmp_path / "pupil", taught, teacher=tmp_path / "older" / "best.keras")
    with pytest.raises(ValueError, match="was selected on PrivateTest"):
        keep(run, "kept", tmp_path / "records")
    with pytest.raises(ValueError, match="was selected on PrivateTest"):
        ship(run.folder, "shipped", whole, tmp_path / "weights")
    scores = evaluate(run, whole, "PublicTest")
    assert "was selected on PrivateTest" in repr(scores)
    with pytest.raises(ValueError, match="a was selected on PrivateTest"):
        select({"a": scores})
    with pytest.warns(UserWarning, match="its score there is no test score"):
        evaluate(run, whole, "PrivateTest")


def test_a_teacher_answers_the_emotions_of_the_faces_in_their_order(scored, whole, tmp_path):
    taught = replace(SHORT, name="taught", teacher=0.7, epochs=1)
    turned = replace(whole, labels=6 - whole.labels, names=whole.names[::-1])
    with pytest.raises(ValueError, match="small tells angry, disgust.*the faces neutral, surprise"):
        fit(turned, tmp_path / "run", taught, teacher=scored)
    run = fit(whole, tmp_path / "run", taught, teacher=[scored, small_model(plain=True)])
    known, unknown = run.provenance["teachers"]
    assert known["record"] == "scored" and known["weights"] == scored.weights
    assert known["emotions"] == list(whole.names) and known["selected_on"] == "PublicTest"
    assert unknown["record"] is None and unknown["weights"]


def test_the_provenance_of_a_resumed_run_keeps_what_it_said(interrupted, whole, tmp_path, monkeypatch):
    from fer_kit.training import loop

    shutil.copytree(interrupted.folder, tmp_path / "run")
    before = Run(tmp_path / "run").provenance
    monkeypatch.setattr(loop, "describe", lambda: "another device")
    run = fit(whole, tmp_path / "run", SHORT, model=small_model(plain=True))
    assert {name: run.provenance[name] for name in before if name != "resumed_after"} == {
        name: value for name, value in before.items() if name != "resumed_after"
    }
    assert run.provenance["resumed_after"] == [1]
    assert run.provenance["resumed"][0] | {"at": ""} == {"after": 1, "at": "", "device": "another device"}


# ---- outputs that are no probabilities ----


def test_outputs_that_are_no_probabilities_get_no_score(whole, scored):
    import keras

    inside = small_model(plain=True)
    logits = keras.Model(inside.inputs, keras.layers.Rescaling(5.0, offset=-1.0)(inside.outputs[0]))
    broken = small_model(plain=True)
    broken.set_weights([np.full_like(weight, np.nan) for weight in broken.get_weights()])
    negative = keras.Model(inside.inputs, keras.layers.Rescaling(-1.0)(inside.outputs[0]))
    twice = keras.Model(inside.inputs, keras.layers.Rescaling(2.0)(inside.outputs[0]))
    for network in (logits, broken, negative, twice):
        with pytest.raises(ValueError, match="no probabilities.*End the network with a softmax"):
            scoring.predict(network, whole.images)
        why = r"are none \(NaN" if network is broken else "probabilities.*add up to 1"
        with pytest.raises(ValueError, match=why):
            evaluate(network, whole, "PublicTest")


def test_a_score_on_faces_that_were_learned_from_says_so(faces, tmp_path):
    """Of a plain folder another share is held out for scoring than was for training, or none."""
    plain = replace(faces[:200], usage="Training")
    held = hold_out(plain, 0.3)
    run = fit(held, tmp_path / "run", SHORT, model=small_model(plain=True))
    for usage in ("PublicTest", "PrivateTest", "Training"):
        assert "leak" not in evaluate(run, held, usage).about
    twins = held.training.join(replace(held.training[:3], usage="PrivateTest"))
    assert "leak" not in evaluate(run, twins, "PrivateTest").about  # twins have an accuracy of their own
    others = hold_out(plain, 0.05)
    learned = others.private_test.has_twin_in(held.training) & ~others.private_test.has_twin_in(
        others.training
    )
    with pytest.warns(UserWarning, match=f"learned from {learned.sum()} of these {len(learned)} faces"):
        evaluate(run, others, "PrivateTest")
    assert "the model learned from" in repr(evaluate(run.folder / "best.keras", others, "PrivateTest"))
    count = plain.has_twin_in(held.training).sum()
    assert f"the model learned from {count} of these 200 faces" in repr(evaluate(run, plain))
    few_twins = held.private_test.join(replace(held.training[:3], usage="PrivateTest"))
    assert "leak" not in evaluate(run, few_twins.join(held.training[3:9]), "PrivateTest").about
    with pytest.warns(UserWarning, match="learned from"):
        evaluate(run, others.private_test, "PrivateTest")
    (run.folder / "learned.npz").write_bytes(b"")
    assert "leak" not in evaluate(run, plain).about
    (run.folder / "learned.npz").unlink()  # as in a record of an older version
    assert "leak" not in evaluate(run, plain).about


def test_a_score_that_cannot_be_recorded_is_told_all_the_same(scored, whole, tmp_path, monkeypatch):
    shutil.copytree(scored.folder, tmp_path / "run")
    (tmp_path / "run" / "provenance.json").unlink()
    with pytest.warns(UserWarning, match="could not be recorded: .*provenance.json is gone"):
        assert evaluate(tmp_path / "run", whole, "PrivateTest").accuracy == scored.score()["accuracy"]

    def read_only(*_):
        raise PermissionError(13, "Permission denied", "metrics.json")

    monkeypatch.setattr(Run, "write_metrics", read_only)
    with pytest.warns(UserWarning, match="could not be recorded: .*Permission denied"):
        assert evaluate(scored, whole, "PrivateTest").accuracy == scored.score()["accuracy"]


def test_a_network_that_names_its_outputs_is_believed(scored, whole, tmp_path):
    right = tuple(whole.names)
    same = evaluate(scored, whole, names=("anger", *right[1:]))
    assert same.accuracy == evaluate(scored, whole).accuracy
    for wrong in (right[::-1], tuple(sorted(right)[::-1])):
        with pytest.raises(
            ValueError, match=f"are {', '.join(right)}, as it says itself, and not {wrong[0]}"
        ):
            evaluate(scored, whole, names=wrong)
        with pytest.raises(ValueError, match="as it says itself"):
            emotions_of(scored.folder / "best.keras", scored.model(), wrong)
