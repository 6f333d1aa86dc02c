"""Training: `fit` trains a model by a recipe and leaves a run record; interrupted, it resumes later."""

import contextlib
import importlib.util
import inspect
import warnings
from dataclasses import asdict, replace

import keras

from fer_kit.data.augment import class_weights
from fer_kit.models import zoo
from fer_kit.models.catalogue import find_architecture
from fer_kit.models.contract import check
from fer_kit.models.layers import configuration_digest, own_code_digest, precision_of, weights_digest
from fer_kit.runtime import settings
from fer_kit.runtime.devices import (
    choose_precision,
    describe,
    device_count,
    distribution,
    out_of_memory,
    precision_policy,
)
from fer_kit.runtime.files import digest_of, replacing, write_sealed
from fer_kit.runtime.locks import locked
from fer_kit.runtime.names import by_door, check_options, keywords
from fer_kit.runtime.seeds import seeded
from fer_kit.runtime.versions import now, versions
from fer_kit.training import distillation
from fer_kit.training.batches import (
    Batches,
    choose_faces,
    learned_facts,
    plain_faces,
    usage_in_words,
    usages_of,
)
from fer_kit.training.callbacks import Averages, BestModel, Checkpoint, History, Progress, Watch
from fer_kit.training.losses import make_loss
from fer_kit.training.recipes import find_recipe, make_optimiser
from fer_kit.training.records import Run, folders, parts
from fer_kit.training.speedups import fused_normalisation


def fit(
    model,
    faces,
    recipe,
    out,
    validation=None,
    epochs=None,
    seed=None,
    retrain=False,
    precision="auto",
    devices=None,
    teacher=None,
    tensorboard=False,
    callbacks=(),
    about=None,
    **variant,
):
    """Train `model` on the Training faces by `recipe`, select on PublicTest, and return the `records.Run`.

    The same call made again resumes a training that was interrupted, by Ctrl-C or by a kill, after its last
    finished epoch, and ends with the same weights as a run without interruption. A finished run is returned
    at once. PrivateTest is never used, unless it is passed as `validation`; then the record says so.

    Args:
        model: A name of `models.MODELS`, built here, or a Keras model of your own, uint8 (B, 48, 48, 1) to
            probabilities (B, emotions). A layer "standardise" in it gets the mean and variance of the
            training pixels.
        faces: A FaceSet with Training faces, and PublicTest faces unless `validation` is given.
        recipe: A name of `RECIPES`, or a `Recipe`.
        out: The folder of the run record.
        validation: Another FaceSet to select the best epoch on, for a report's protocol.
        epochs: Another number of epochs than the recipe's.
        seed: An int: the same seed gives the same weights on the same machine. By default FER_SEED, or 0.
        retrain: Train again although the run in `out` is finished, or is another one. That one is kept, in
            a folder beside it.
        precision: For a named model, see `devices.choose_precision`; a model of your own has its own.
        devices: Several GPUs to train on, see `devices.distribution`; for a named model all GPUs by default.
        teacher: What a recipe with a teacher learns from: a model, anything that `records.open_model`
            opens, or a list of them.
        tensorboard: Write logs for TensorBoard to out/tensorboard.
        callbacks: More Keras callbacks; each is called before the epoch is saved.
        about: Facts for the record about a model of your own, {name: value} of plain JSON values. They
            are part of what makes a run the same run.
        **variant: For a named model, the options of `models.build`, such as `augment=None`.

    Returns:
        The `Run`, finished or interrupted.

    Raises:
        TypeError: For an option that does not exist.
        ValueError: For an unknown name, an empty split, a model of your own that does not keep to what is
            said above or cannot be saved and opened again, or was built in another precision, a teacher
            without a recipe for it or the reverse, or a folder with another run.
        FloatingPointError: When the loss becomes NaN or infinite; the weights of the best epoch are kept.
        MemoryError: When the memory of the GPU is not enough; says what to do.
        FileExistsError: When `out` holds files that no run of the kit left there.
        BlockingIOError: When another process trains in `out`.
        OSError: When the disk is full; the previous epoch is kept.
    """
    _refuse_unknown(model, variant, about)
    recipe = find_recipe(recipe)
    seed = settings.choose_seed(seed)
    if epochs is not None:
        recipe = replace(recipe, epochs=epochs)
    learned, selecting = choose_faces(faces, validation, recipe.without_twins)
    with seeded(seed):  # a model that is loaded draws seeds for its layers
        teachers = distillation.open_teachers(teacher, recipe, learned)
    if not isinstance(model, str) and (retrain or not Run(out).finished):
        _check_own(model, learned, precision, seed)
    config = _config(model, about or variant, recipe, learned, selecting, seed, teachers)
    with locked(out):
        run = folders.begin(out, config, retrain)
        if run.finished:
            return folders.found(run)
        as_built = not isinstance(model, str) and devices is None
        with seeded(seed):
            with contextlib.nullcontext() if as_built else distribution(devices):
                model = _prepare(model, variant, recipe, learned, precision)
                _write_provenance(run, model, faces, learned, selecting, seed, teachers)
                parts.write_learned(run.folder, learned)
                with _explained(run, recipe):
                    targets = distillation.targets(learned, teachers, recipe.teacher) if teachers else None
                    ended = _train(
                        run, model, recipe, learned, selecting, seed, targets, tensorboard, callbacks
                    )
            if ended:
                _finish(run, selecting)
    return run


