"""Training: what is learnt from, interruptions of every kind, and what goes wrong."""

import errno
import io
import os
import random
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_kit.data.balancing import originals, with_copies
from fer_kit.data.loading import load_faces
from fer_kit.data.sample.people import draw_sample
from fer_kit.models.layers import precision_of
from fer_kit.runtime import devices
from fer_kit.runtime.locks import locked
from fer_kit.studies import common
from fer_kit.training import callbacks, loop
from fer_kit.training.batches import Batches, learned_facts
from fer_kit.training.learning_rate import find_learning_rate
from fer_kit.training.recipes import RECIPES, Recipe, find_recipe, make_optimiser
from fer_kit.training.records import Run

QUICK = Recipe("quick", "these tests", epochs=4, batch_size=32)
RICH = replace(
    QUICK, optimiser="sgd", schedule="cosine", warmup_epochs=1, mixup=0.2, ema=0.9, weight_decay=1e-3,
    label_smoothing=0.1, class_weight="balanced",
)  # fmt: skip
STALE = replace(
    QUICK, schedule="plateau", plateau_patience=2, early_stopping=3, learning_rate=1e-30, epochs=9
)


def small_model(emotions=7, plain=False):
    """A model with all kinds of state: random layers, batch normalisation, statistics. Plain: none of it."""
    import keras
    from keras import layers

    faces = keras.Input((48, 48, 1), dtype="uint8")
    x = layers.Rescaling(1 / 255)(faces)
    x = x if plain else layers.RandomFlip("horizontal", seed=1)(x)
    x = layers.Conv2D(4, 3, 4, activation="relu")(x)
    x = x if plain else layers.Dropout(0.2, seed=1)(layers.BatchNormalization()(x))
    x = layers.Flatten()(x)
    return keras.Model(faces, layers.Dense(emotions, activation="softmax", dtype="float32")(x), name="small")


def fit(few, out, recipe=QUICK, **options):
    import keras

    keras.utils.set_random_seed(3)
    return loop.fit(options.pop("model", None) or small_model(), few, recipe, out, **options)


def weights(run):
    return run.model().get_weights()


