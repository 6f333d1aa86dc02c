"""A tuning study in its folder, and what it found: its trials, their curves, what mattered, the best setting.

study.db      the study as Optuna stores it, in SQLite; or FER_STUDIES names a PostgreSQL or MySQL server
trial-0003/   the run record of a trial
"""

import random
import time
import warnings
from pathlib import Path

import pandas as pd

from fer_kit.runtime import settings
from fer_kit.runtime.files import read_json, write_csv, write_json
from fer_kit.training.records import RECORDS, Run
from fer_kit.training.records.parts import COLUMNS, best_epoch, read_history

HEARTBEAT = 10
"""Seconds between two signs of life of a trial that is being trained."""

GRACE_PERIOD = 60
"""Seconds without one until its process counts as killed, and the trial is queued again."""

MAX_RETRIES = 3
"""How often that is done: a setting that kills its process would otherwise do so forever."""

STATES = {"COMPLETE": "finished", "PRUNED": "pruned", "FAIL": "failed", "RUNNING": "running"}

MEASURED = (
    "trial",
    "state",
    "accuracy",
    "epochs",
    "seconds",
    "why",
    "epoch",
    "loss",
    "val_loss",
    "val_accuracy",
    "lr",
)
"""Columns of `table` and `curves` that are no hyper-parameters."""


def import_optuna():
    """Return the module `optuna` without its log and its warnings of what may change in it.

    Raises ModuleNotFoundError, naming the extra to install, when Optuna is missing.
    """
    try:
        import optuna
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError('tuning needs Optuna: pip install "fer-kit[tuning]"') from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    return optuna


def open_study(out, create=False):
    """Return the `optuna.Study` in the folder `out`; with `create`, a new one where there is none.

    Raises FileNotFoundError when there is none to open, ValueError, saying what to do, when its database is
    damaged or lost or of an older version of the kit, and ModuleNotFoundError without Optuna.
    """
    optuna = import_optuna()
    path = Path(out) / "study.db"
    server = settings.study_server()
    if path.with_name("study.log").exists():
        raise ValueError(
            f"{out} holds the study.log of an older version of fer_kit, which this one cannot resume. Give "
            "another folder as out; Optuna's JournalStorage still reads the old file"
        )
    if not server and not path.exists():
        if not create:
            raise FileNotFoundError(f"{out} has no study.db; tuning.grid or tuning.search begins a study")
        if list(path.parent.glob("trial-*")):
            raise ValueError(f"{out} has trials, but their study.db is gone; give another folder as out")
    path.parent.mkdir(parents=True, exist_ok=True)
    return optuna.create_study(
        study_name=path.resolve().parent.name if server else "study",
        storage=_connect(server or _address(path), path),
        direction="maximize",
        load_if_exists=True,
    )


def _address(path):
    """The address of an SQLite file, whatever signs its path has; Optuna fills in what stands in braces."""
    from sqlalchemy.engine import URL

    address = URL.create("sqlite", database=path.resolve().as_posix()).render_as_string(hide_password=False)
    return address.replace("{", "{{").replace("}", "}}")


def _connect(url, path):
    """Return the `optuna.storages.RDBStorage` at `url`, which queues a trial again when it was killed."""
    storages = import_optuna().storages
    from sqlalchemy.exc import DatabaseError, IntegrityError, OperationalError

    options = {"heartbeat_interval": HEARTBEAT, "grace_period": GRACE_PERIOD}
    options["heartbeat_stale_trial_callback"] = storages.RetryHeartbeatStaleTrialCallback(MAX_RETRIES)
    tries = 0
    while True:
        try:
            return storages.RDBStorage(url, **options)
        except DatabaseError as error:
            tries += 1
            if tries == 6 or not isinstance(error, (IntegrityError, OperationalError)):
                raise ValueError(
                    f"the study of {path} cannot be opened ({error.orig}). If the file is damaged, restore "
                    "it from a copy, or give another folder as out"
                ) from error
            # Processes that create the same tables at the same moment disturb one another. Each waits for
            # another time, also where all have the same seed.
            time.sleep(random.SystemRandom().uniform(0.1, 1.5))


def begun(study):
    """Return the trials of an `optuna.Study`, without those that were queued again as a later trial."""
    retry = import_optuna().storages.RetryHeartbeatStaleTrialCallback
    trials = study.get_trials(deepcopy=False)
    again = {number for trial in trials for number in retry.retry_history(trial)}
    return [trial for trial in trials if trial.number not in again]


def number_of(trial):
    """Return the number of an `optuna.trial.FrozenTrial`, of the first try where it was queued again."""
    first = import_optuna().storages.RetryHeartbeatStaleTrialCallback.retried_trial_number(trial)
    return trial.number if first is None else first


def run_folder(out, trial):
    """Return the Path of the run record of a trial; all its tries share one."""
    return Path(out) / f"trial-{number_of(trial):04}"


def table(out):
    """Return a DataFrame of the trials of the study in `out`, one row each, its index the trial's number.

    One column per hyper-parameter (`epochs (setting)`, say, for one that is called like another column),
    then `state` (finished, pruned, failed, running or queued), `accuracy`
    (0-1, of the best epoch on PublicTest so far; nan without one), `epochs`, `seconds`, and `why` a trial was
    pruned or failed. A trial that was tried again stands there once. Raises as `open_study` does.
    """
    study = open_study(out)
    monitor = study.user_attrs.get("config", {}).get("recipe", {}).get("monitor", "val_accuracy")
    rows = {number_of(trial): _row(trial, _history(out, trial), monitor) for trial in begun(study)}
    columns = [*_names(study), "state", "accuracy", "epochs", "seconds", "why"]
    return pd.DataFrame.from_dict(rows, "index", columns=columns).rename_axis("trial").sort_index()


