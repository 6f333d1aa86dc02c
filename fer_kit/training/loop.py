"""Training: `fit` trains a model by a recipe and leaves a run record; interrupted, it goes on later."""

import contextlib
import importlib.util
import inspect
from dataclasses import asdict, replace

import keras

from fer_kit.data.augment import class_weights
from fer_kit.models import zoo
from fer_kit.models.layers import precision_of
from fer_kit.runtime import devices, settings
from fer_kit.runtime.files import replacing, write_json
from fer_kit.runtime.names import check_options, keywords
from fer_kit.training import callbacks, distillation, records
from fer_kit.training.batches import Batches, choose_faces, usage_in_words
from fer_kit.training.ema import Averages
from fer_kit.training.losses import make_loss
from fer_kit.training.recipes import find_recipe, make_optimiser
from fer_kit.training.speedups import fused_normalisation


def fit(
    model,
    faces,
    recipe,
    out,
    validation=None,
    epochs=None,
    seed=0,
    retrain=False,
    precision="auto",
    share_over=None,
    teacher=None,
    tensorboard=False,
    callbacks=(),
    about=None,
    **variant,
):
    """Train `model` on the Training faces by `recipe`, select on PublicTest, and return the `records.Run`.

    The same call made again goes on where training was interrupted, by Ctrl-C or by a kill, and ends with
    the weights of a run that never was. A finished run is returned at once, unless `retrain`.

    `model`: a name of `models.MODELS`, built here with the options in `variant` (`gaussian_init=True`),
    or a Keras model of one's own, uint8 (B, 48, 48, 1) to probabilities (B, emotions), which keeps the
    precision and devices that it was built with; `variant` is then what else the record has to say of it.
    A layer "standardise" in it gets the mean and variance of the training pixels. `recipe`: a name of
    `recipes.RECIPES` or a `Recipe`. `out`: the run's folder.

    `validation`: another FaceSet to select on, for a report's protocol; PrivateTest is touched only if it
    is in there, and then the record says so. `epochs`: another number than the recipe's. `precision`: see
    `devices.choose_precision`. `share_over`: see `devices.share`. `teacher`: what a recipe with a teacher
    learns from, a model, what `records.open_model` opens, or a list of them. `tensorboard`: write logs to
    out/tensorboard. `callbacks`: more Keras callbacks, called each time before the epoch is saved.

    Raises ValueError for an unknown name, an empty split, a model with another number of outputs than
    there are emotions, a teacher without a recipe for it or the reverse, or a folder with another run;
    FloatingPointError when the loss is no number any more (the last good weights are kept); MemoryError,
    with advice, when the GPU's memory does not suffice; OSError when the disk is full (the previous epoch
    is kept).
    """
    _refuse_unknown(model, variant, about)
    recipe = replace(find_recipe(recipe), **({"epochs": epochs} if epochs else {}))
    learnt, selecting = choose_faces(faces, validation, recipe.without_twins)
    teachers = distillation.open_teachers(teacher, recipe)
    config = _config(model, about or variant, recipe, learnt, selecting, seed, teachers)
    run = records.begin(out, config, retrain)
    if run.finished:
        print(f"Already trained: {run.summary}. To train again: retrain=True")
        return run
    as_built = not isinstance(model, str) and share_over is None
    with contextlib.nullcontext() if as_built else devices.share(share_over):
        model = _prepare(model, variant, recipe, learnt, seed, precision)
        _write_provenance(run, model, faces, learnt, selecting, seed)
        with _explained(run, recipe):
            targets = distillation.targets(learnt, teachers, recipe.teacher) if teachers else None
            ended = _train(run, model, recipe, learnt, selecting, seed, targets, tensorboard, callbacks)
    if ended:
        _finish(run, selecting)
    return run


def _refuse_unknown(model, variant, about):
    """Raise TypeError for a keyword that neither `fit` nor the network's builder has."""
    of_the_builder = list(inspect.signature(zoo.build).parameters)[2:]  # without name and classes
    if isinstance(model, str):
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


def _config(model, variant, recipe, learnt, selecting, seed, teachers=()):
    named = isinstance(model, str)
    config = {
        "model": model if named else model.name,
        "variant": variant if named else {"parameters": model.count_params(), **variant},
        "recipe": asdict(recipe),
        "faces": learnt.fingerprint,
        "selected on": selecting.fingerprint,
        "seed": seed,
    }
    return config | ({"teacher": distillation.in_words(teachers)} if teachers else {})