def assert_same_run(one, other):
    for a, b in zip(weights(one), weights(other), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    drop = ["seconds"]
    assert one.history.drop(columns=drop).equals(other.history.drop(columns=drop))


CHILD = f"""
import os, signal, sys
sys.path[:0] = [{str(Path(__file__).parent)!r}, {str(Path(__file__).parents[1])!r}]
import numpy as np
import test_training as t
from fer_kit.data import faceset
from fer_kit.training import batches, loop
few = faceset.FaceSet.load(sys.argv[1])
"""
KILLED = """
def deadly(self, number, whole=batches.Batches.__getitem__):
    if self.epoch == 2 and number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return whole(self, number)
batches.Batches.__getitem__ = deadly
t.fit(few, sys.argv[2], t.RICH)
"""
SHARED = """
loop.zoo.build = lambda name, emotions: t.small_model(emotions, plain=True)
if loop.keras.backend.backend() == "tensorflow":
    import tensorflow as tf
    two = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], two)
one, two = (t.fit(few, sys.argv[2] + name, model="kit-best", epochs=1, devices=devices, precision="float32")
            for name, devices in (("one", None), ("two", ["cpu:0", "cpu:1"])))
for a, b in zip(t.weights(one), t.weights(two), strict=True):
    np.testing.assert_allclose(a, b, atol=1e-5)
"""


def in_child(script, few, tmp_path, **environment):
    few.save(tmp_path / "faces.npz")
    command = [sys.executable, "-c", CHILD + script, str(tmp_path / "faces.npz"), str(tmp_path / "run")]
    env = os.environ | environment
    return subprocess.run(command, capture_output=True, text=True, timeout=300, env=env)


def test_a_killed_run_goes_on_as_if_it_had_not_been(few, tmp_path):
    done = in_child(KILLED, few, tmp_path)
    assert done.returncode == -9, done.stderr[-2000:]
    killed = fit(few, tmp_path / "run", RICH)
    assert killed.provenance["resumed_after"] == [2]
    assert_same_run(killed, fit(few, tmp_path / "whole", RICH))


@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_two_devices_train_like_one(few, tmp_path, backend):
    pytest.importorskip(backend)
    flags = os.environ["XLA_FLAGS"] + " --xla_force_host_platform_device_count=2"
    faces = few[np.r_[:134, 135:173]]
    done = in_child(SHARED, faces, tmp_path, KERAS_BACKEND=backend, XLA_FLAGS=flags)
    assert done.returncode == 0, done.stderr[-2000:]


def stop_in(monkeypatch, epoch, error):
    """Raise `error` in the middle of an epoch, which counts from 1."""

    def batch_begins(self, batch, logs=None):
        if self.title.startswith(f"epoch {epoch}/") and batch == 2:
            raise error

    monkeypatch.setattr(callbacks.Progress, "on_train_batch_begin", batch_begins)


def test_ctrl_c_keeps_the_best_and_counters_go_on(few, tmp_path, monkeypatch, capsys):
    model = small_model(plain=True)
    start = model.get_weights()

    def go(name):
        model.set_weights(start)
        return fit(few, tmp_path / name, STALE, model=model)

    whole = go("whole")
    assert len(whole.history) == 4
    assert whole.history.learning_rate.iloc[-1] == pytest.approx(0.2e-30, rel=1e-6, abs=0)
    stop_in(monkeypatch, 3, KeyboardInterrupt)
    run = go("stopped")
    assert run.metrics["status"] == "interrupted" and len(run.history) == 2
    assert run.model().predict(few.x[:1], verbose=0).shape == (1, 7)
    monkeypatch.undo()
    assert_same_run(go("stopped"), whole)
    out = capsys.readouterr().out
    assert "Interrupted after epoch 2" in out and "Resuming after epoch 2 of 9" in out


def test_progress_is_one_line_per_epoch(few, tmp_path, capsys):
    run = fit(few, tmp_path / "run", epochs=2)
    out = capsys.readouterr().out
    assert "\r" not in out and out.endswith("\n")
    lines = [line for line in out.splitlines() if line.startswith("epoch ")]
    assert len(lines) == 2
    assert "PublicTest" in lines[0] and "best" in lines[0] and "lr 0.001" in lines[0]
    assert list(run.history.index) == [1, 2]


class Terminal(io.StringIO):
    """A terminal that keeps all that was written to it."""

    def isatty(self):
        return True


def test_in_a_terminal_a_bar_shows_the_time_left_and_disappears(few, tmp_path, monkeypatch):
    def wait(self, batch, logs=None, whole=callbacks.Progress.on_train_batch_begin):
        time.sleep(0.6)
        whole(self, batch)

    monkeypatch.setattr(callbacks.Progress, "on_train_batch_begin", wait)
    monkeypatch.setattr(sys, "stdout", Terminal())
    fit(few, tmp_path / "run", epochs=1)
    written = sys.stdout.getvalue()
    assert "epoch 1/1" in written and re.search(r"\d/5 \[\d\d:\d\d<", written)
    assert re.search(r"\r *\repoch 1/1  loss ", written)  # the bar was wiped before the line


def test_a_finished_run_is_not_trained_again_unless_asked(few, tmp_path, monkeypatch, capsys):
    model = small_model(plain=True)
    fit(few, tmp_path / "run", model=model, epochs=1)
    assert not (tmp_path / "run/state.npz").exists()
    before = (tmp_path / "run/best.keras").read_bytes()
    with monkeypatch.context() as forbidden:
        forbidden.setattr(type(model), "fit", lambda *_, **__: pytest.fail("trained again"))
        assert fit(few, tmp_path / "run", model=model, epochs=1).finished
    assert "Already trained" in capsys.readouterr().out
    assert fit(few, tmp_path / "run", model=model, epochs=1, retrain=True).finished
    assert (tmp_path / "run/best.keras").read_bytes() != before
    kept = Run.open(tmp_path / "run-replaced-1")
    assert kept.finished and (kept.folder / "best.keras").read_bytes() == before


def test_a_folder_in_which_another_process_trains_is_left_alone(few, tmp_path):
    begun = [few, tmp_path / "run"]
    with locked(tmp_path / "run"), ThreadPoolExecutor(1) as other:
        with pytest.raises(BlockingIOError, match=f"written to by process {os.getpid()}.*another folder"):
            other.submit(fit, *begun, model=small_model(plain=True), epochs=1).result()
        assert not (tmp_path / "run" / "config.json").exists()


def test_a_loss_that_is_no_number_stops_and_keeps_the_weights_before(few, tmp_path, monkeypatch):
    def spoil(self, epoch, whole=Batches.start_epoch):
        whole(self, epoch)
        if epoch == 1:
            self.targets = np.full_like(self.targets, np.nan)

    monkeypatch.setattr(Batches, "start_epoch", spoil)
    with pytest.raises(FloatingPointError, match="epoch 2, .*learning rate 0.001; the weights of epoch 1"):
        fit(few, tmp_path / "run", model=small_model(plain=True))
    run = Run.open(tmp_path / "run")
    assert run.metrics["status"] == "diverged" and len(run.history) == 1
    assert all(np.isfinite(w).all() for w in weights(run))


@pytest.mark.parametrize("victim", ["numpy.savez", "keras.Model.save"])
def test_a_full_disk_leaves_the_epoch_before(few, tmp_path, monkeypatch, victim):
    module, name = victim.rsplit(".", 1)
    owner = __import__("keras").Model if module == "keras.Model" else np
    calls, save = [], getattr(owner, name)

    def full(target, *values, **more):
        calls.append(target)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        save(target, *values, **more)

    recipe = replace(QUICK, monitor="val_loss", learning_rate=1e-4)
    model = small_model(plain=True)
    start = model.get_weights()
    monkeypatch.setattr(owner, name, full)
    with pytest.raises(OSError, match="No space left.*the weights of epoch 1 are kept"):
        fit(few, tmp_path / "run", recipe, model=model)
    monkeypatch.undo()
    kept = Run.open(tmp_path / "run")
    assert len(weights(kept)) == 4 and not list(tmp_path.glob("run/*partial*"))
    model.set_weights(start)
    again = fit(few, tmp_path / "run", recipe, model=model)
    assert again.finished and list(again.history.index) == [1, 2, 3, 4]


def test_memory_that_runs_out_gives_advice(few, tmp_path, monkeypatch):
    class ResourceExhaustedError(Exception):
        """What TensorFlow raises has this name."""

    stop_in(monkeypatch, 1, ResourceExhaustedError("failed to allocate 3 GiB"))
    with pytest.raises(MemoryError, match="notebooks.*batch_size=16"):
        fit(few, tmp_path / "run", model=small_model(plain=True))


def test_a_folder_with_another_run_is_refused(few, tmp_path):
    asked = {"model": "kit-small", "recipe": asdict(QUICK), "seed": 0}
    loop.folders.begin(tmp_path, asked)
    with pytest.raises(ValueError, match="model was kit-small, now kit-best.*retrain=True"):
        loop.folders.begin(tmp_path, asked | {"model": "kit-best"})
    with pytest.raises(ValueError, match="recipe epochs was 4, now 9; seed was 0, now 1"):
        loop.folders.begin(tmp_path, asked | {"recipe": asdict(replace(QUICK, epochs=9)), "seed": 1})


def states():
    """The states of the global generators of Python and NumPy."""
    kind, keys, *rest = np.random.get_state()
    return random.getstate(), (kind, keys.tobytes(), *rest)


def test_fit_leaves_the_global_generators_as_they_were(few, tmp_path, monkeypatch):
    monkeypatch.setattr(loop.zoo, "build", lambda name, emotions: small_model(emotions))
    before = states()
    loop.fit("kit-small", few, RICH, tmp_path / "whole", epochs=1, precision="float32")
    assert states() == before
    stop_in(monkeypatch, 1, OSError("No space left on device"))
    with pytest.raises(OSError, match="No space left"):
        loop.fit("kit-small", few, RICH, tmp_path / "failed", epochs=1, precision="float32")
    assert states() == before


def test_the_finder_and_studies_leave_them_as_well(few, tmp_path):
    before = states()
    find_learning_rate("zhao-sepconv", few, QUICK, steps=2)
    assert states() == before
    common.train(small_model, few, QUICK, tmp_path / "run", epochs=1)
    assert states() == before


def test_the_seed_alone_decides_the_weights(few, tmp_path, monkeypatch):
    monkeypatch.setattr(loop.zoo, "build", lambda name, emotions: small_model(emotions))
    monkeypatch.setenv("FER_SEED", "4")
    runs = []
    for name, chosen in {"given": {"seed": 4}, "from outside": {}}.items():
        random.seed(name)
        np.random.seed(len(runs))
        runs.append(
            loop.fit("kit-small", few, RICH, tmp_path / name, epochs=1, precision="float32", **chosen)
        )
    assert_same_run(*runs)
    assert runs[1].config["seed"] == 4


def test_the_state_of_another_model_is_refused(few, tmp_path, monkeypatch):
    stop_in(monkeypatch, 2, KeyboardInterrupt)
    fit(few, tmp_path / "run", model=small_model(plain=True))
    monkeypatch.undo()
    with monkeypatch.context() as blind:
        blind.setattr(loop.folders, "differences", lambda old, new: [])
        with pytest.raises(ValueError, match="state of another model"):
            fit(few, tmp_path / "run", RICH)
    (tmp_path / "run/state.npz").write_bytes(b"PK cut off")
    with pytest.raises(ValueError, match="state.npz is damaged.*retrain=True"):
        fit(few, tmp_path / "run", model=small_model(plain=True))


def test_faces_that_cannot_be_trained_on_are_refused(few, tmp_path):
    with pytest.raises(ValueError, match="no PublicTest faces"):
        fit(few.training, tmp_path / "run")
    with pytest.raises(ValueError, match="no Training faces"):
        fit(few.public_test, tmp_path / "run")
    with pytest.raises(ValueError, match="validation has no faces"):
        fit(few, tmp_path / "run", validation=few[:0])
    with pytest.raises(ValueError, match="validation is named"):
        fit(few, tmp_path / "run", validation=few.drop("disgust"))
    with pytest.raises(ValueError, match="6 outputs, the faces 7 emotions"):
        fit(few, tmp_path / "run", model=small_model(6))


def test_private_test_is_touched_only_on_purpose_and_then_recorded(few, tmp_path):
    private = replace(few.public_test, usage=np.full(len(few.public_test), "PrivateTest"))
    everything = few.join(private)
    learnt, selecting = loop.choose_faces(everything)
    assert set(learnt.usage) == {"Training"} and set(selecting.usage) == {"PublicTest"}
    run = fit(few, tmp_path / "run", model=small_model(plain=True), epochs=1, validation=private)
    assert run.provenance["selected_on_private_test"]
    assert run.provenance["selected_on"] == "PrivateTest"


@pytest.mark.parametrize("same", [0, 90])
def test_where_all_faces_are_twins_there_is_nothing_to_learn_from(few, same):
    alike = replace(few, images=np.full_like(few.images, same))
    with pytest.raises(ValueError, match="Training faces of .* have a twin.*nothing is left"):
        loop.choose_faces(alike, without_twins=True)


def test_twins_of_fer2013s_test_faces_are_known_without_them(real_archive):
    real = load_faces(real_archive)
    for here in (real.training, real.training.join(real.public_test), real[real.usage != "PublicTest"]):
        learnt, _ = loop.choose_faces(here, real.public_test[:3], without_twins=True)
        assert len(learnt) == 28709 - 703
    told = learned_facts(here, learnt, without_twins=True)
    assert told["without_twins"] and told["trained_on"]["test_faces"] == 0
    leaked = learnt.join(replace(real.private_test[:99], usage="Training"))
    assert learned_facts(real, leaked, False)["trained_on"]["test_faces"] > 80


def test_twins_that_nobody_can_know_are_no_fact(few):
    with pytest.warns(UserWarning, match="twins among PrivateTest cannot be left out"):
        learnt, _ = loop.choose_faces(few, without_twins=True)
    assert not learned_facts(few, learnt, without_twins=True)["without_twins"]


def test_twins_are_left_out_by_recipes_that_say_so(few, tmp_path):
    twins = few.public_test[:5]
    together = few.join(replace(twins, usage=np.full(5, "Training")))
    learnt, _ = loop.choose_faces(together, without_twins=True)
    assert not learnt.has_twin_in(few.public_test).any()
    assert len(loop.choose_faces(together)[0]) >= len(learnt) + 5
    copied, _ = loop.choose_faces(with_copies(together, 2), without_twins=True)
    assert len(copied) == 3 * len(learnt) and set(originals(copied)) == set(learnt.files)
    run = fit(
        together,
        tmp_path / "run",
        replace(QUICK, epochs=1, without_twins=True),
        model=small_model(plain=True),
    )
    assert run.provenance["trained_on"]["faces"] == len(learnt)


@pytest.mark.parametrize(
    ("capability", "policy"),
    [((6, 1), "float32"), ((7, 5), "mixed_float16"), ((8, 0), "mixed_bfloat16"), (None, "float32")],
)
def test_precision_follows_the_hardware(monkeypatch, capability, policy):
    monkeypatch.setattr(devices, "gpus", lambda: [("some GPU", capability)])
    assert devices.choose_precision()[0] == policy
    assert devices.choose_precision("float32") == ("float32", "as asked")
    with pytest.raises(ValueError, match="no precision 'half'.*mixed_bfloat16"):
        devices.choose_precision("half")


@pytest.mark.parametrize("hardware", [True, False])
def test_precision_of_a_cpu(monkeypatch, hardware):
    monkeypatch.setattr(devices, "gpus", list)
    monkeypatch.setattr(devices, "cpu_gains_from_bfloat16", lambda: hardware)
    assert devices.choose_precision()[0] == ("mixed_bfloat16" if hardware else "float32")
    assert devices.choose_precision(separable=True)[0] == "float32"


@pytest.mark.parametrize(
    ("listing", "gains"),
    [
        (b"processor : 0\nflags\t\t: fpu avx512f avx512_bf16\n", True),
        (b"model name : amx_bf16 in its name only\nflags : fpu avx2\nbugs : avx512_bf16\n", False),
        (b"flags : amx_bf16\n", True),
        (b"Features : fp asimd bf16\n", False),
        (b"", False),
        (b"\xff\xfe", False),
        (None, False),
    ],
    ids=["avx512", "elsewhere in the file", "amx", "ARM", "empty", "no text", "no file"],
)
def test_precision_of_a_cpu_is_read_from_its_list_of_instructions(tmp_path, listing, gains):
    path = tmp_path / "cpuinfo"
    if listing is not None:
        path.write_bytes(listing)
    assert devices.cpu_gains_from_bfloat16(path) is gains


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"epoch": 5}, r"fit\(\) has no option 'epoch'; did you mean 'epochs'\?"),
        ({"precison": "float32"}, "no option 'precison'; did you mean 'precision'"),
        ({"callback": ["nope"]}, "no option 'callback'; did you mean 'callbacks'"),
        ({"zzz": 1}, "no option 'zzz'; it has validation, epochs, seed, "),
    ],
)
def test_an_unknown_option_is_refused_before_anything_is_written(few, tmp_path, wrong, message):
    for model in ("kit-small", small_model()):
        with pytest.raises(TypeError, match=message):
            loop.fit(model, few, QUICK, tmp_path / "run", **wrong)
    assert not (tmp_path / "run").exists()