def _refuse_unknown(model, variant, about):
    """Raise ValueError for an unknown model, TypeError for an option that neither `fit` nor it has."""
    of_the_builder = list(inspect.signature(zoo.build).parameters)[2:]  # without name and classes
    if isinstance(model, str):
        find_architecture(model)
        check_options("fit", variant, [*keywords(fit), *of_the_builder])
        if about is not None:
            raise TypeError(f"about={about!r} is for a Keras model; of {model!r} the record knows everything")
        return
    for name in variant:
        if name in of_the_builder:
            raise TypeError(
                f"fit() has no option {name!r} for a Keras model, which is built already; "
                "what its record has to say goes into about={...}"
            )
    check_options("fit", variant, keywords(fit))


def _check_own(model, learned, precision, seed):
    """Raise ValueError for a Keras model that could not be trained as asked, or not be kept."""
    with seeded(seed):  # a model that is loaded draws seeds for its layers
        check(model, learned)
    built_in = precision_of(model)
    if precision not in ("auto", built_in):
        choose_precision(precision)  # refuses a name that Keras would not take either
        raise ValueError(
            f"precision={precision!r} is for a named model; {model.name} was built in {built_in}. Build it "
            f"after keras.config.set_dtype_policy({precision!r}), or leave precision out"
        )


def _config(model, variant, recipe, learned, selecting, seed, teachers=()):
    named = isinstance(model, str)
    if not named:
        built_of = {"configuration": configuration_digest(model), "code": own_code_digest(model)}
        built_of = {name: digest for name, digest in built_of.items() if digest}
        variant = {"parameters": model.count_params(), **built_of, **variant}
    config = {
        "model": model if named else model.name,
        "variant": variant,
        "recipe": asdict(recipe),
        "faces": learned.fingerprint,
        "selected on": selecting.fingerprint,
        "seed": seed,
    }
    return config | ({"teacher": distillation.in_words(teachers)} if teachers else {})


