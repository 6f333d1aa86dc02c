"""Tuning: a study trains one network with many settings of its hyper-parameters and says which was best.

    trials = tuning.grid("choudhari-cnn", faces, "choudhari", {"batch_size": [16, 64, 256]}, "studies/batch")

`grid` tries all combinations, for a table; `search` lets Optuna choose, for the best setting. Both select on
PublicTest alone, and run Optuna's own `study.optimize`. The same call made again resumes a study that was
stopped or killed. Made in a second process at the same time, it shares the work.
For several machines set FER_STUDIES to the URL of a PostgreSQL or MySQL server, as Optuna takes it, and give
an `out` that all of them see: SQLite, in which a study is stored by default, is for one.
"""

import contextlib
import json
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import keras

from fer_kit.evaluation.scores import over_seeds
from fer_kit.evaluation.scoring import evaluate
from fer_kit.models.layers import configuration_digest, own_code_digest
from fer_kit.runtime.code import code_digest
from fer_kit.runtime.seeds import seeded
from fer_kit.runtime.settings import choose_seed
from fer_kit.studies.common import go_on
from fer_kit.studies.tuning import results
from fer_kit.studies.tuning.space import apply_setting, check_choices, check_space, describe, suggest
from fer_kit.training.batches import choose_faces
from fer_kit.training.distillation import in_words, open_teachers
from fer_kit.training.loop import fit
from fer_kit.training.recipes import differences, find_recipe
from fer_kit.training.records import Run


def grid(model, faces, recipe, space, out, epochs=None, seed=None, **options):
    """Train every combination of `space` once, in random order, and return the trials as `table` does.

    A trial whose loss becomes NaN is pruned, one that runs out of memory has failed, and the study goes on.

    Args:
        model: a name of `models.MODELS`, or a function that takes the number of emotions, and what the space
            varies besides the recipe (`dropout`), and returns a new Keras model.
        faces: a FaceSet; trials learn from Training and are selected on PublicTest.
        recipe: what all trials have in common, as in `training.fit`.
        space: a dict from name to a list of choices, or a name of `SPACES`.
        out: the study's folder, with a run record per trial but without its weights.
        epochs: another number of epochs than the recipe's.
        seed: the seed of all trials.
        **options: go to `fit`, or to the function.

    Raises:
        ValueError: the space cannot be tried, or the folder holds another study, or the function has changed.
        ModuleNotFoundError: Optuna is not installed.
    """
    seed = choose_seed(seed)
    recipe = _with_epochs(recipe, epochs)
    space = check_space(space, recipe, model)
    count = check_choices(space)
    optuna = results.import_optuna()
    config = _config(model, faces, recipe, space, seed, options)
    study = _begin(out, model, config, _built(model, faces, recipe, space, seed, options))
    study.pruner = optuna.pruners.NopPruner()  # a table needs whole curves
    study.sampler = optuna.samplers.GridSampler(space, seed=seed)

    def done(begun):
        return len({repr(sorted(trial.params.items())) for trial in begun}) >= count

    _work(study, out, done, space, partial(_train, model, faces, recipe, seed=seed, **options))
    return results.table(out)


def search(
    model, faces, recipe, space, out, trials=20, epochs=None, seed=None, sampler=None, pruner=None, **options
):
    """Let Optuna choose `trials` settings in all, end the poor ones early, and return them as `table` does.

    Args:
        model, faces, recipe, out, epochs, seed, **options: as in `grid`.
        space: as in `grid`; it may hold ranges too.
        trials: how many in all, those of earlier calls included.
        sampler: a class of `optuna.samplers` that takes a `seed`; by default TPESampler (tree-structured
            Parzen estimator, Bergstra et al. 2011), whose first ten settings are random.
        pruner: a pruner of Optuna's; by default the MedianPruner ends a trial whose best epoch so far, from
            the second on, is below the median of the finished trials at that epoch, once there are four.

    Raises:
        ValueError: fewer than one trial, and as `grid` does.
        ModuleNotFoundError: Optuna is not installed.
    """
    if trials < 1:
        raise ValueError(f"trials is {trials}; a study needs at least one")
    seed = choose_seed(seed)
    recipe = _with_epochs(recipe, epochs)
    space = check_space(space, recipe, model)
    optuna = results.import_optuna()
    config = _config(model, faces, recipe, space, seed, options)
    study = _begin(out, model, config, _built(model, faces, recipe, space, seed, options))
    study.pruner = pruner or optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=2)

    def done(begun):
        # Seeded by its number, a trial differs from all others, also after a resume and in another process.
        study.sampler = (sampler or optuna.samplers.TPESampler)(seed=seed + len(begun))
        return len(begun) >= trials

    _work(study, out, done, space, partial(_train, model, faces, recipe, seed=seed, **options))
    return results.table(out)