def test_options_of_a_named_model_are_those_of_its_builder(few, tmp_path):
    with pytest.raises(TypeError, match="no option 'augmnt'; did you mean 'augment'"):
        loop.fit("kit-small", few, QUICK, tmp_path / "run", augmnt=None)
    with pytest.raises(TypeError, match="is for a Keras model; of 'kit-small' the record knows"):
        loop.fit("kit-small", few, QUICK, tmp_path / "run", about={"trunk": "mine"})
    with pytest.raises(TypeError, match="no option 'augment' for a Keras model, which is built already"):
        loop.fit(small_model(), few, QUICK, tmp_path / "run", augment=None)
    run = loop.fit("zhao-sepconv", few, QUICK, tmp_path / "run", epochs=1, augment=None, precision="float32")
    assert run.config["variant"] == {"augment": None}


def test_what_is_said_about_a_model_of_ones_own_is_part_of_its_record(few, tmp_path):
    model = small_model(plain=True)
    run = fit(few, tmp_path / "run", model=model, epochs=1, about={"trunk": "mine"})
    variant = dict(run.config["variant"])
    assert len(variant.pop("configuration")) == 16  # a digest of how its layers were built
    assert variant == {"parameters": model.count_params(), "trunk": "mine"}
    assert fit(few, tmp_path / "run", model=model, epochs=1, about={"trunk": "mine"}).finished
    with pytest.raises(ValueError, match="variant trunk was mine, now yours"):
        fit(few, tmp_path / "run", model=model, epochs=1, about={"trunk": "yours"})