def _prepare(model, variant, recipe, learned, precision):
    """Return the model, built if it is a name, standardised and compiled."""
    reason = "as it was built"
    if isinstance(model, str):
        policy, reason = choose_precision(precision, find_architecture(model).separable)
        with precision_policy(policy):
            model = zoo.build(model, len(learned.names), **variant)
    print(f"Training {model.name} on {describe()} in {precision_of(model)} ({reason})")
    steps = -(-len(learned) // recipe.batch_size)
    accuracy = keras.metrics.CategoricalAccuracy("accuracy")
    at_once = learned.steps_per_execution
    make_ready(model, recipe, learned, steps, metrics=[accuracy], steps_per_execution=at_once)
    return model


def make_ready(model, recipe, learned, steps, **more):
    """Standardise a model by the faces it is to learn from, and compile it as its recipe says.

    `steps` is how many batches an epoch has; `more` is what `compile` takes besides.
    """
    if any(layer.name == "standardise" for layer in model.layers):
        zoo.adapt_standardisation(model, learned.images)
    model.compile(
        make_optimiser(recipe, steps),
        make_loss(recipe, learned),
        # XLA on a CPU trains four times slower, and cannot turn or shift images at all.
        jit_compile=False if keras.backend.backend() == "tensorflow" else "auto",
        **more,
    )
    # Built here, not within the first step: TensorFlow would trace that step twice, and seconds go by.
    model.optimizer.build(model.trainable_variables)


def _write_provenance(run, model, faces, learned, selecting, seed, teachers):
    """Write what a run is made of and with. Of one that resumes only what has changed since is added."""
    made_with = {
        "profile": settings.profile().name,
        "device": describe(),
        "precision": precision_of(model),
        "backend": keras.backend.backend(),
        "versions": versions(),
    }
    before = _provenance_before(run)
    done = len(run.history)
    if before and done:
        write_sealed(run.folder / "provenance.json", _resumed(before, made_with, done))
        return
    provenance = {
        "config": digest_of(run.config),
        "dataset": {"source": faces.source or "memory", "fingerprint": faces.fingerprint},
        "usages": usages_of(faces),
        **learned_facts(faces, learned, run.config["recipe"]["without_twins"]),
        "selected_on": usage_in_words(selecting),
        "selected_on_private_test": "PrivateTest" in selecting.usage,
        "emotions": list(learned.names),
        "seed": seed,
        **made_with,
        "started": before.get("started", now()),
        "resumed_after": [*before.get("resumed_after", []), done] if before or done else [],
    }
    if teachers:
        provenance["teachers"] = distillation.facts(teachers)
    write_sealed(run.folder / "provenance.json", provenance)


def _resumed(before, made_with, done):
    """Return the provenance of a run that resumes after `done` epochs, with what it is made with from now."""
    changed = {name: value for name, value in made_with.items() if before.get(name) != value}
    resumed = [*before.get("resumed", []), {"after": done, "at": now(), **changed}]
    return before | {"resumed_after": [*before.get("resumed_after", []), done], "resumed": resumed}


def _provenance_before(run):
    """Return the provenance of a run that resumes, {} for a new one, or one whose file is damaged."""
    try:
        return run.provenance
    except FileNotFoundError:
        return {}
    except ValueError as error:
        warnings.warn(f"{error}. It is written anew; what it said of earlier epochs is lost", stacklevel=4)
        return {}


def _train(run, model, recipe, learned, selecting, seed, targets, tensorboard, more):
    """Train from the last finished epoch on. Return whether training is complete."""
    batches, validating = _batches(learned, selecting, recipe, seed, targets)
    own = _own_callbacks(run, recipe, learned, tensorboard)
    checkpoint = Checkpoint(run.folder, own)
    epoch, ended = checkpoint.restore(model)
    _reopen(run, epoch)
    if ended or epoch >= recipe.epochs:
        return True
    if epoch:
        print(f"Resuming after epoch {epoch} of {recipe.epochs}")
    progress = Progress(own["best"], usage_in_words(selecting), run.best_accuracy)
    start = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: batches.start_epoch(epoch))
    try:
        with fused_normalisation(model), contextlib.closing(progress):
            model.fit(
                batches.as_dataset(),
                validation_data=validating.as_dataset(),
                initial_epoch=epoch,
                epochs=recipe.epochs,
                callbacks=[start, *own.values(), *more, checkpoint, progress],
                shuffle=False,  # Keras would draw the order of batches from a generator that nothing restores
                verbose=0,
            )
    except KeyboardInterrupt:
        _end(run, "interrupted")
        again = by_door("the same call", "the same command")
        print(f"Interrupted after epoch {len(run.history)}; {again} resumes from there")
        return False
    return True


