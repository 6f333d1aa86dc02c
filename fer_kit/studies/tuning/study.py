"""Tuning: a study trains one network with many settings of its hyper-parameters and says which was best.

    trials = tuning.grid("choudhari-cnn", faces, "choudhari", {"batch_size": [16, 64, 256]}, "studies/batch")

`grid` tries all combinations, for a table; `search` lets Optuna choose, for the best setting. Both select
on PublicTest alone. Stopped or killed, the same call goes on; the same call made in another process, or on
another computer that sees the folder, shares the work.
"""

import contextlib
import json
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import keras

from fer_kit.evaluation.scores import over_seeds
from fer_kit.evaluation.scoring import evaluate
from fer_kit.runtime.seeds import seeded
from fer_kit.studies.tuning import shared
from fer_kit.studies.tuning.results import best, curves, importance, read_record, table, write_record
from fer_kit.studies.tuning.space import (
    SPACES,
    apply_setting,
    as_distributions,
    check_space,
    combinations,
    describe,
)
from fer_kit.training.batches import choose_faces
from fer_kit.training.loop import fit
from fer_kit.training.recipes import find_recipe
from fer_kit.training.records import Run

__all__ = ["SPACES", "best", "confirm", "curves", "grid", "importance", "read_record", "search", "table"]
__all__ += ["write_record"]


def grid(model, faces, recipe, space, out, epochs=None, seed=0, **options):
    """Train every combination of `space` once, in its order, and return the trials as `table` does.

    `model`: a name of `models.MODELS`, or a function that takes the number of emotions, and what the space
    varies besides the recipe (`dropout`), and returns a new Keras model. `recipe`: what all trials have in
    common, as in `training.fit`, with another number of `epochs` where that is given. `space`: a dict from
    name to a list of choices, or a name of `SPACES`. `out`: the study's folder, with a run record per trial
    but without its weights. `options` go to `fit`, or to the function.

    A trial whose loss is no number any more is pruned, one that runs out of memory has failed, and the
    study goes on. Raises ValueError for a space that cannot be tried, or a folder with another study, and
    ModuleNotFoundError without Optuna.
    """
    recipe = _with_epochs(recipe, epochs)
    space = check_space(space, recipe, model)
    settings = combinations(space)

    def choose(trials):
        tried = [trial.params for trial in trials]
        return next((setting for setting in settings if setting not in tried), None)

    study = shared.begin_study(out, _config(model, faces, recipe, space, seed, options))
    study.pruner = shared.import_optuna().pruners.NopPruner()  # a table needs whole curves
    return _work(study, out, space, choose, partial(_train, model, faces, recipe, seed=seed, **options))


def search(
    model, faces, recipe, space, out, trials=20, epochs=None, seed=0, sampler=None, pruner=None, **options
):
    """Let Optuna choose `trials` settings in all, end the poor ones early, and return them as `table` does.

    Everything else is as in `grid`, and `space` may hold ranges. `sampler`: a class of `optuna.samplers`
    that takes a `seed`, by default TPESampler (tree-structured Parzen estimator, Bergstra et al. 2011),
    whose first ten settings are random. `pruner`: a pruner of Optuna's; by default the MedianPruner ends a
    trial that, from the second epoch on, is worse than half of the trials before it were at that epoch,
    once there are four.

    Raises ValueError for fewer than one trial, and as `grid` does.
    """
    if trials < 1:
        raise ValueError(f"trials is {trials}; a study needs at least one")
    optuna = shared.import_optuna()
    recipe = _with_epochs(recipe, epochs)
    space = check_space(space, recipe, model)
    study = shared.begin_study(out, _config(model, faces, recipe, space, seed, options))
    study.pruner = pruner or optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=2)

    def choose(begun):
        # Sampled by its number, a trial is the same whichever process takes it, and differs from the others.
        study.sampler = (sampler or optuna.samplers.TPESampler)(seed=seed + len(begun))
        return {} if len(begun) < trials else None

    return _work(study, out, space, choose, partial(_train, model, faces, recipe, seed=seed, **options))