def confirm(model, faces, recipe, setting, out, seeds=(1, 2, 3), epochs=None, **options):
    """Train one setting from several seeds and return mean, sd and seeds of its scores on PublicTest.

    The trial that won a study was also the luckiest; seeds that the study has not used tell a setting's
    worth from its luck.

    Args:
        setting: {name: value}, as `best` returns it, or {} for the recipe as it is.
        out: the folder of the runs, seed-1 and so on, with weights.
        seeds: a list of int.
        model, faces, recipe, epochs, **options: as in `grid`.

    Returns:
        The DataFrame of `scores.over_seeds`.
    """
    recipe = _with_epochs(recipe, epochs)
    scores = []
    for seed in seeds:
        run = _train(model, faces, recipe, setting, Path(out) / f"seed-{seed}", seed=seed, **options)
        print(f"seed {seed}: {describe(setting) or recipe.name}: PublicTest {run.best_accuracy:.1%}")
        scores.append(evaluate(run.folder, faces, "PublicTest"))
    return over_seeds(scores)


class Report(keras.callbacks.Callback):
    """Tells an Optuna trial the PublicTest accuracy of each epoch, and ends it where the pruner says so.

    `history`: the epochs that were trained before an interruption. The trial ends (TrialPruned) at the
    beginning of the next epoch, when everything before it has been saved.
    """

    def __init__(self, trial, history):
        super().__init__()
        self.trial = trial
        self.history = history

    def on_train_begin(self, logs=None):
        for epoch, accuracy in self.history.val_accuracy.items():
            self.trial.report(accuracy, epoch)

    def on_epoch_begin(self, epoch, logs=None):
        if self.trial.should_prune():
            raise results.import_optuna().TrialPruned(f"pruned after epoch {epoch}, as worse than others")

    def on_epoch_end(self, epoch, logs=None):
        self.trial.report(logs["val_accuracy"], epoch + 1)


def _begin(out, model, config, network=None):
    """Return the `optuna.Study` in `out`, created where it is new; refuse one of another `config`.

    `network` is the digest of what a function builds, see `_built`.
    """
    study = results.open_study(out, create=True)
    identity = {} if isinstance(model, str) else {"code": code_digest(model), "network": network}
    known = study.user_attrs
    differing = differences(known.get("config", config), config)
    words = {"code": f"the code of {config['model']}", "network": f"what {config['model']} builds"}
    changed = [words[name] for name, now in identity.items() if known.get(name, now) != now]
    differing += [f"{what} has changed" for what in changed[:1]]
    if differing:
        raise ValueError(f"{out} holds another study: {'; '.join(differing)}. Give another folder as out")
    if "config" not in known:
        for name, now in identity.items():
            study.set_user_attr(name, now)
        study.set_user_attr("config", config)
    return study


def _work(study, out, done, space, train):
    """Try one setting after the other until `done`, a function of the trials so far, says to end."""
    optuna = results.import_optuna()
    objective = partial(_try, out, space, train)
    try:
        while True:
            optuna.storages.fail_stale_trials(study)
            trials = results.begun(study)
            if done(trials) and "WAITING" not in {trial.state.name for trial in trials}:
                break
            study.optimize(objective, n_trials=1, catch=(MemoryError,), callbacks=[partial(_tidy, out)])
    except KeyboardInterrupt:
        print("Interrupted; the same call resumes the study")
        return
    for trial in trials:
        if trial.state.name == "RUNNING":
            print(
                f"trial {results.number_of(trial)} runs in another process, or its process was killed less "
                f"than {results.GRACE_PERIOD} seconds ago; the same call looks again"
            )


