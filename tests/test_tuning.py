"""Tuning: what is tried, shared work, killed processes, damaged files, and the learning-rate finder."""

import importlib
import json
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_kit.data.sample.people import draw_sample
from fer_kit.models import zoo
from fer_kit.plots import tuning as tuning_plots
from fer_kit.runtime.code import code_digest
from fer_kit.runtime.seeds import seeded
from fer_kit.studies import tuning
from fer_kit.studies.tuning import results, study
from fer_kit.studies.tuning import space as tuning_space
from fer_kit.training import learning_rate
from fer_kit.training.recipes import RECIPES, Recipe
from fer_kit.training.records import RECORDS
from maintain.ship import keep_study

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


HELPER = {"rate": lambda: 0.1, "number": 0.1}
"""What functions that build networks read from outside."""

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


def test_a_grid_tries_all_once_and_again_trains_nothing(few, gridded, monkeypatch):
    monkeypatch.setattr(study, "fit", lambda *_, **__: pytest.fail("trained again"))
    trials = tuning.grid(toy, few, QUICK, {"batch_size": np.array([32, 64])}, gridded)
    assert sorted(trials.batch_size) == [32, 64] and trials.accuracy.between(0, 1).all()
    assert set(trials.state) == {"finished"} and trials.index.tolist() == [0, 1]


def test_a_trial_leaves_its_record_without_weights_and_selects_on_public_test(searched):
    config = json.loads((searched / "trial-0000/config.json").read_text())
    about = json.loads((searched / "trial-0000/provenance.json").read_text())
    trials = tuning.table(searched)
    assert config["recipe"]["learning_rate"] == pytest.approx(trials.learning_rate[0])
    assert config["model"] == "toy" and config["variant"]["dropout"] == pytest.approx(trials.dropout[0])
    assert about["selected_on"] == "PublicTest" and not about["selected_on_private_test"]
    assert not [*searched.rglob("*.keras"), *searched.rglob("state.npz")]
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
    monkeypatch.setattr(results, "import_optuna", lambda: pytest.fail("needs Optuna"))
    read, read_curves, about = tuning.read_record(tmp_path / "record")
    pd.testing.assert_frame_equal(read, trials, rtol=1e-4)
    pd.testing.assert_frame_equal(read_curves, curves, rtol=1e-4)
    assert about["config"]["model"] == "toy" and about["provenance"]["versions"]["keras"]


def test_a_study_is_kept_when_all_its_trials_have_ended(searched, tmp_path, monkeypatch):
    records = tmp_path / "records"
    with pytest.raises(ValueError, match="learned from drawn faces"):
        keep_study(searched, "toys", records)
    monkeypatch.setattr("maintain.ship._refuse_drawn", lambda run: None)
    folder = keep_study(searched, "toys", records)
    assert folder == records / "tuning/toys" and tuning.recorded("toys", records)[0].equals(
        tuning.read_record(folder)[0]
    )
    with pytest.raises(FileExistsError, match="study.json"):
        keep_study(searched, "toys", records)
    keep_study(searched, "toys", records, overwrite=True)
    copy = shutil.copytree(searched, tmp_path / "copy")
    tuning.open_study(copy).ask()
    with pytest.raises(ValueError, match="copy has trials that are still to end; resume the study first"):
        keep_study(copy, "more", records)
    assert not (records / "tuning/more").exists()


def test_the_recorded_studies_open():
    for name, count in (("choudhari-fig6", 20), ("murphy-tuning", 18), ("search", 21), ("hundred-epochs", 2)):
        trials, curves, about = tuning.read_record(RECORDS / "tuning" / name)
        assert len(trials) == count and set(curves.trial) <= set(trials.index)
        assert set(about["config"]["space"]) <= set(trials.columns)


# ---- shared work ----

STUCK = f"""
import sys, time
sys.path[:0] = [{str(Path(__file__).parent)!r}, {str(ROOT)!r}]
import test_tuning as t
from fer_kit.data import faceset
class Stuck(t.study.Report):
    def on_epoch_begin(self, epoch, logs=None):
        super().on_epoch_begin(epoch, logs)
        if epoch == 1:
            open(sys.argv[2] + "/stuck", "w").close()
            time.sleep(600)
t.study.Report = Stuck
t.results.HEARTBEAT = 1
t.tuning.grid(t.toy, faceset.FaceSet.load(sys.argv[1]), t.QUICK, t.SHARED, sys.argv[2], epochs=2)
"""
SHARED = {"batch_size": [16, 32], "dropout": [0.25, 0.6]}