def test_a_sequential_model_of_ones_own_trains(few, tmp_path):
    import keras

    run = fit(few, tmp_path / "run", model=keras.Sequential(small_model(plain=True).layers), epochs=1)
    assert run.model().predict(few.x[:2], verbose=0).shape == (2, 7)


def test_a_model_is_built_in_the_precision_asked_for(few, tmp_path, monkeypatch):
    monkeypatch.setattr(loop.zoo, "build", lambda name, emotions: small_model(emotions))
    run = fit(few, tmp_path / "run", model="kit-best", epochs=1, precision="mixed_bfloat16")
    assert run.provenance["precision"] == "mixed_bfloat16"
    assert precision_of(small_model()) == "float32"
    assert run.predictions["probabilities"].dtype == np.float32


@given(batch_size=st.integers(1, 200), seed=st.integers(0, 2**32), epoch=st.integers(0, 500))
@settings(max_examples=25, deadline=None)
def test_each_epoch_has_every_face_once_and_only_seed_and_epoch_decide(few, batch_size, seed, epoch):
    one, other = Batches(few, batch_size, seed), Batches(few, batch_size, seed)
    other.start_epoch(epoch + 1)
    for batches in (one, other):
        batches.start_epoch(epoch)
    assert np.array_equal(np.sort(one.order), np.arange(len(few)))
    assert sum(len(one[i][0]) for i in range(len(one))) == len(few)
    assert all(np.array_equal(a, b) for a, b in zip(one[0], other[0], strict=True))


