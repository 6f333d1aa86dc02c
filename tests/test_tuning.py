"""Tuning: what is tried, shared work, killed processes, damaged files, and the learning-rate finder."""

import json
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_kit.data.sample.people import draw_sample
from fer_kit.plots import tuning as tuning_plots
from fer_kit.studies.tuning import shared
from fer_kit.studies.tuning import space as tuning_space
from fer_kit.studies.tuning import study as tuning
from fer_kit.training import learning_rate
from fer_kit.training.recipes import RECIPES, Recipe

optuna = pytest.importorskip("optuna")

QUICK = Recipe("quick", "these tests", epochs=1, batch_size=8, learning_rate=0.01)
ROOT = Path(__file__).parents[1]


def toy(emotions, dropout=0.1):
    """A linear model on a face of 6x6 pixels."""
    import keras
    from keras import layers

    faces = keras.Input((48, 48, 1), dtype="uint8")
    x = layers.Flatten()(layers.AveragePooling2D(8)(layers.Rescaling(1 / 64, -2)(faces)))
    x = layers.Dropout(dropout)(x)
    return keras.Model(faces, layers.Dense(emotions, activation="softmax")(x))


@pytest.fixture(scope="module")
def few():
    """64 faces of the built-in sample to learn from and 40 to select on."""
    faces = draw_sample(700)
    return faces.training.sample(64).join(faces.public_test.sample(40))


SPACE = {
    "learning_rate": optuna.distributions.FloatDistribution(1e-4, 1, log=True),
    "dropout": optuna.distributions.FloatDistribution(0.25, 0.6),
}


@pytest.fixture(scope="module")
def searched(few, tmp_path_factory):
    """A finished search of five trials of up to three epochs: the folder."""
    out = tmp_path_factory.mktemp("searched")
    tuning.search(toy, few, QUICK, SPACE, out, trials=5, epochs=3, pruner=Third())
    return out


BATCHES = {"batch_size": [32, 64]}


@pytest.fixture(scope="module")
def grid_folder(few, tmp_path_factory):
    """A finished grid over BATCHES: the folder."""
    out = tmp_path_factory.mktemp("grid")
    tuning.grid(toy, few, QUICK, BATCHES, out)
    return out


@pytest.fixture
def gridded(grid_folder, tmp_path):
    """A copy of that folder, for a test to spoil."""
    return Path(shutil.copytree(grid_folder, tmp_path / "study"))


class Third(optuna.pruners.BasePruner):
    """Prunes the third trial after its second epoch."""

    def prune(self, study, trial):
        return trial.number == 2 and trial.last_step == 2


# ---- what is tried ----


def test_a_grid_tries_all_in_order_and_again_trains_nothing(few, gridded, monkeypatch):
    settings = tuning_space.combinations({"batch_size": [64, 32], "dropout": [0.6, 0.25]})
    assert [tuple(setting.values()) for setting in settings] == [(64, 0.6), (64, 0.25), (32, 0.6), (32, 0.25)]
    monkeypatch.setattr(tuning, "fit", lambda *_, **__: pytest.fail("trained again"))
    trials = tuning.grid(toy, few, QUICK, {"batch_size": np.array([32, 64])}, gridded)
    assert trials.batch_size.tolist() == [32, 64] and trials.accuracy.between(0, 1).all()
    assert set(trials.state) == {"finished"}


def test_a_trial_leaves_its_record_without_weights_and_selects_on_public_test(searched):
    config = json.loads((searched / "trial-0000/config.json").read_text())
    about = json.loads((searched / "trial-0000/provenance.json").read_text())
    trials = tuning.table(searched)
    assert config["recipe"]["learning_rate"] == pytest.approx(trials.learning_rate[0])
    assert config["model"] == "toy" and config["variant"]["dropout"] == pytest.approx(trials.dropout[0])
    assert about["selected_on"] == "PublicTest" and not about["selected_on_private_test"]
    assert not [*searched.rglob("*.keras"), *searched.rglob("state.npz"), *searched.rglob("alive")]
    assert "epoch 3/3" in (searched / "trial-0000/log.txt").read_text()