@pytest.fixture
def impatient(monkeypatch):
    """A killed trial is noticed after two seconds."""
    monkeypatch.setattr(results, "HEARTBEAT", 1)
    monkeypatch.setattr(results, "GRACE_PERIOD", 1)
    monkeypatch.setattr(results, "MAX_RETRIES", 1)


def test_two_processes_share_a_study_and_one_is_killed(few, tmp_path, capsys, monkeypatch):
    few.save(tmp_path / "few.npz")
    command = [sys.executable, "-c", STUCK, str(tmp_path / "few.npz"), str(tmp_path)]
    victim = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not (tmp_path / "stuck").exists():
        assert victim.poll() is None, victim.communicate()
        time.sleep(0.1)
    trials = tuning.grid(toy, few, QUICK, SHARED, tmp_path, epochs=2)
    assert trials.state.tolist() == ["running", "finished", "finished", "finished"]
    assert "trial 0 runs in another process" in capsys.readouterr().out
    victim.kill()
    victim.communicate()

    monkeypatch.setattr(results, "GRACE_PERIOD", 1)
    time.sleep(2.1)
    trials = tuning.grid(toy, few, QUICK, SHARED, tmp_path, epochs=2)
    assert set(trials.state) == {"finished"} and trials.epochs.tolist() == [2] * 4
    assert sorted(zip(trials.batch_size, trials.dropout, strict=True)) == sorted(product(*SHARED.values()))
    about = json.loads((tmp_path / "trial-0000/provenance.json").read_text())
    assert about["resumed_after"] == [1]
    assert len(list(tmp_path.glob("trial-*"))) == 4


def test_processes_that_begin_a_study_at_the_same_moment_share_it(tmp_path):
    with ThreadPoolExecutor(4) as pool:
        studies = list(pool.map(lambda _: tuning.open_study(tmp_path, create=True), range(4)))
    for one in studies:
        one.enqueue_trial({})
    assert [trial.number for trial in tuning.open_study(tmp_path).trials] == [0, 1, 2, 3]


def test_a_setting_that_kills_its_process_is_not_tried_forever(few, tmp_path, monkeypatch, impatient):
    def killed(*_, **__):
        raise SystemExit  # which Optuna lets pass, so that the trial stays behind as after a kill

    monkeypatch.setattr(study, "fit", killed)
    for _ in range(2):
        with pytest.raises(SystemExit):
            tuning.grid(toy, few, QUICK, {"batch_size": [16]}, tmp_path)
        time.sleep(2.1)
    trials = tuning.grid(toy, few, QUICK, {"batch_size": [16]}, tmp_path)
    assert trials.state.tolist() == ["failed"] and trials.why[0] == "its process was killed"


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError("the disk is full")])
def test_a_trial_that_is_interrupted_is_queued_again(few, tmp_path, monkeypatch, capsys, error):
    def interrupted(*_, **__):
        raise error

    with monkeypatch.context() as stopping:
        stopping.setattr(study, "fit", interrupted)
        if error is KeyboardInterrupt:
            trials = tuning.grid(toy, few, QUICK, {"batch_size": [64]}, tmp_path, epochs=2)
            assert "same call resumes" in capsys.readouterr().out
        else:
            with pytest.raises(OSError, match="disk is full"):
                tuning.grid(toy, few, QUICK, {"batch_size": [64]}, tmp_path, epochs=2)
            trials = tuning.table(tmp_path)
    assert trials.state.tolist() == ["queued"]
    monkeypatch.setattr(optuna.pruners.MedianPruner, "prune", lambda *_: pytest.fail("a grid was pruned"))
    trials = tuning.grid(toy, few, QUICK, {"batch_size": [64]}, tmp_path, epochs=2)
    assert trials.batch_size.tolist() == [64] and trials.state.tolist() == ["finished"]