def test_fit_reads_the_same_batches_anew_each_epoch_and_no_thread_tunes_them(few):
    batches = Batches(few, 64)
    read = batches.as_dataset()
    assert len(read) == len(batches)
    for epoch in (0, 1):
        batches.start_epoch(epoch)
        for got, wanted in zip(read, map(batches.__getitem__, range(len(batches))), strict=True):
            assert all(np.array_equal(a, b) for a, b in zip(got, wanted, strict=True))
    if loop.keras.backend.backend() == "tensorflow":
        assert read.options().autotune.enabled is False


def test_mixup_lays_two_faces_and_their_targets_over_each_other(few):
    images, targets, _ = Batches(few, 64, mixup=0.4)[0]
    assert images.dtype == np.uint8 and images.shape == (64, 48, 48, 1)
    np.testing.assert_allclose(targets.sum(1), 1, atol=1e-6)
    assert ((targets > 0).sum(1) <= 2).all() and ((targets > 0).sum(1) == 2).any()


def test_class_weights_weigh_the_loss():
    faces = draw_sample(700).training
    weights = loop.class_weights(faces)
    _, targets, loss_weights = Batches(faces, 50, class_weight=weights)[0]
    np.testing.assert_allclose(loss_weights, [weights[label] for label in targets.argmax(1)], rtol=1e-6)