def test_a_search_prunes_and_all_curves_are_kept(searched):
    trials, curves = tuning.table(searched), tuning.curves(searched)
    assert trials.state.tolist() == ["finished", "finished", "pruned", "finished", "finished"]
    assert trials.epochs.tolist() == [3, 3, 2, 3, 3] and "after epoch 2" in trials.why[2]
    assert curves.groupby("trial").size().tolist() == trials.epochs.tolist()
    np.testing.assert_allclose(curves.groupby("trial").val_accuracy.max(), trials.accuracy)
    assert trials.learning_rate.nunique() == 5 and trials.dropout.between(0.25, 0.6).all()
    winner = trials[trials.state == "finished"].accuracy.idxmax()
    assert tuning.best(searched)["learning_rate"] == trials.learning_rate[winner]


def test_a_search_can_be_continued(few, searched, tmp_path):
    out, before = shutil.copytree(searched, tmp_path / "more"), tuning.table(searched)
    after = tuning.search(toy, few, QUICK, SPACE, out, trials=6, epochs=3, pruner=Third())
    assert len(after) == 6
    pd.testing.assert_frame_equal(after[:5], before)


def test_importance_adds_up_and_asks_for_enough(searched, gridded):
    shares = tuning.importance(searched).share
    assert set(shares.index) == {"learning_rate", "dropout"} and shares.sum() == pytest.approx(1)
    with pytest.raises(ValueError, match="2 finished trials .*three or more"):
        tuning.importance(gridded)


def test_the_best_is_confirmed_with_new_seeds(few, searched, tmp_path):
    scores = tuning.confirm(toy, few, QUICK, tuning.best(searched), tmp_path, seeds=(1, 2), epochs=1)
    assert scores.loc["accuracy", "seeds"] == 2 and 0 <= scores.loc["accuracy", "mean"] <= 1
    runs = [json.loads((tmp_path / f"seed-{seed}/config.json").read_text()) for seed in (1, 2)]
    assert [run["seed"] for run in runs] == [1, 2]
    assert runs[0]["recipe"]["learning_rate"] == tuning.best(searched)["learning_rate"]


def test_a_record_needs_no_optuna_and_reads_back(searched, tmp_path, monkeypatch):
    assert tuning.read_record(tmp_path / "none") is None
    tuning.write_record(searched, tmp_path / "record")
    trials, curves = tuning.table(searched), tuning.curves(searched)
    monkeypatch.setattr(shared, "import_optuna", lambda: pytest.fail("needs Optuna"))
    read, read_curves, about = tuning.read_record(tmp_path / "record")
    pd.testing.assert_frame_equal(read, trials, rtol=1e-4)
    pd.testing.assert_frame_equal(read_curves, curves, rtol=1e-4)
    assert about["config"]["model"] == "toy" and about["provenance"]["versions"]["keras"]


# ---- shared work ----

CHILD = f"""
import sys
sys.path[:0] = [{str(Path(__file__).parent)!r}, {str(ROOT)!r}]
import test_tuning as t
from fer_kit.data import faceset
from fer_kit.studies.tuning import shared, study as tuning
shared.BEAT = 0.2
few = faceset.FaceSet.load(sys.argv[1])
"""
WORK = """
t.tuning.grid(t.toy, few, t.QUICK, t.SHARED, sys.argv[2], epochs=2)
"""
STUCK = """
import time
from fer_kit.training import callbacks
def stuck(self, batch, logs=None):
    if self.title.startswith("epoch 2/") and shares > 1:
        open(sys.argv[2] + "/stuck", "w").close()
        time.sleep(600)
def count(*arguments, whole=tuning._run_trial, **options):
    global shares
    shares += 1
    whole(*arguments, **options)
shares = 0
callbacks.Progress.on_train_batch_begin = stuck
tuning._run_trial = count
"""
SHARED = {"batch_size": [16, 32, 64], "dropout": [0.25, 0.6]}