def _names(study):
    return list(_settings(study.user_attrs.get("config", {}).get("space", {})))


def _settings(params):
    """Return {column: value} of hyper-parameters: none has the name of something that is measured."""
    return {f"{name} (setting)" if name in MEASURED else name: value for name, value in params.items()}


def _row(trial, history, monitor):
    state = STATES.get(trial.state.name, "queued")
    return _settings(trial.params) | {
        "state": state,
        "accuracy": trial.value if state == "finished" else _kept_accuracy(history, monitor),
        "epochs": len(history),
        "seconds": history.seconds.sum(),
        "why": trial.user_attrs.get("why", "its process was killed" if state == "failed" else ""),
    }


def _kept_accuracy(history, monitor):
    """The accuracy on PublicTest of the epoch that the recipe keeps so far; NaN without one."""
    kept = best_epoch(history, monitor)
    return history.val_accuracy[kept] if kept else float("nan")


def curves(out):
    """Return a DataFrame of all epochs of all trials of the study in `out`.

    Columns: trial, epoch (from 1), one per hyper-parameter as in `table`, accuracy and loss in training,
    val_accuracy and val_loss on PublicTest, lr (the learning rate after an epoch, which is the next batch's)
    and seconds.
    Raises as `open_study` does.
    """
    study = open_study(out)
    measures = ["lr" if column == "learning_rate" else column for column in COLUMNS]
    parts = []
    for trial in sorted(begun(study), key=number_of):
        history = _history(out, trial).rename(columns={"learning_rate": "lr"}).reset_index()
        parts.append(history.assign(trial=number_of(trial), **_settings(trial.params)))
    columns = ["trial", "epoch", *_names(study), *measures]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def best(out):
    """Return the setting, {name: value}, of the finished trial with the highest accuracy on PublicTest.

    Raises ValueError when no trial has finished, and as `open_study` does.
    """
    study = open_study(out)
    if not any(trial.state.name == "COMPLETE" for trial in study.get_trials(deepcopy=False)):
        raise ValueError(f"no trial of {out} has finished, so none is the best; resume the study first")
    return dict(study.best_params)


def importance(out):
    """Return a DataFrame of how much each hyper-parameter mattered: a column `share` that adds up to 1.

    PED-ANOVA (Watanabe et al. 2023): how differently a hyper-parameter is spread among the better half of
    the finished trials and among all of them. With a dozen trials it is a hint, no more. Raises ValueError
    with fewer than three finished trials, or when all were equally good, and as `open_study` does.
    """
    optuna = import_optuna()
    study = open_study(out)
    values = [trial.value for trial in study.get_trials(deepcopy=False) if trial.state.name == "COMPLETE"]
    if len(values) < 3 or len(set(values)) < 2:
        raise ValueError(
            f"{out} has {len(values)} finished trials with {len(set(values))} different scores; "
            "what mattered can be told from three or more that differ"
        )
    # Of a dozen trials the usual best tenth is a single one.
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=0.5)
    shares = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return pd.DataFrame({"share": _settings(shares)}).rename_axis("hyper-parameter")


def write_record(out, folder):
    """Write the study in `out` as plain files: trials.csv, curves.csv, and study.json with its provenance.

    These need no Optuna to be read (`read_record`) and hold no model. Raises ValueError when no trial has
    finished an epoch, and as `open_study` does.
    """
    trials = table(out)
    epochs = curves(out)
    if epochs.empty:
        raise ValueError(f"{out} has nothing to record yet: no trial has finished an epoch")
    config = open_study(out).user_attrs["config"]
    first = Run(Path(out) / f"trial-{epochs.trial[0]:04}").provenance
    for name, frame in (("trials.csv", trials), ("curves.csv", epochs.set_index("trial"))):
        write_csv(Path(folder) / name, frame, float_format="%.6g")
    write_json(Path(folder) / "study.json", {"config": config, "provenance": first})


def read_record(folder):
    """Return (trials, curves, about) of a study that `write_record` wrote, or None when there is none.

    Two DataFrames as of `table` and `curves`, and a dict of `config` and `provenance`.
    """
    folder = Path(folder)
    if not (folder / "study.json").exists():
        return None
    trials = pd.read_csv(folder / "trials.csv", index_col="trial", dtype={"why": str}).fillna({"why": ""})
    return trials, pd.read_csv(folder / "curves.csv"), read_json(folder / "study.json")


def recorded(name, records=RECORDS):
    """Return (trials, curves, `Source`) of a study that the kit comes with, and print what it trained on.

    `name` is its folder among the records of tuning, such as `choudhari-fig6`. Returns None, saying so, where
    this copy of the kit has no such record.
    """
    found = read_record(Path(records) / "tuning" / name)
    if found is None:
        print(f"This copy of the kit has no record of {name}.")
        return None
    trials, trial_curves, about = found
    provenance = about["provenance"]
    source = settings.Source(provenance["dataset"]["source"], f"tuning/{name}", provenance["profile"])
    print(f"{len(trials)} trials on {provenance['trained_on']['faces']:,} faces, {source}")
    return trials, trial_curves, source


def _history(out, trial):
    """Return the epochs of a trial as `Run.history` has them, but also those of one that was pruned.

    Of a damaged trial there are none, and a warning says so: it blocks no other.
    """
    path = run_folder(out, trial) / "history.csv"
    try:
        return read_history(path)
    except ValueError as error:
        warnings.warn(f"left out: the epochs of trial {number_of(trial)}: {error}", stacklevel=4)
        return read_history(path.with_name("none"))