def test_the_recipe_of_hejslet_is_the_reports():
    recipe = find_recipe("hejslet")
    assert (recipe.optimiser, recipe.learning_rate, recipe.batch_size, recipe.epochs) == (
        "adam",
        1e-3,
        64,
        50,
    )
    assert (recipe.monitor, recipe.early_stopping) == ("val_accuracy", 10)
    assert (recipe.schedule, recipe.plateau_factor, recipe.plateau_patience) == ("plateau", 0.2, 5)
    assert set(RECIPES) >= {"zhao", "choudhari", "murphy-base", "murphy-finetune", "kit-small", "kit-best"}


def test_unknown_recipes_and_settings_are_refused():
    with pytest.raises(ValueError, match="no recipe 'hejslett'; did you mean 'hejslet'"):
        find_recipe("hejslett")
    with pytest.raises(ValueError, match="schedule is 'step'; choose from"):
        replace(QUICK, schedule="step")
    with pytest.raises(ValueError, match="learning_rate is 0; it must be above 0"):
        replace(QUICK, learning_rate=0)


def test_the_cosine_rises_over_the_warm_up_and_falls_to_zero():
    recipe = replace(QUICK, schedule="cosine", learning_rate=0.1, epochs=20, warmup_epochs=2)
    optimiser = make_optimiser(recipe, steps=10)
    rates = []
    for step in (0, 10, 20, 110, 200):
        optimiser.iterations.assign(step)
        rates.append(float(optimiser.learning_rate))
    np.testing.assert_allclose(rates, [0, 0.05, 0.1, 0.05, 0], atol=1e-6)