def start(code, few, out):
    few.save(out / "few.npz")
    command = [sys.executable, "-u", "-c", CHILD + code, str(out / "few.npz"), str(out)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_two_processes_share_a_study_and_one_is_killed(few, tmp_path, monkeypatch):
    victim, worker = start(STUCK + WORK, few, tmp_path), start(WORK, few, tmp_path)
    worked, errors = worker.communicate(timeout=400)
    while not (tmp_path / "stuck").exists():
        assert victim.poll() is None, victim.communicate()
        time.sleep(0.1)
    victim.kill()
    killed, _ = victim.communicate()
    assert worker.returncode == 0, errors
    assert tuning.table(tmp_path).state.tolist().count("running") == 1  # alive to the last
    assert [killed.count("PublicTest"), worked.count("PublicTest")] == [1, 4], killed + worked

    monkeypatch.setattr(shared, "DEAD_AFTER", 1)
    time.sleep(1.1)
    trials = tuning.grid(toy, few, QUICK, SHARED, tmp_path, epochs=2)
    assert set(trials.state) == {"finished"} and trials.epochs.tolist() == [2] * 6
    assert sorted(zip(trials.batch_size, trials.dropout, strict=True)) == sorted(product(*SHARED.values()))
    last = tmp_path / f"trial-{trials.index[-1]:04}"
    assert json.loads((last / "provenance.json").read_text())["resumed_after"] == [1]


def test_a_setting_that_kills_its_process_is_not_tried_forever(few, tmp_path, monkeypatch):
    monkeypatch.setattr(shared, "DEAD_AFTER", 0)
    monkeypatch.setattr(tuning, "_run_trial", lambda *_: None)  # leaves the trial as a kill would
    tuning.grid(toy, few, QUICK, {"batch_size": [16]}, tmp_path)
    study = shared.open_study(tmp_path)
    assert [trial.state.name for trial in study.trials] == ["FAIL"] * shared.TRIES
    assert tuning.table(tmp_path).state.tolist() == ["failed"]


def test_ctrl_c_puts_the_trial_back(few, tmp_path, monkeypatch, capsys):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as stopping:
        stopping.setattr(tuning, "fit", interrupt)
        trials = tuning.grid(toy, few, QUICK, {"batch_size": [64]}, tmp_path, epochs=2)
    assert trials.state.tolist() == ["queued"] and "same call goes on" in capsys.readouterr().out
    monkeypatch.setattr(optuna.pruners.MedianPruner, "prune", lambda *_: pytest.fail("a grid was pruned"))
    trials = tuning.grid(toy, few, QUICK, {"batch_size": [64]}, tmp_path, epochs=2)
    assert trials.batch_size.tolist() == [64] and trials.state.tolist() == ["finished"]


# ---- what goes wrong ----


def test_a_loss_that_is_no_number_is_pruned_and_memory_that_runs_out_fails(few, tmp_path, monkeypatch):
    def hungry(model, faces, recipe, *arguments, whole=tuning.fit, **options):
        if recipe.learning_rate == 0.5:
            raise MemoryError("memory ran out in batches of 8")
        return whole(model, faces, recipe, *arguments, **options)

    monkeypatch.setattr(tuning, "fit", hungry)
    trials = tuning.grid(toy, few, QUICK, {"learning_rate": [1e39, 0.5, 0.01]}, tmp_path)
    assert trials.state.tolist() == ["pruned", "failed", "finished"]
    assert "the loss became" in trials.why[0] and trials.epochs[0] == 0 and np.isnan(trials.accuracy[0])
    assert "memory ran out" in trials.why[1]
    assert tuning.best(tmp_path) == {"learning_rate": 0.01}


def test_another_study_in_the_same_folder_is_refused(few, searched, gridded):
    with pytest.raises(ValueError, match=r"another study: space batch_size was \[32, 64\], now \[32\]"):
        tuning.grid(toy, few, QUICK, {"batch_size": [32]}, gridded)
    with pytest.raises(ValueError, match="recipe epochs was 1, now 2; seed was 0, now 5.*another folder"):
        tuning.grid(toy, few, QUICK, BATCHES, gridded, epochs=2, seed=5)
    with pytest.raises(ValueError, match="space learning_rate was FloatDistribution.*, now not given"):
        tuning.grid(toy, few, QUICK, {"dropout": [0.5]}, searched, epochs=3)


def test_a_journal_that_was_cut_off_loses_its_last_line_alone(few, gridded, capsys):
    journal = gridded / "study.log"
    whole = journal.read_bytes()
    kept = whole[: whole[:-1].rfind(b"\n") + 1]  # the last line says that the last trial has finished
    journal.write_bytes(whole[:-20])
    assert tuning.table(gridded).state.tolist() == ["finished", "running"]
    assert "study.log was cut off in its last line" in capsys.readouterr().out
    assert journal.read_bytes() == kept
    assert tuning.grid(toy, few, QUICK, BATCHES, gridded).state.tolist() == ["finished"] * 2


def test_a_damaged_or_lost_journal_is_named(few, gridded):
    journal = gridded / "study.log"
    journal.write_bytes(journal.read_bytes().replace(b'"op_code"', b'"op_co', 2))
    with pytest.raises(ValueError, match="study.log is damaged .*restore it from a copy"):
        tuning.table(gridded)
    journal.unlink()
    with pytest.raises(ValueError, match="has trials, but their study.log is gone"):
        tuning.grid(toy, few, QUICK, BATCHES, gridded)


def test_a_lock_that_a_killed_process_left_is_broken(few, gridded, monkeypatch):
    monkeypatch.setattr(shared, "LOCK_EXPIRES", 1)
    for name in ("study.log.lock", "claim.lock"):
        (gridded / name).touch()
    with pytest.warns(UserWarning, match="grace_period"):
        assert len(tuning.grid(toy, few, QUICK, BATCHES, gridded)) == 2
    assert not (gridded / "claim.lock").exists()


def test_no_trials_and_no_study(few, tmp_path):
    with pytest.raises(ValueError, match="trials is 0; a study needs at least one"):
        tuning.search(toy, few, QUICK, {"batch_size": [16]}, tmp_path, trials=0)
    with pytest.raises(FileNotFoundError, match="has no study.log; tuning.grid"):
        tuning.table(tmp_path)
    shared.begin_study(tmp_path, {"space": {"dropout": [0.5]}})
    assert tuning.table(tmp_path).empty and tuning.curves(tmp_path).empty
    with pytest.raises(ValueError, match="no trial of .* has finished"):
        tuning.best(tmp_path)
    with pytest.raises(ValueError, match="nothing to record yet"):
        tuning.write_record(tmp_path, tmp_path / "record")


def test_without_optuna_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ModuleNotFoundError, match=r'pip install "fer-kit\[tuning\]"'):
        shared.begin_study(tmp_path, {})