def _try(out, space, train, trial):
    """Train one trial and return its accuracy on PublicTest: the objective that Optuna maximises."""
    optuna = results.import_optuna()
    try:
        setting = suggest(trial, space)
        folder = results.run_folder(out, trial.study.trials[trial.number])
        return train(setting, folder, callbacks=[Report(trial, Run(folder).history)]).best_accuracy
    except (FloatingPointError, optuna.TrialPruned) as error:
        trial.set_user_attr("why", str(error))
        raise optuna.TrialPruned from error
    except MemoryError as error:
        trial.set_user_attr("why", str(error))
        raise
    except (Exception, KeyboardInterrupt):
        _queue_again(trial)
        raise


def _tidy(out, study, trial):
    """Say how a trial ended, and delete its weights: a study of a hundred trials would fill a disk."""
    folder = results.run_folder(out, trial)
    for weights in ("best.keras", "state.npz"):
        (folder / weights).unlink(missing_ok=True)
    result = trial.user_attrs.get("why") or f"PublicTest {trial.value:.1%}"
    print(f"trial {results.number_of(trial)}: {describe(trial.params)}: {result}")


def _queue_again(trial):
    """Queue the setting of an `optuna.Trial` that was interrupted, to be resumed in the same run folder."""
    optuna = results.import_optuna()
    frozen = trial.study.trials[trial.number]
    if frozen.state == optuna.trial.TrialState.RUNNING:  # else another process took it for dead, and did this
        optuna.storages.RetryHeartbeatStaleTrialCallback()(trial.study, frozen)


def _train(model, faces, recipe, setting, folder, seed, callbacks=(), **options):
    """Train one setting into `folder`, printing into log.txt there, and return its finished `Run`."""
    recipe, of_model = apply_setting(setting, recipe)
    options |= of_model
    if not isinstance(model, str):
        model = _build(model, faces, seed, options)
        options = {"about": of_model}
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "log.txt").open("a", encoding="utf-8") as log, contextlib.redirect_stdout(log):
        return go_on(fit(model, faces, recipe, folder, seed=seed, callbacks=callbacks, **options))


def _with_epochs(recipe, epochs):
    recipe = find_recipe(recipe)
    return recipe if epochs is None else replace(recipe, epochs=epochs)


def _config(model, faces, recipe, space, seed, options):
    """Return what makes a study the same study, as JSON gives it back."""
    learned, selecting = choose_faces(faces)
    config = {
        "model": _name(model),
        "options": {name: _identity(name, value, recipe, faces) for name, value in options.items()},
        "recipe": asdict(recipe),
        "space": {name: v if isinstance(v, list) else repr(v) for name, v in space.items()},
        "faces": learned.fingerprint,
        "selected on": selecting.fingerprint,
        "seed": seed,
    }
    return json.loads(json.dumps(config))


def _name(model):
    """Return the name of a network, or of the function that builds it, which a `partial` lends it."""
    while isinstance(model, partial):
        model = model.func
    return model if isinstance(model, str) else getattr(model, "__name__", type(model).__name__)


def _identity(name, value, recipe, faces):
    """Return what an option of `fit` is known by: a teacher by its weights, faces by their fingerprint."""
    if name == "teacher":
        return in_words(open_teachers(value, recipe, faces.training))
    return getattr(value, "fingerprint", value)


def _built(model, faces, recipe, space, seed, options):
    """Return the digest of what a function builds for the first setting of a space; None for a named network.

    The function's source does not say what it calls, what a closure holds, or which constants it reads.
    """
    if isinstance(model, str):
        return None
    setting = {name: v[0] if isinstance(v, list) else v.low for name, v in space.items()}
    _, of_model = apply_setting(setting, recipe)
    network = _build(model, faces, seed, options | of_model)
    return configuration_digest(network) + own_code_digest(network)


def _build(model, faces, seed, options):
    """Return a new network that a function builds, under the function's name."""
    with seeded(seed):
        built = model(len(faces.names), **options)
    # Keras' own would count up, and the record not be found again. TensorFlow wants no brackets in a name.
    built.name = _name(model).strip("<>")
    return built
