"""Run records: what they say, and files that are damaged, foreign or cut off."""

import json
import zipfile

import numpy as np
import pandas as pd
import pytest

from fer_kit.models import pretrained
from fer_kit.runtime.files import read_json, replacing, write_json
from fer_kit.training.recipes import differences
from fer_kit.training.records import Run, folders, recorded
from maintain.ship import keep


@pytest.fixture
def run(tmp_path):
    """A finished record of two epochs without a model."""
    recipe = {"name": "quick", "monitor": "val_accuracy"}
    run = folders.begin(tmp_path / "run", {"model": "small", "recipe": recipe, "seed": 0})
    provenance = {"selected_on": "PublicTest", "device": "a CPU", "precision": "float32", "profile": "smoke"}
    write_json(run.folder / "provenance.json", provenance | {"dataset": {"source": "fer2013.zip"}})
    write_json(run.folder / "metrics.json", run.metrics | {"status": "finished"})
    rows = {"val_accuracy": [0.2, 0.5, 0.5], "val_loss": [1.9, 1.8, 1.7], "seconds": [60.0, 60.0, 60.0]}
    pd.DataFrame(rows, index=pd.RangeIndex(1, 4, name="epoch")).to_csv(run.folder / "history.csv")
    return run


def small_model():
    import keras

    faces = keras.Input((48, 48, 1), dtype="uint8")
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(faces))
    return keras.Model(faces, keras.layers.Dense(7, activation="softmax")(x))


def test_a_record_says_in_one_line_what_came_out(run):
    assert (run.best_epoch, run.best_accuracy) == (2, 0.5)
    for words in (
        "small with recipe quick",
        "best epoch 2 of 3",
        "PublicTest 50.0%",
        "3.0 min",
        "profile smoke",
    ):
        assert words in run.summary and words in repr(run)


def test_the_monitor_of_the_recipe_chooses_the_best_epoch(run):
    config = run.config | {"recipe": {"name": "quick", "monitor": "val_loss"}}
    write_json(run.folder / "config.json", config)
    assert run.best_epoch == 3


def test_every_look_at_private_test_is_counted_and_every_score_stays(run):
    one = {"usage": "PrivateTest", "faces": 9, "accuracy": 0.5, "private_test": 9, "weights": "a"}
    run.add_score(one)
    run.add_score(one | {"augment": "flip", "accuracy": 0.6})
    run.add_score(one | {"accuracy": 0.4})
    run.add_scores("errors", {"young": 1})
    metrics = Run.open(run.folder).metrics
    assert metrics["private_test_scored"] == 3
    assert [score.get("accuracy") for score in metrics["scores"].values()] == [0.5, 0.6, None]
    assert run.score("PrivateTest")["accuracy"] == 0.5 and run.score("PublicTest") is None


def test_a_folder_without_a_record_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="is no run record.*config.json"):
        Run.open(tmp_path)


def test_an_epoch_that_was_not_saved_is_not_in_the_history(run):
    write_json(run.folder / "metrics.json", run.metrics | {"status": "unfinished"})
    assert run.history.empty and run.best_epoch is None
    np.savez(run.folder / "state.npz", about=json.dumps({"epoch": 2}))
    assert list(run.history.index) == [1, 2]


def test_a_run_without_a_finished_epoch_has_no_model(run):
    with pytest.raises(FileNotFoundError, match="no epoch of this run has finished"):
        run.model()


def test_a_model_comes_back_as_it_was_saved(run):
    faces = np.random.default_rng(0).integers(0, 256, (3, 48, 48, 1), np.uint8)
    model = small_model()
    model.save(run.folder / "best.keras")
    np.testing.assert_array_equal(run.model().predict(faces, verbose=0), model.predict(faces, verbose=0))