def confirm(model, faces, recipe, setting, out, seeds=(1, 2, 3), epochs=None, **options):
    """Train one setting from several seeds and return mean, sd and seeds of its scores on PublicTest.

    The trial that won a study was also the luckiest; seeds that the study has not used tell a setting's
    worth from its luck. `setting`: {name: value}, as `best` returns it, or {} for the recipe as it is.
    Returns the DataFrame of `scores.over_seeds`; the runs lie in `out`/seed-1 and so on, with weights.
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
    beginning of the next epoch, when all that was reached has been saved.
    """

    def __init__(self, trial, history):
        super().__init__()
        self.trial, self.history = trial, history

    def on_train_begin(self, logs=None):
        for epoch, accuracy in self.history.val_accuracy.items():
            self.trial.report(accuracy, epoch)

    def on_epoch_begin(self, epoch, logs=None):
        if self.trial.should_prune():
            raise shared.import_optuna().TrialPruned(f"pruned after epoch {epoch}, as worse than others")

    def on_epoch_end(self, epoch, logs=None):
        self.trial.report(logs["val_accuracy"], epoch + 1)


def _work(study, out, space, choose, train):
    """Take and train one trial after the other until nothing is left; return the table of all."""
    distributions = as_distributions(space)
    try:
        while claimed := shared.claim(study, out, distributions, choose):
            _run_trial(study, *claimed, train)
    except KeyboardInterrupt:
        print("Interrupted; the same call goes on from there")
    trials = table(out)
    for trial in trials.index[trials.state == "running"]:
        print(f"trial {trial} is in work elsewhere, or was a minute ago; the same call looks again")
    return trials


def _run_trial(study, trial, folder, train):
    """Train one trial and tell the study how it ended; a trial that did not end is put back."""
    optuna = shared.import_optuna()
    with shared.alive(folder):
        try:
            outcome, why = _outcome(trial, folder, train)
            trial.set_user_attr("why", why)
            study.tell(trial, **outcome)
        except optuna.exceptions.UpdateFinishedTrialError:
            print(f"trial {trial.number} seemed dead for a while, and another process has taken it over")
            return
        except BaseException:
            shared.put_back(study, trial)
            raise
    for weights in ("best.keras", "state.npz"):  # a study of a hundred trials would fill a disk
        (folder / weights).unlink(missing_ok=True)
    result = why or f"PublicTest {outcome['values']:.1%}"
    print(f"trial {trial.number}: {describe(trial.params)}: {result}")


def _outcome(trial, folder, train):
    """Train one trial; return (what `Study.tell` takes, why it was ended early or "")."""
    optuna = shared.import_optuna()
    try:
        run = train(trial.params, folder, callbacks=[Report(trial, Run(folder).history)])
    except (FloatingPointError, optuna.TrialPruned) as error:
        return {"state": optuna.trial.TrialState.PRUNED}, str(error)
    except MemoryError as error:
        return {"state": optuna.trial.TrialState.FAIL}, str(error)
    return {"values": run.best_accuracy}, ""


def _train(model, faces, recipe, setting, folder, seed, callbacks=(), **options):
    """Train one setting into `folder`, printing into log.txt there, and return its finished `Run`."""
    recipe, of_model = apply_setting(setting, recipe)
    options |= of_model
    if not isinstance(model, str):
        with seeded(seed):
            built = model(len(faces.names), **options)
        built.name = model.__name__  # Keras' own would count up, and the record not be found again
        model = built
        options = {"about": of_model}
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "log.txt").open("a", encoding="utf-8") as log, contextlib.redirect_stdout(log):
        run = fit(model, faces, recipe, folder, seed=seed, callbacks=callbacks, **options)
    if not run.finished:
        raise KeyboardInterrupt  # which fit has answered already
    return run


def _with_epochs(recipe, epochs):
    return replace(find_recipe(recipe), **({"epochs": epochs} if epochs else {}))


def _config(model, faces, recipe, space, seed, options):
    """Return what makes a study the same study, as JSON gives it back."""
    learnt, selecting = choose_faces(faces)
    config = {
        "model": model if isinstance(model, str) else model.__name__,
        "options": options,
        "recipe": asdict(recipe),
        "space": {name: v if isinstance(v, list) else repr(v) for name, v in space.items()},
        "faces": learnt.fingerprint,
        "selected on": selecting.fingerprint,
        "seed": seed,
    }
    return json.loads(json.dumps(config))