def _prepare(model, variant, recipe, learnt, seed, precision):
    """Return the model, built where it is a name, standardised and compiled."""
    keras.utils.set_random_seed(seed)
    reason = "as it was built"
    if isinstance(model, str):
        policy, reason = devices.choose_precision(precision, zoo.find_architecture(model).separable)
        with devices.precision_policy(policy):
            model = zoo.build(model, len(learnt.names), **variant)
    print(f"Training {model.name} on {devices.describe()} in {precision_of(model)} ({reason})")
    if model.output_shape[-1] != len(learnt.names):
        raise ValueError(
            f"{model.name} has {model.output_shape[-1]} outputs, the faces {len(learnt.names)} emotions: "
            f"{', '.join(learnt.names)}"
        )
    if any(layer.name == "standardise" for layer in model.layers):
        zoo.adapt_standardisation(model, learnt.images)
    model.compile(
        make_optimiser(recipe, steps=-(-len(learnt) // recipe.batch_size)),
        make_loss(recipe, learnt),
        metrics=[keras.metrics.CategoricalAccuracy("accuracy")],
        # XLA on a CPU trains four times slower, and cannot turn or shift images at all.
        jit_compile=False if keras.backend.backend() == "tensorflow" else "auto",
        steps_per_execution=getattr(learnt, "steps_per_execution", 1),
    )
    return model


def _write_provenance(run, model, faces, learnt, selecting, seed):
    path = run.folder / "provenance.json"
    resumed = [*run.provenance["resumed_after"], len(run.history)] if path.exists() else []
    provenance = {
        "dataset": {"source": faces.source or "memory", "fingerprint": faces.fingerprint},
        "trained_on": {"faces": len(learnt), "fingerprint": learnt.fingerprint},
        "selected_on": usage_in_words(selecting),
        "selected_on_private_test": "PrivateTest" in selecting.usage,
        "emotions": list(learnt.names),
        "profile": settings.profile().name,
        "seed": seed,
        "device": devices.describe(),
        "precision": precision_of(model),
        "backend": keras.backend.backend(),
        "versions": records.versions(),
        "started": run.provenance["started"] if path.exists() else records.now(),
        "resumed_after": resumed,
    }
    write_json(path, provenance)


def _train(run, model, recipe, learnt, selecting, seed, targets, tensorboard, more):
    """Train from the last finished epoch on; return whether training came to its end."""
    weights = class_weights(learnt) if recipe.class_weight else None
    shared = devices.sharing()
    batches = Batches(learnt, recipe.batch_size, seed, recipe.mixup, weights, devices=shared, targets=targets)
    validating = Batches(selecting, 256 // shared * shared, shuffle=False, devices=shared)
    own = _callbacks(run, recipe, learnt, tensorboard)
    checkpoint = callbacks.Checkpoint(run.folder, own)
    epoch, ended = checkpoint.restore(model)
    _drop_unsaved_rows(run)
    if ended or epoch >= recipe.epochs:
        return True
    if epoch:
        print(f"Going on after epoch {epoch} of {recipe.epochs}")
    progress = callbacks.Progress(own["best"], usage_in_words(selecting), run.best_accuracy)
    start = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: batches.start_epoch(epoch))
    try:
        with fused_normalisation(model):
            model.fit(
                batches.as_fit_takes_them(),
                validation_data=validating.as_fit_takes_them(),
                initial_epoch=epoch,
                epochs=recipe.epochs,
                callbacks=[start, *own.values(), *more, checkpoint, progress],
                shuffle=False,  # Keras would draw the order of batches from a generator that nothing restores
                verbose=0,
            )
    except KeyboardInterrupt:
        _end(run, "interrupted")
        print(f"Interrupted after epoch {len(run.history)}; the same call goes on from there")
        return False
    return True


def _callbacks(run, recipe, learnt, tensorboard):
    """Return Keras' callbacks for a recipe by name, in the order in which they have to run."""
    averages = Averages(learnt.sample(2560).x) if recipe.ema else None
    chosen = {"watch": callbacks.Watch(), "averages": averages}
    if recipe.schedule == "plateau":
        chosen["plateau"] = keras.callbacks.ReduceLROnPlateau(
            "val_loss", recipe.plateau_factor, recipe.plateau_patience
        )
    if recipe.early_stopping:
        chosen["stopping"] = keras.callbacks.EarlyStopping("val_loss", patience=recipe.early_stopping)
    chosen["best"] = callbacks.BestModel(run.folder, recipe.monitor, averages)
    chosen["history"] = callbacks.History(run.folder / "history.csv", append=True)
    if tensorboard:
        if not importlib.util.find_spec("tensorboard"):
            raise ModuleNotFoundError("tensorboard=True needs TensorBoard: pip install tensorboard")
        chosen["tensorboard"] = keras.callbacks.TensorBoard(run.folder / "tensorboard")
    return {name: callback for name, callback in chosen.items() if callback}


def _drop_unsaved_rows(run):
    """Write history.csv without an epoch that was logged but not saved: it is trained again."""
    with replacing(run.folder / "history.csv") as file:
        file.write(run.history.to_csv().encode() if len(run.history) else b"")


def _end(run, status, **more):
    """Write how training ended, keeping scores that were added before."""
    more |= {"status": status, "ended": records.now(), "best_epoch": run.best_epoch}
    write_json(run.folder / "metrics.json", run.metrics | more)


def _finish(run, selecting):
    """Write predictions and metrics of the best model; from here on the run counts as finished."""
    probabilities = run.model().predict(selecting.x, batch_size=256, verbose=0)
    records.write_predictions(run.folder / "predictions.npz", selecting, probabilities)
    accuracy = float((probabilities.argmax(1) == selecting.labels).mean())
    score = {usage_in_words(selecting): {"faces": len(selecting), "accuracy": accuracy}}
    _end(run, "finished", scores=run.metrics["scores"] | score)
    (run.folder / "state.npz").unlink(missing_ok=True)
    print(run.summary)


@contextlib.contextmanager
def _explained(run, recipe):
    """Say what happened, what is kept and what to do, where Keras' own message would not."""
    try:
        yield
    except FloatingPointError as error:
        _end(run, "diverged")
        raise FloatingPointError(
            f"{error}; {_kept(run)}. Train with a smaller learning rate, into another folder"
        ) from None
    except OSError as error:
        raise OSError(
            f"could not save to {run.folder} ({error}); {_kept(run)}. Make room and make the same call again"
        ) from error
    except Exception as error:
        if not devices.out_of_memory(error):
            raise
        raise MemoryError(
            f"memory ran out in batches of {recipe.batch_size}. Shut down other notebooks, as each open "
            "kernel holds its GPU memory until it is stopped, and restart this one; or halve the batch: "
            f"dataclasses.replace(RECIPES[{recipe.name!r}], batch_size={recipe.batch_size // 2})"
        ) from error


def _kept(run):
    return f"the weights of epoch {run.best_epoch} are kept" if run.best_epoch else "no epoch had finished"