def _batches(learned, selecting, recipe, seed, targets):
    """Return the `Batches` to learn from and to select on, for the devices of the current block."""
    weights = class_weights(learned) if recipe.class_weight else None
    devices = device_count()
    learning = Batches(
        learned, recipe.batch_size, seed, recipe.mixup, weights, devices=devices, targets=targets
    )
    return learning, Batches(selecting, 256 // devices * devices, shuffle=False, devices=devices)


def _own_callbacks(run, recipe, learned, tensorboard):
    """Return the callbacks that a recipe needs, by name, in the order in which they have to run."""
    averages = Averages(learned.sample(2560).x) if recipe.ema else None
    chosen = {"watch": Watch(), "averages": averages}
    if recipe.schedule == "plateau":
        chosen["plateau"] = keras.callbacks.ReduceLROnPlateau(
            "val_loss", recipe.plateau_factor, recipe.plateau_patience
        )
    if recipe.early_stopping:
        chosen["stopping"] = keras.callbacks.EarlyStopping("val_loss", patience=recipe.early_stopping)
    chosen["best"] = BestModel(run.folder, recipe.monitor, averages, run.about)
    chosen["history"] = History(run.folder / "history.csv", append=True)
    if tensorboard:
        if not importlib.util.find_spec("tensorboard"):
            raise ModuleNotFoundError("tensorboard=True needs TensorBoard: pip install tensorboard")
        chosen["tensorboard"] = keras.callbacks.TensorBoard(run.folder / "tensorboard")
    return {name: callback for name, callback in chosen.items() if callback}


def _reopen(run, epoch):
    """Make the record one of a training that goes on after `epoch`.

    An epoch that was logged but not saved is dropped from history.csv: it is trained again.
    """
    path = run.folder / "history.csv"
    _ = run.history  # checks it
    saved = parts.first_lines(path, epoch) if epoch else b""
    with replacing(path) as file:
        file.write(saved)
    if (run.folder / "metrics.json").exists():
        write_sealed(run.folder / "metrics.json", run.metrics | {"status": "unfinished", "files": {}})


def _end(run, status, scores=(), weights=None):
    """Write how training ended, with more `scores`, keeping those before that are the best model's."""
    metrics = run.metrics
    weights = weights or run.weights
    kept = {n: s for n, s in metrics["scores"].items() if s.get("weights") in (None, weights)}
    ended = {"status": status, "ended": now(), "best_epoch": run.best_epoch, "weights": weights}
    changed = metrics.get("files", {})
    run.write_metrics(dict(metrics) | ended | {"scores": kept | dict(scores)}, changed)


def _finish(run, selecting):
    """Write predictions and metrics of the best model, and mark the run as finished."""
    model = run.model()
    probabilities = model.predict(selecting.x, batch_size=256, verbose=0)
    parts.write_predictions(run.folder / "predictions.npz", selecting, probabilities)
    weights = weights_digest(model)
    accuracy = float((probabilities.argmax(1) == selecting.labels).mean())
    faces = plain_faces(selecting)
    score = {
        "usage": usage_in_words(selecting),
        "faces": len(selecting),
        "accuracy": accuracy,
        "dataset": {"source": faces.source, "fingerprint": faces.fingerprint},
        "weights": weights,
    }
    _end(run, "finished", {parts.score_name(score): score}, weights)
    (run.folder / "state.npz").unlink(missing_ok=True)
    print(run.summary)


@contextlib.contextmanager
def _explained(run, recipe):
    """Replace Keras' errors by ones that say what happened, what was kept and what to do."""
    try:
        yield
    except FloatingPointError as error:
        _end(run, "diverged")
        raise FloatingPointError(
            f"{error}; {_kept(run)}. Train with a smaller learning rate, into another folder"
        ) from None
    except OSError as error:
        again = by_door("make the same call", "give the same command")
        raise OSError(
            f"could not save to {run.folder} ({error}); {_kept(run)}. Make room and {again} again"
        ) from error
    except Exception as error:
        if not out_of_memory(error):
            raise
        smaller = f"dataclasses.replace(RECIPES[{recipe.name!r}], batch_size={recipe.batch_size // 2})"
        raise MemoryError(
            f"memory ran out in batches of {recipe.batch_size}. Shut down other notebooks, as each open "
            "kernel holds its GPU memory until it is stopped, and start again; or halve the batch"
            f"{by_door('', ', in Python')}: {smaller}"
        ) from error


def _kept(run):
    return f"the weights of epoch {run.best_epoch} are kept" if run.best_epoch else "no epoch had finished"