def test_a_study_may_lie_on_a_database_server(tmp_path, monkeypatch):
    monkeypatch.setenv("FER_STUDIES", f"sqlite:///{tmp_path}/server.db")
    tuning.open_study(tmp_path / "batches", create=True).set_user_attr("config", {"space": {"dropout": [0]}})
    assert tuning.open_study(tmp_path / "batches").study_name == "batches"
    assert (tmp_path / "server.db").exists() and not (tmp_path / "batches/study.db").exists()
    assert list(tuning.table(tmp_path / "batches"))[0] == "dropout"


# ---- what goes wrong ----


def test_a_loss_that_is_no_number_is_pruned_and_memory_that_runs_out_fails(few, tmp_path, monkeypatch):
    def hungry(model, faces, recipe, *arguments, whole=study.fit, **options):
        if recipe.learning_rate == 0.5:
            raise MemoryError("memory ran out in batches of 8")
        return whole(model, faces, recipe, *arguments, **options)

    monkeypatch.setattr(study, "fit", hungry)
    trials = tuning.grid(toy, few, QUICK, {"learning_rate": [1e39, 0.5, 0.01]}, tmp_path)
    trials = trials.sort_values("learning_rate", ascending=False, ignore_index=True)
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


@pytest.mark.parametrize("change", ["helper", "constant", "default", "closure", "partial"])
def test_a_function_whose_source_is_the_same_but_not_what_it_builds_is_refused(
    few, tmp_path, monkeypatch, change
):
    rate = 0.1

    def light(emotions, dropout=0.1):
        own = {"helper": HELPER["rate"](), "constant": HELPER["number"], "closure": rate}
        return toy(emotions, own.get(change, dropout))

    offered = partial(light, dropout=0.1) if change == "partial" else light
    space = {"batch_size": [64]}
    assert len(tuning.grid(offered, few, QUICK, space, tmp_path)) == 1
    assert len(tuning.grid(offered, few, QUICK, space, tmp_path)) == 1
    monkeypatch.setitem(HELPER, "rate", lambda: 0.6)
    monkeypatch.setitem(HELPER, "number", 0.6)
    rate = 0.6
    light.__defaults__ = (0.6,)
    offered = partial(light, dropout=0.6) if change == "partial" else light
    with pytest.raises(ValueError, match="what light builds has changed"):
        tuning.grid(offered, few, QUICK, space, tmp_path)