def test_averaged_weights_are_scored_with_batch_statistics_of_their_own(few):
    import keras

    from fer_kit.training.callbacks import Averages

    model = keras.Sequential([keras.Input((48, 48, 1), dtype="uint8"), keras.layers.Rescaling(1 / 255)])
    model.add(keras.layers.RandomBrightness(0.9, value_range=(0, 1)))  # changes the mean, in training alone
    model.add(keras.layers.Dropout(0.5))  # changes the variance, likewise
    model.add(keras.layers.BatchNormalization())
    model.compile(keras.optimizers.SGD(use_ema=True), "mse", jit_compile=False)
    model.fit(few.x[:32], few.x[:32] / 255, epochs=1, verbose=0)
    before = [w.copy() for w in model.get_weights()]
    averages = Averages(few.x[:64], batch_size=16)
    averages.set_model(model)
    averages.on_test_begin()
    mean, variance = model.layers[-1].non_trainable_variables
    batches = few.images[:64].reshape(4, -1) / 255
    assert mean.numpy() == pytest.approx(batches.mean(), abs=1e-5)
    assert variance.numpy() == pytest.approx(batches.var(1).mean(), abs=1e-5)
    assert model.layers[-1].momentum == 0.99
    averages.on_test_end()
    for old, new in zip(before, model.get_weights(), strict=True):
        assert new == pytest.approx(old, abs=1e-6)


def test_batch_statistics_weigh_faces_and_know_layers_of_one_name_apart():
    import keras

    from fer_kit.models import statistics

    def part():
        inputs = keras.Input((1,))
        return keras.Model(inputs, keras.layers.BatchNormalization(name="bn")(inputs), name="part")

    inputs = keras.Input((2,))
    one, other = part(), part()
    other.name = "other"
    other.get_layer("bn").momentum = 0.5
    both = keras.layers.Concatenate()([one(inputs[:, :1]), other(inputs[:, 1:])])
    model = keras.Model(inputs, both)
    rng = np.random.default_rng(0)
    values = np.array([5, 100]) + rng.normal(0, [1, 10], (257, 2))  # a batch of 256, and one of a single row
    normalisers = statistics.batch_normalisers(model)
    step = statistics.statistics_step(statistics.in_use(model), normalisers)
    found = statistics.measure_batch_statistics(statistics.in_use(model), step, values.astype("f4"), 256)
    mean, variance, other_mean, other_variance = (float(value[0]) for value in found)
    assert (mean, other_mean) == pytest.approx(tuple(values.mean(0)), rel=1e-3)
    assert (variance, other_variance) == pytest.approx(tuple(values.var(0)), rel=0.02)


@pytest.mark.parametrize("loss", [np.nan, np.inf])
def test_a_loss_of_the_selecting_faces_that_is_no_number_ends_training(loss):
    from fer_kit.training.callbacks import Watch

    model = small_model(plain=True)
    model.compile("sgd", "categorical_crossentropy")
    watch = Watch()
    watch.set_model(model)
    watch.on_epoch_begin(0)
    with pytest.raises(FloatingPointError, match="of the faces that select became (nan|inf) after epoch 1"):
        watch.on_epoch_end(0, {"loss": 2.0, "val_loss": loss})  # the last step broke the weights
