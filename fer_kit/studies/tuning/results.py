"""What a tuning study found, as tables: its trials, their curves, what mattered, the best setting."""

from pathlib import Path

import pandas as pd

from fer_kit.runtime.files import read_json, replacing, write_json
from fer_kit.runtime.settings import Source
from fer_kit.studies.tuning import shared
from fer_kit.training.records import COLUMNS, RECORDS, Run

STATES = {"COMPLETE": "finished", "PRUNED": "pruned", "FAIL": "failed", "RUNNING": "running"}


def table(out):
    """Return a DataFrame of the trials of the study in `out`, one row each, its index the trial's number.

    One column per hyper-parameter, then `state` (finished, pruned, failed, running or queued), `accuracy`
    (0-1, of the best epoch on PublicTest so far; nan without one), `epochs`, `seconds`, and `why` a trial was
    pruned or failed. A trial that was taken over from a killed process stands there once. Raises as
    `shared.open_study` does.
    """
    study = shared.open_study(out)
    rows = {trial.number: _row(trial, _history(out, trial)) for trial in shared.begun(study)}
    columns = [*_names(study), "state", "accuracy", "epochs", "seconds", "why"]
    return pd.DataFrame.from_dict(rows, "index", columns=columns).rename_axis("trial")


def _names(study):
    return list(study.user_attrs.get("config", {}).get("space", {}))


def _row(trial, history):
    reached = trial.value if trial.value is not None else history.val_accuracy.max()
    return trial.params | {
        "state": STATES.get(trial.state.name, "queued"),
        "accuracy": reached,
        "epochs": len(history),
        "seconds": history.seconds.sum(),
        "why": trial.user_attrs.get("why", ""),
    }


def curves(out):
    """Return a DataFrame of all epochs of all trials of the study in `out`.

    Columns: trial, epoch (from 1), one per hyper-parameter, accuracy and loss in training, val_accuracy and
    val_loss on PublicTest, lr (the learning rate of the epoch's last batch, as scheduled) and seconds.
    """
    study, measures = shared.open_study(out), ["lr" if c == "learning_rate" else c for c in COLUMNS]
    parts = []
    for trial in shared.begun(study):
        history = _history(out, trial).rename(columns={"learning_rate": "lr"}).reset_index()
        parts.append(history.assign(trial=trial.number, **trial.params))
    columns = ["trial", "epoch", *_names(study), *measures]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def best(out):
    """Return the setting, {name: value}, of the finished trial with the highest accuracy on PublicTest.

    Raises ValueError when no trial has finished.
    """
    study = shared.open_study(out)
    if not any(trial.state.name == "COMPLETE" for trial in study.get_trials(deepcopy=False)):
        raise ValueError(f"no trial of {out} has finished, so none is the best; make the study go on")
    return dict(study.best_params)


def importance(out):
    """Return a DataFrame of how much each hyper-parameter mattered: a column `share` that adds up to 1.

    PED-ANOVA (Watanabe et al. 2023): how differently a hyper-parameter is spread among the better trials
    and among all. With a dozen trials it is a hint, no more. Raises ValueError with fewer than three
    finished trials, or when all were equally good.
    """
    optuna = shared.import_optuna()
    study = shared.open_study(out)
    values = [trial.value for trial in study.get_trials(deepcopy=False) if trial.state.name == "COMPLETE"]
    if len(values) < 3 or len(set(values)) < 2:
        raise ValueError(
            f"{out} has {len(values)} finished trials with {len(set(values))} different scores; "
            "what mattered can be told from three or more that differ"
        )
    evaluator = optuna.importance.PedAnovaImportanceEvaluator()
    shares = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return pd.DataFrame({"share": shares}).rename_axis("hyper-parameter")


def write_record(out, folder):
    """Write the study in `out` as plain files: trials.csv, curves.csv, and study.json with its provenance.

    These need no Optuna to be read (`read_record`) and hold no model. Raises ValueError when no trial has
    finished an epoch.
    """
    trials, epochs = table(out), curves(out)
    if epochs.empty:
        raise ValueError(f"{out} has nothing to record yet: no trial has finished an epoch")
    config = shared.open_study(out).user_attrs["config"]
    first = Run(shared.folder_of(out, epochs.trial[0])).provenance
    for name, frame in (("trials.csv", trials), ("curves.csv", epochs.set_index("trial"))):
        with replacing(Path(folder) / name) as file:
            file.write(frame.to_csv(float_format="%.6g").encode())
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
    source = Source(provenance["dataset"]["source"], f"tuning/{name}", provenance["profile"])
    print(f"{len(trials)} trials on {provenance['trained_on']['faces']:,} faces, {source}")
    return trials, trial_curves, source


def _history(out, trial):
    """Return the epochs of a trial as `Run.history` has them, but also those of one that was pruned."""
    path = shared.folder_of(out, trial.number) / "history.csv"
    if not path.exists() or not path.stat().st_size:
        return Run(path.parent).history
    return pd.read_csv(path, index_col="epoch")