@pytest.mark.parametrize(
    ("space", "complaint"),
    [
        ({"learning_rat": [0.1]}, "no hyper-parameter 'learning_rat'; did you mean 'learning_rate'"),
        ({"droput": [0.5]}, "did you mean 'dropout'"),
        ({"schedule": ["platau"]}, "schedule is 'platau'; choose from"),
        ({"schedule": "plateau"}, "schedule is 'plateau'; give a list"),
        ({"batch_size": []}, "batch_size has no choices"),
        ({"batch_size": [0]}, "batch_size is 0; it must be above 0"),
        ({"batch_size": ["32"]}, "batch_size cannot be '32'"),
        ({"batch_size": 32}, "batch_size is 32; give a list"),
        ({"dropout": [1.5]}, r"dropout is 1.5; it has to be in \[0, 1\)"),
        ({}, "the space is empty"),
        ("murphy-tunning", "no space 'murphy-tunning'; did you mean 'murphy-tuning'"),  # a typo on purpose
    ],
)
def test_a_space_that_cannot_be_tried_is_refused(space, complaint):
    for model in (toy, "kit-small"):
        with pytest.raises(ValueError, match=complaint):
            tuning_space.check_space(space, QUICK, model)


def test_a_grid_of_a_range_is_refused(few, tmp_path):
    rates = optuna.distributions.FloatDistribution(1e-4, 1e-1, log=True)
    with pytest.raises(ValueError, match="a grid needs a list of choices for learning_rate"):
        tuning.grid(toy, few, QUICK, {"learning_rate": rates}, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@given(st.text(max_size=12))
def test_any_unknown_name_is_refused_and_never_tried(name):
    known = [*tuning_space.OF_THE_RECIPE, "dropout"]
    if name in known:
        assert tuning_space.check_space({name: [0.5]}, QUICK, toy) if name == "dropout" else True
    else:
        with pytest.raises(ValueError, match="no hyper-parameter"):
            tuning_space.check_space({name: [0.5]}, QUICK, toy)


def test_the_reports_spaces_can_be_tried():
    for name in tuning.SPACES:
        space = tuning_space.check_space(name, RECIPES["choudhari"], "choudhari-cnn")
        settings = tuning_space.combinations(space)
        assert len(settings) == np.prod([len(values) for values in space.values()])
    assert tuning_space.describe({"batch_size": 16, "learning_rate": 0.00012345}) == (
        "batch_size 16, learning_rate 0.000123"
    )


# ---- the learning-rate finder and the plots ----


def test_the_finder_rises_stops_at_divergence_and_leaves_the_weights(few):
    model = toy(7)
    before = model.get_weights()
    curve = learning_rate.find_learning_rate(model, few, QUICK, lowest=1e-4, highest=1e4, steps=60)
    assert len(curve) < 60 and np.allclose(np.diff(np.log(curve.learning_rate)), np.log(1e8) / 59)
    assert curve.smoothed.iloc[-1] <= learning_rate.DIVERGED * curve.smoothed.min()
    assert curve.smoothed[0] == pytest.approx(curve.loss[0])
    rate = learning_rate.suggest(curve)
    assert 1e-4 < 10 * rate < curve.learning_rate.iloc[-1]
    assert all(np.array_equal(old, new) for old, new in zip(before, model.get_weights(), strict=True))
    assert isinstance(tuning_plots.finder(curve, rate), tuning_plots.plt.Figure)


@pytest.mark.parametrize("end", [[9.0, 30.0], [1.0] * 40], ids=["shoots up", "stays flat"])
def test_the_suggestion_lies_where_most_of_the_fall_is_done(end):
    smoothed = [2.9, 3.0, *np.linspace(3, 1, 11), *end]  # down by 0.2 a step from the third on
    curve = pd.DataFrame({"learning_rate": 10.0 ** np.arange(-5, len(smoothed) - 5), "smoothed": smoothed})
    assert learning_rate.suggest(curve) == curve.learning_rate[10]


def test_the_finder_survives_a_loss_that_is_no_number_and_refuses_nonsense(few):
    curve = learning_rate.find_learning_rate(
        toy(7), few, replace(QUICK, optimiser="sgd", schedule="cosine"), lowest=1e30, highest=1e38, steps=5
    )
    assert len(curve) < 5 and np.isfinite(curve.smoothed).all()
    with pytest.raises(ValueError, match="rose from the first step"):
        learning_rate.suggest(curve)
    with pytest.raises(ValueError, match="nothing rises"):
        learning_rate.find_learning_rate(toy(7), few, QUICK, lowest=1, highest=0.1)


def test_plots_draw_what_the_tables_hold(searched, few):
    trials, curves = tuning.table(searched), tuning.curves(searched)
    lines = tuning_plots.progress(curves, trials).axes[0].get_lines()
    assert len(lines) == len(trials)
    assert len(tuning_plots.slices(trials).axes) == 2
    assert len(tuning_plots.importance(tuning.importance(searched)).axes[0].patches) == 2
    assert "dropout" in [
        label.get_text() for label in tuning_plots.parallel(trials).axes[0].get_xticklabels()
    ]
    halves = curves.assign(half=curves.trial.map(lambda trial: "even" if trial % 2 == 0 else "odd"))
    labels = tuning_plots.effect(halves, "half").axes[1].get_legend_handles_labels()[1]
    assert labels == ["even", "odd"]
    squares = pd.DataFrame({"a": [1, 1, 2], "b": ["x", "y", "x"], "accuracy": [0.1, 0.2, 0.3]})
    shown = tuning_plots.table_of_two(squares, "a", "b").axes[0]
    assert [text.get_text() for text in shown.texts] == ["10.0", "20.0", "30.0"]
    with pytest.raises(ValueError, match="0 values"):
        tuning_plots.effect(curves, "batch_size")
    with pytest.raises(ValueError, match="no trial to draw"):
        tuning_plots.slices(trials[:0])