def test_a_function_that_has_changed_is_refused(few, tmp_path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(study, "fit", interrupted)
    for dropout in (0.1, 0.2):  # typed into a console: no source to compare, so the bytecode is
        names = {"build": toy}
        exec(f"def light(emotions):\n    return build(emotions, {dropout})", names)
        changed = names["light"]
        if dropout == 0.1:
            tuning.grid(changed, few, QUICK, {"batch_size": [64]}, tmp_path)
    with pytest.raises(ValueError, match="the code of light has changed. Give another folder as out"):
        tuning.grid(changed, few, QUICK, {"batch_size": [64]}, tmp_path)


def test_comments_and_spacing_do_not_change_a_function(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    fingerprints = []
    for number, body in enumerate(("return 1", "# a comment\n\n    return   1", "return 2")):
        (tmp_path / f"light{number}.py").write_text(f"def light(emotions):\n    {body}\n")
        fingerprints.append(code_digest(importlib.import_module(f"light{number}").light))
    assert fingerprints[0] == fingerprints[1] != fingerprints[2]


@pytest.mark.parametrize(
    "harm",
    [lambda text: text.replace("\n1,", "\n2,"), lambda text: text[:-9] + "x\n", lambda text: "[1]"],
    ids=["a gap", "no number", "no table"],
)
def test_the_damaged_curve_of_a_trial_blocks_no_other(gridded, harm):
    whole = tuning.table(gridded)
    path = gridded / "trial-0001" / "history.csv"
    path.write_text(harm(path.read_text()))
    with pytest.warns(UserWarning, match="the epochs of trial 1: .*history.csv is damaged"):
        table = tuning.table(gridded)
    assert table.accuracy.equals(whole.accuracy) and table.epochs[1] == 0
    with pytest.warns(UserWarning, match="the epochs of trial 1"):
        assert set(tuning.curves(gridded).trial) == set(whole.index) - {1}


def test_a_function_without_a_name_can_be_tuned(few, tmp_path):
    trials = tuning.grid(lambda emotions: toy(emotions, 0.1), few, QUICK, {"batch_size": [64]}, tmp_path)
    assert trials.state.tolist() == ["finished"]


def test_a_damaged_or_lost_database_is_named(few, gridded):
    database = gridded / "study.db"
    database.write_bytes(b"no database" + database.read_bytes()[11:])
    with pytest.raises(ValueError, match="study.db cannot be opened .*restore it from a copy"):
        tuning.table(gridded)
    database.unlink()
    with pytest.raises(ValueError, match="has trials, but their study.db is gone"):
        tuning.grid(toy, few, QUICK, BATCHES, gridded)


def test_the_journal_of_an_older_version_is_refused_with_what_to_do(few, tmp_path):
    (tmp_path / "study.log").touch()
    message = "study.log of an older version .*Give another folder as out; Optuna's JournalStorage"
    with pytest.raises(ValueError, match=message):
        tuning.table(tmp_path)
    with pytest.raises(ValueError, match=message):
        tuning.grid(toy, few, QUICK, BATCHES, tmp_path)


def test_no_trials_and_no_study(few, tmp_path):
    with pytest.raises(ValueError, match="trials is 0; a study needs at least one"):
        tuning.search(toy, few, QUICK, {"batch_size": [16]}, tmp_path, trials=0)
    with pytest.raises(FileNotFoundError, match="has no study.db; tuning.grid"):
        tuning.table(tmp_path)
    tuning.open_study(tmp_path, create=True)
    assert tuning.table(tmp_path).empty and tuning.curves(tmp_path).empty
    with pytest.raises(ValueError, match="no trial of .* has finished"):
        tuning.best(tmp_path)
    with pytest.raises(ValueError, match="nothing to record yet"):
        tuning.write_record(tmp_path, tmp_path / "record")


def test_without_optuna_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ModuleNotFoundError, match=r'pip install "fer-kit\[tuning\]"'):
        tuning.open_study(tmp_path, create=True)


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
        assert tuning_space.check_choices(space) == np.prod([len(values) for values in space.values()])
    assert tuning_space.describe({"batch_size": 16, "learning_rate": 0.00012345}) == (
        "batch_size 16, learning_rate 0.000123"
    )


def test_what_is_varied_and_what_is_measured_have_columns_of_their_own(few, tmp_path):
    trials = tuning.grid(toy, few, QUICK, {"epochs": [1, 2], "loss": ["crossentropy"]}, tmp_path)
    assert sorted(trials["epochs (setting)"]) == [1, 2] == sorted(trials.epochs)
    curves = tuning.curves(tmp_path)
    assert set(curves["loss (setting)"]) == {"crossentropy"} and curves.loss.dtype == float
    for table in (trials, curves):
        assert table.columns.is_unique
    tuning_plots.slices(trials)
    tuning_plots.parallel(trials)
    tuning_plots.table_of_two(trials, "loss (setting)", "epochs (setting)")
    for name in ("epochs", "epochs (setting)"):
        assert len(tuning_plots.effect(curves, name).axes[1].lines) == 2
    assert tuning.best(tmp_path)["epochs"] in (1, 2)


@pytest.mark.parametrize("choices", [[16, 16, 32], [1, 1.0], [True, 1], [None, None]])
def test_a_choice_that_is_there_twice_is_refused(few, tmp_path, choices):
    with pytest.raises(ValueError, match="batch_size has the choice .* twice; give it once"):
        tuning.grid(toy, few, QUICK, {"batch_size": choices}, tmp_path)


def test_a_trial_that_has_not_begun_is_no_value():
    rates = [0.00123, 0.0235, 0.0765, np.nan]
    trials = pd.DataFrame({"learning_rate": rates, "batch_size": [16, 16, 32, np.nan]})
    trials = trials.assign(state=[*["finished"] * 3, "queued"], accuracy=[0.3, 0.4, 0.5, np.nan])
    square = tuning_plots.table_of_two(trials, "learning_rate", "batch_size").axes[0]
    labels = [*tuning_plots.slices(trials).axes[0].get_xticklabels()]
    labels += [*square.get_xticklabels(), *square.get_yticklabels()]
    assert "None" not in [label.get_text() for label in labels]


@pytest.mark.parametrize(
    "choices", [[None, 5], [None, 1024, 1025], [None, "balanced"], [None, 0.12345, 0.5], [None]]
)
def test_none_is_a_value_like_others(choices):
    trials = pd.DataFrame({"ema": choices, "batch_size": 16, "state": "finished"})
    trials["accuracy"] = np.linspace(0.3, 0.4, len(choices))
    curves = pd.DataFrame({"trial": trials.index, "epoch": 1, "ema": choices, "accuracy": 0.2})
    curves["val_accuracy"] = 0.3
    told = sorted(f"{c:.3g}" if isinstance(c, float) else str(c) for c in choices)
    lines = tuning_plots.effect(curves, "ema").axes[1].lines
    assert sorted(line.get_label() for line in lines) == told and all(len(line.get_xdata()) for line in lines)
    square = tuning_plots.table_of_two(trials, "ema", "batch_size").axes[0]
    assert len(square.texts) == len(choices)
    drawn = tuning_plots.slices(trials).axes[0]
    assert sum(len(dots.get_offsets()) for dots in drawn.collections) == len(choices)
    assert set(told) <= {label.get_text() for label in drawn.get_xticklabels()}
    heights = [line.get_ydata() for line in tuning_plots.parallel(trials).axes[0].lines]
    assert all(np.isfinite(np.asarray(height, float)).all() for height in heights)


def test_a_lambda_is_its_own_code_and_not_the_statement_around_it():
    first = code_digest([lambda emotions: toy(emotions, 0.1), 20][0])
    assert code_digest([lambda emotions: toy(emotions, 0.1), 40, 60][0]) == first
    assert code_digest(lambda emotions: toy(emotions, 0.2)) != first
    one, other, default = [lambda n: n + 1, lambda n: n + 2, lambda n, rate=0.1: n + 2]
    assert len({code_digest(one), code_digest(other), code_digest(default)}) == 3
    same, changed = [lambda n, rate=0.1: n + 2, lambda n, rate=0.5: n + 2]
    assert code_digest(same) == code_digest(default) != code_digest(changed)


@pytest.mark.parametrize("name", ["which rate?", "a%20b", "100 %", "{a}", "{}", "a}b", "x#y", "ü [e]", "a@b"])
@pytest.mark.skipif(sys.platform == "win32", reason="not all of these are names there")
def test_a_study_lies_in_a_folder_of_any_name(tmp_path, name):
    tuning.open_study(tmp_path / name, create=True).set_user_attr("here", name)
    assert tuning.open_study(tmp_path / name).user_attrs == {"here": name}
    assert [path.name for path in (tmp_path / name).iterdir()] == ["study.db"]


# ---- the learning-rate finder and the plots ----


def test_the_finder_rises_stops_at_divergence_and_leaves_the_weights(few):
    with seeded(0):  # from some weights a loss on 64 faces rises at once, and is refused
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


def test_the_finder_gives_a_trained_network_back_also_when_it_is_stopped(few, monkeypatch):
    network = zoo.build("zhao-sepconv")
    told = network.predict(few.x[:8], verbose=0)
    learning_rate.find_learning_rate(network, few, QUICK, steps=3)
    np.testing.assert_array_equal(network.predict(few.x[:8], verbose=0), told)

    def stopped(model, batches, rates):
        model.set_weights([0 * weight for weight in model.get_weights()])
        raise KeyboardInterrupt

    monkeypatch.setattr(learning_rate, "_rising", stopped)
    with pytest.raises(KeyboardInterrupt):
        learning_rate.find_learning_rate(network, few, QUICK, steps=3)
    np.testing.assert_array_equal(network.predict(few.x[:8], verbose=0), told)


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
    style = dict(tuning_plots.plt.rcParams)
    drawn = tuning_plots.history(tuning.open_study(searched)).axes[0]
    finished = trials.accuracy[trials.state == "finished"]
    np.testing.assert_allclose(drawn.collections[0].get_offsets()[:, 1], finished)
    np.testing.assert_allclose(drawn.get_lines()[0].get_ydata()[-1], finished.max())
    assert dict(tuning_plots.plt.rcParams) == style
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