def test_a_cut_off_or_foreign_model_file_is_named(run):
    path = run.folder / "best.keras"
    small_model().save(path)
    whole = path.read_bytes()
    with zipfile.ZipFile(run.folder / "other.keras", "w") as other:
        other.writestr("readme.txt", "no model")
    for content in (b"", b"no model", whole[: len(whole) // 2], (run.folder / "other.keras").read_bytes()):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="best.keras cannot be read as a Keras model"):
            run.model()
    damaged = bytearray(whole)
    damaged[len(damaged) // 2] ^= 0xFF
    path.write_bytes(damaged)
    with pytest.raises(ValueError, match="best.keras cannot be read as a Keras model"):
        run.model()


def test_a_lambda_layer_in_a_model_file_is_not_run(tmp_path):
    import keras

    faces = keras.Input((48, 48, 1))
    x = keras.layers.Lambda(lambda x: print("I was run") or x)(faces)
    keras.Model(faces, keras.layers.Flatten()(x)).save(tmp_path / "theirs.keras")
    with pytest.raises(ValueError, match="theirs.keras has a Lambda layer.*not run"):
        pretrained.load_model(tmp_path / "theirs.keras")


def test_a_lambda_layer_is_found_in_a_nested_model(tmp_path):
    import keras

    inner = keras.Sequential([keras.Input((4,)), keras.layers.Lambda(lambda x: x * 2)], name="inner")
    faces = keras.Input((4,))
    keras.Model(faces, keras.layers.Dense(2)(inner(faces))).save(tmp_path / "nested.keras")
    with pytest.raises(ValueError, match="nested.keras has a Lambda layer.*not run"):
        pretrained.load_model(tmp_path / "nested.keras")


def test_a_layer_that_is_only_called_lambda_is_loaded(tmp_path):
    import keras

    faces = keras.Input((4,))
    keras.Model(faces, keras.layers.Dense(2, name="Lambda")(faces)).save(tmp_path / "named.keras")
    assert pretrained.load_model(tmp_path / "named.keras").output_shape == (None, 2)


def test_a_damaged_json_file_is_named(run):
    (run.folder / "metrics.json").write_text('{"status": "fini')
    with pytest.raises(ValueError, match="metrics.json is damaged.*retrain=True"):
        _ = run.metrics


def test_a_failed_write_leaves_the_file_as_it_was(tmp_path):
    path = tmp_path / "kept.json"
    write_json(path, {"old": 1})
    with pytest.raises(KeyboardInterrupt), replacing(path) as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert read_json(path) == {"old": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_differences_are_said_in_words():
    old = {"model": "a", "recipe": {"epochs": 4, "mixup": 0.0}, "faces": "x"}
    new = {"model": "a", "recipe": {"epochs": 9, "mixup": 0.0}, "seed": 1, "faces": "x"}
    assert differences(old, new) == ["recipe epochs was 4, now 9", "seed was not given, now 1"]
    assert differences(old, old) == []
    reworded = old | {"recipe": old["recipe"] | {"silent": "said better", "source": "a book"}}
    assert differences(old, reworded) == []
    without = {"variant": {"augment": None}}
    assert differences({"variant": {}}, without) == ["variant augment was not given, now None"]


def files_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def trained(run):
    """The same record, with the files that a finished training leaves."""
    for name in ("best.keras", "predictions.npz"):
        (run.folder / name).write_bytes(b"hours of work")
    return run.config


def test_a_run_that_retrain_replaces_is_kept_beside_it(run, capsys):
    config = trained(run)
    before = files_of(run.folder)
    (run.folder / "notes.txt").write_text("mine")
    for count in (1, 2):
        folders.begin(run.folder, config | {"seed": count}, retrain=True)
        aside = run.folder.with_name(f"run-replaced-{count}")
        assert str(aside) in capsys.readouterr().out
        assert files_of(run.folder).keys() == {"config.json", "notes.txt"}
        trained(run)
    assert files_of(run.folder.with_name("run-replaced-1")) == before
    assert run.config["seed"] == 2 and (run.folder / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("status", ["unfinished", "interrupted"])
def test_a_run_of_which_no_epoch_finished_leaves_nothing_beside_it(run, status):
    write_json(run.folder / "metrics.json", run.metrics | {"status": status})
    folders.begin(run.folder, run.config | {"seed": 9}, retrain=True)
    assert [path.name for path in run.folder.parent.iterdir()] == ["run"]


FOREIGN = ["best.keras", "metrics.json", "history.csv", "state.npz", "predictions.npz", "head.keras"]


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("config", [None, '{"architectures": ["BertModel"]}', "[]"])
@pytest.mark.parametrize("retrain", [False, True])
def test_files_that_no_run_left_are_not_touched(tmp_path, name, config, retrain):
    (tmp_path / name).write_bytes(b"somebody's")
    if config:
        (tmp_path / "config.json").write_text(config)
    before = files_of(tmp_path)
    with pytest.raises(FileExistsError, match=f"{name}.*is no run record.*another folder"):
        folders.begin(tmp_path, {"model": "a", "recipe": {}}, retrain)
    assert files_of(tmp_path) == before


@pytest.mark.parametrize("gone", ["metrics.json", "state.npz"])
def test_a_trained_run_that_lost_a_file_is_not_trained_anew_unasked(run, gone):
    config = trained(run)
    write_json(run.folder / "metrics.json", run.metrics | {"status": "interrupted"})
    np.savez(run.folder / "state.npz", about=json.dumps({"epoch": 2}))
    assert folders.begin(run.folder, config).best_epoch  # whole, it is resumed
    if gone == "metrics.json":  # of a finished one
        (run.folder / "state.npz").unlink()
    (run.folder / gone).unlink()
    before = files_of(run.folder)
    with pytest.raises(ValueError, match="of a trained run.*is gone.*retrain=True"):
        folders.begin(run.folder, config)
    assert files_of(run.folder) == before
    folders.begin(run.folder, config, retrain=True)
    assert files_of(run.folder.with_name("run-replaced-1")) == before


def test_a_damaged_config_is_named_and_can_be_replaced(run):
    config = trained(run)
    (run.folder / "config.json").write_text('{"model": ')
    with pytest.raises(ValueError, match="config.json is damaged"):
        folders.begin(run.folder, config)
    folders.begin(run.folder, config, retrain=True)
    assert (run.folder.with_name("run-replaced-1") / "best.keras").exists()


def test_keep_copies_the_small_files_alone(run, tmp_path):
    (run.folder / "best.keras").write_bytes(b"large")
    for odd in ("", "..", "../elsewhere", "studies/../..", str(tmp_path / "elsewhere")):
        with pytest.raises(ValueError, match="is no name for a record; give one like"):
            keep(run, odd, tmp_path / "records")
    copy = keep(run, "quick", tmp_path / "records")
    assert copy.summary == run.summary
    assert not (copy.folder / "best.keras").exists() and not (copy.folder / "private.npz").exists()


def test_keep_replaces_another_runs_record_only_when_asked_and_then_wholly(run, tmp_path):
    arrays = {name: np.zeros(1) for name in ("probabilities", "labels", "usage", "files")}
    np.savez(run.folder / "private.npz", **arrays)
    kept = keep(run, "quick", tmp_path / "records")
    assert keep(run, "quick", tmp_path / "records").folder == kept.folder
    write_json(run.folder / "config.json", run.config | {"seed": 9})
    (run.folder / "private.npz").unlink()
    before = files_of(kept.folder)
    with pytest.raises(FileExistsError, match="config.json is there already.*overwrite=True"):
        keep(run, "quick", tmp_path / "records")
    assert files_of(kept.folder) == before
    keep(run, "quick", tmp_path / "records", overwrite=True)
    assert kept.config["seed"] == 9 and not (kept.folder / "private.npz").exists()


def test_keep_writes_over_no_files_of_somebodys(run, tmp_path):
    for name in ("metrics.json", "history.csv", "private.npz"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).write_text("theirs")
        with pytest.raises(FileExistsError, match=f"{name} is there already"):
            keep(run, name, tmp_path)
        assert files_of(tmp_path / name) == {name: b"theirs"}
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "config.json").write_text("[")
    with pytest.raises(ValueError, match="config.json is damaged"):
        keep(run, "damaged", tmp_path)
    assert keep(run, "damaged", tmp_path, overwrite=True).config == run.config


def test_keep_refuses_a_run_that_has_nothing_to_keep(run, tmp_path):
    write_json(run.folder / "metrics.json", run.metrics | {"status": "unfinished"})
    with pytest.raises(ValueError, match="no finished epoch"):
        keep(run, "quick", tmp_path / "records")


def test_keep_refuses_runs_that_have_not_finished_or_learned_from_drawn_faces(run, tmp_path, monkeypatch):
    write_json(run.folder / "provenance.json", run.provenance | {"dataset": {"source": "built-in sample"}})
    with pytest.raises(ValueError, match="learned from drawn faces"):
        keep(run, "quick", tmp_path / "records")
    monkeypatch.setattr(Run, "finished", False)
    with pytest.raises(ValueError, match="run has not finished; train it to its end first"):
        keep(run, "quick", tmp_path / "records")
    assert not (tmp_path / "records").exists()


def test_the_longest_record_stands_in_for_a_missing_whole_run(run, tmp_path, monkeypatch):
    monkeypatch.setattr("fer_kit.training.records.run.RECORDS", tmp_path / "records")
    assert recorded("small") is None
    for name in ("small-9-epochs", "small-15-epochs", "small-plain-20-epochs"):
        keep(run, name, tmp_path / "records")
    assert recorded("small").folder.name == "small-15-epochs"
    keep(run, "small", tmp_path / "records")
    assert recorded("small").folder.name == "small"
