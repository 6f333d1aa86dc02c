"""The reports' networks beside this kit's records of them: one table, and every figure a record can draw.

Nothing is trained or scored here: all numbers are read from run records, so both take seconds.
"""

import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from fer_kit.data.emotions import EMOTIONS
from fer_kit.evaluation.scores import recorded_scores, select, vote
from fer_kit.models.catalogue import MODELS
from fer_kit.training.recipes import RECIPES
from fer_kit.training.records import RECORDS, Run


class Experiment(NamedTuple):
    """A network of a report or of the kit, its recipe, and the accuracy its report gives, 0-1 or None.

    `teacher` is the shipped network that teaches here where a recipe has a teacher: those of the records
    are named in their configs and too large to be shipped.
    """

    report_id: str
    model: str
    recipe: str
    reported: float | None = None
    teacher: str | None = None

    def is_of(self, run):
        """Return whether a `Run` is one of this network by this recipe, with or without twins."""
        return (run.config["model"], run.config["recipe"]["name"]) == (self.model, self.recipe)


REPORT_NETWORKS = (
    Experiment("zhao-cnn", "zhao-cnn", "zhao", 0.5715),
    Experiment("zhao-vgg", "zhao-vgg", "zhao-long", 0.5883),
    Experiment("zhao-resnet", "zhao-resnet", "zhao", 0.6000),
    Experiment("zhao-sepconv", "zhao-sepconv", "zhao"),
    Experiment("choudhari-cnn", "choudhari-cnn", "choudhari"),
    Experiment("hejslet-large", "hejslet-large", "hejslet"),
    Experiment("hejslet-light", "hejslet-light", "hejslet"),
)
"""Networks of the reports that are trained from scratch; for murphy's see `MURPHY`."""

AS_REPORTED = {
    "hejslet-large": ("7 x 5,000", "studies/balanced-large", 0.63),
    "hejslet-light": ("7 x 5,000", "studies/balanced-light", 0.643),
}
"""Records that are nearer to a report than its network's own row: what is special, the record, the report's
accuracy, 0-1. hejslet's networks learned from equally many faces of each emotion."""

MURPHY = {"murphy-base": 0.4414, "murphy-finetune": 0.49, "murphy-dropdisgust": 0.4866}
"""murphy's test accuracies, 0-1, by item. In the records another backbone with ImageNet's weights may
stand in for InceptionV3 (lesson 06): its name and the side of its pictures stand in the table."""

KIT_NETWORKS = (
    Experiment("kit-small", "kit-small", "kit-small"),
    Experiment("kit-small-taught", "kit-small", "kit-small-taught", teacher="kit-compact"),
    Experiment("kit-compact", "kit-compact", "kit-compact"),
    Experiment("kit-compact-taught", "kit-compact", "kit-compact-taught", teacher="kit-compact"),
    Experiment("kit-best", "kit-best", "kit-best"),
    Experiment("kit-best-taught", "kit-best", "kit-best-taught", teacher="kit-compact"),
)
"""Networks of this kit."""

KIT_TRANSFER = Experiment("kit-transfer", "EfficientNetLite0", "kit-transfer")
"""This kit's network that comes with ImageNet's weights. FER-2013 is not all it learned from: its row, which
stands in the table once it has a record, and the vote with it are named apart."""

EXPERIMENTS = REPORT_NETWORKS + KIT_NETWORKS

SCORES = ("PrivateTest", "low", "high", "twin-free", "macro-F1", "calibration error")
COLUMNS = ("report", "chosen on", *SCORES, "seeds", "epochs", "record")
"""The columns of `result_table`, whether or not there are records to fill them."""


LITERATURE = {
    "VGG (Pramerdorfer & Kampel 2016)": 0.727,
    "vote of eight (Pramerdorfer & Kampel 2016)": 0.752,
}
"""PrivateTest accuracies, 0-1, of networks that learned the twins and saw ten views of each face, from
"Facial expression recognition using convolutional neural networks: state of the art" (arXiv 1612.02903)."""


def finished_runs(records=RECORDS):
    """Return the finished `Run`s among the records that tell the seven emotions apart, by name.

    Records that are damaged, and runs that learned from PrivateTest or were selected on it, are left out with
    a warning.
    """
    runs = [Run(path.parent) for path in sorted(Path(records).glob("*/config.json"))]
    return [run for run in runs if _is_result(run) and run.provenance["emotions"] == list(EMOTIONS)]


def _is_result(run):
    """Whether a run is finished and sound; warns of a damaged one, and of one that used PrivateTest."""
    try:
        finished = run.finished and run.best_epoch is not None and bool(run.provenance["emotions"])
        problem = f"{run.folder} {run.leak}" if finished and run.leak else ""
    except (ValueError, OSError) as error:
        problem = str(error)
    if problem:
        warnings.warn(f"left out of the results: {problem}", stacklevel=4)
    return not problem and finished


def runs_of(experiment, records=RECORDS):
    """Return the finished `Run`s of an `Experiment` among the records, those with the most epochs first."""
    return _of(experiment, finished_runs(records))


def _of(experiment, runs):
    """The runs of an `Experiment` that kept or left out the twins of test faces as its recipe says."""
    without = RECIPES[experiment.recipe].without_twins
    runs = [run for run in runs if run.config["recipe"].get("without_twins", False) == without]
    return sorted(filter(experiment.is_of, runs), key=lambda run: -run.config["recipe"]["epochs"])


def attempts(model, records=RECORDS):
    """Return a DataFrame of all records of `model` on the seven emotions, studies too, the best first.

    Columns: `augmentation`; `weight decay`; `mixup`; `teacher`, the share of the teachers' answers, 0-1;
    `epochs`; accuracies, 0-1, in `training` in the last epoch, on `PublicTest`, on `PrivateTest` and on its
    `twin-free` faces.

    Raises ValueError where there is none.
    """
    runs = [run for run in finished_runs(records) + finished_runs(records / "studies") if _scored(run)]
    rows = {run.folder.name: _attempt(run) for run in runs if run.config["model"] == model}
    if not rows:
        known = ", ".join(sorted({run.config["model"] for run in runs}))
        raise ValueError(f"no record of {model!r} was scored on PrivateTest; there are records of {known}")
    return pd.DataFrame.from_dict(rows, orient="index").sort_values("PublicTest", ascending=False)


def _attempt(run):
    recipe = run.config["recipe"]
    private = run.score("PrivateTest")
    usual = getattr(MODELS.get(run.config["model"]), "augmentation", None)  # a backbone has none of its own
    return {
        "augmentation": run.config["variant"].get("augment", usual),
        "weight decay": recipe["weight_decay"],
        "mixup": recipe["mixup"],
        "teacher": recipe.get("teacher", 0.0),
        "epochs": len(run.history),
        "training": run.history.accuracy.iloc[-1],
        "PublicTest": run.best_accuracy,
        "PrivateTest": private["accuracy"],
        "twin-free": private["accuracy_twin_free"],
    }


def result_table(records=RECORDS):
    """Return a DataFrame: each experiment's number in its report beside the kit's, shares 0-1.

    Columns: `report`; `chosen on` the accuracy on the faces that chose the epoch, which is how the reports
    score; `PrivateTest` scored once, with `low` and `high` of its 95 % interval; `twin-free`; `macro-F1`;
    `calibration error`; `seeds`; `epochs`; `record`, the folder's name. Several seeds are averaged, and so
    are their intervals. Experiments without a record have NaN. Below hejslet's networks stand the records
    that are nearer to what the report did (`AS_REPORTED`). Rows of networks with ImageNet's weights are named
    by item and backbone. The last rows are `kit_vote`, when there are two networks to vote, without and
    with these weights, if PublicTest lets them vote.
    """
    records = Path(records)
    runs = finished_runs(records)
    rows = {}
    for experiment in REPORT_NETWORKS:
        rows[experiment.report_id] = _row(experiment, runs)
        rows |= _nearer_row(experiment.report_id, records)
    rows |= _murphy_rows(records)
    rows |= {experiment.report_id: _row(experiment, runs) for experiment in KIT_NETWORKS}
    transferred = _of(KIT_TRANSFER, runs)
    if transferred:
        rows[_with_backbone("kit-transfer", transferred[0])] = _row(KIT_TRANSFER, transferred)
    if members := _members(runs):
        rows["kit-vote"] = _vote_row(members)
    with_more = _members(runs, extra_data=True) if transferred else []
    if any(run.config["model"] == KIT_TRANSFER.model for run in with_more):
        rows["kit-vote with kit-transfer"] = _vote_row(with_more)
    return pd.DataFrame.from_dict(rows, orient="index").reindex(columns=COLUMNS)


def protocol_table(records=RECORDS):
    """Return a DataFrame: PrivateTest accuracies, 0-1, of the kit's networks, by protocol.

    Columns: `strict`, without the twins of test faces in Training and one view of each face; `strict, ten
    views`, the same network with ten-crop; `published`, trained with the twins, with ten-crop. Rows: of each
    of the kit's networks the longest record, and those that were scored in ten views, studies too; the vote;
    then `LITERATURE`. The networks that come with the kit were scored in ten views as they come, in float16.
    """
    rows = {}
    results = finished_runs(records)
    runs = results + finished_runs(records / "studies")
    for experiment in (*KIT_NETWORKS, KIT_TRANSFER):
        longest = _of(experiment, results)[:1]
        for run in filter(experiment.is_of, runs):
            row = _by_protocol(run)
            if run in longest or set(row) - {"strict"}:
                rows.setdefault(_protocol_name(experiment, run), {}).update(row)
    if members := _members(results):
        rows["kit-vote"] = {"strict": _vote_row(members)["PrivateTest"]}
    rows |= {name: {"published": share} for name, share in LITERATURE.items()}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["strict", "strict, ten views", "published"])


def _protocol_name(experiment, run):
    config = run.config
    name = f"{experiment.report_id}, {config['recipe']['epochs']} epochs, seed {config['seed']}"
    variant = config["variant"]
    return f"{name}, augmentation {variant['augment']}" if "augment" in variant else name


def _by_protocol(run):
    """Return what a run has of a row of `protocol_table`, as a dict."""
    plain = run.score("PrivateTest")
    if plain is None:
        return {}
    ten = _ten_views(run, plain)
    if not run.provenance.get("without_twins", run.config["recipe"].get("without_twins", False)):
        return {"published": ten} if ten else {}
    return {"strict": plain["accuracy"]} | ({"strict, ten views": ten} if ten else {})


def _ten_views(run, plain):
    """Return the accuracy in ten views of the faces and weights of the score `plain`, else None."""
    for score in run.metrics["scores"].values():
        same_faces = score.get("dataset") == plain.get("dataset") and not score.get("left_out")
        same_weights = run.weights in (None, score.get("weights"))
        if score.get("augment") == "ten-crop" and same_faces and same_weights:
            return score["accuracy"]
    return None


def kit_vote(records=RECORDS, extra_data=False):
    """Return the list of `Run`s of this kit's own recipes whose soft vote scores best on PublicTest.

    Tried are the strongest two on PublicTest, the strongest three, and so on; all were trained without the
    twins of test faces. With `extra_data` networks that learned from ImageNet first are among them. The list
    is empty when fewer than two were scored on PrivateTest.
    """
    return _members(finished_runs(records), extra_data)


def _members(runs, extra_data=False):
    experiments = (*KIT_NETWORKS, KIT_TRANSFER) if extra_data else KIT_NETWORKS
    runs = [run for experiment in experiments for run in _of(experiment, runs) if _can_vote(run)]
    runs = sorted(runs, key=lambda run: -run.best_accuracy)
    scores = [recorded_scores(run) for run in runs]
    votes = {n: vote(scores[:n]) for n in range(2, len(runs) + 1)}
    return runs[: select(votes)] if votes else []


def _can_vote(run):
    """Whether a run has predictions of PublicTest and PrivateTest; warns of damaged ones."""
    try:
        return _scored(run) and run.predictions is not None and run.private_predictions is not None
    except (ValueError, OSError) as error:
        warnings.warn(f"left out of the vote: {error}", stacklevel=3)
        return False


def _vote_row(members):
    row = {"chosen on": vote([recorded_scores(run) for run in members]).accuracy}
    row |= _private_columns([vote([recorded_scores(run, "PrivateTest") for run in members]).as_json()])
    return row | {"record": " + ".join(run.folder.name for run in members)}


def _nearer_row(report_id, records):
    """Return {name: row} of the record in `AS_REPORTED` for a network, else {}."""
    if report_id not in AS_REPORTED:
        return {}
    special, record, reported = AS_REPORTED[report_id]
    run = Run(records / record)
    row = _row_of([run]) | {"record": record} if _is_result(run) else {}
    return {f"{report_id} ({special})": row | {"report": reported}}


def _murphy_rows(records):
    """Return murphy's rows; the name of one with a record says which backbone has learned it."""
    rows = {}
    for item, reported in MURPHY.items():
        run = Run(records / item)
        row = {"report": reported}
        if _is_result(run):
            row |= _row_of([run])
            item = _with_backbone(item, run)
        rows[item] = row
    return rows


def _with_backbone(item, run):
    """Return the name of a row with the backbone that learned it and the side of its pictures."""
    variant = run.config["variant"]
    return f"{item} ({variant['backbone']}, {variant['size']} px)"


def _row(experiment, runs):
    runs = _of(experiment, runs)
    longest = [run for run in runs if run.config["recipe"]["epochs"] == runs[0].config["recipe"]["epochs"]]
    row = {"report": experiment.reported if experiment.reported is not None else np.nan}
    return row | _row_of(longest) if longest else row


def _row_of(longest):
    row = {"chosen on": np.mean([run.best_accuracy for run in longest])}
    private = [score for run in longest if (score := run.score("PrivateTest"))]
    if private:
        row |= _private_columns(private)
    best = longest[0]
    return row | {"seeds": len(longest), "epochs": len(best.history), "record": best.folder.name}


def _private_columns(seeds):
    """Return the table's columns of PrivateTest, each the mean over `seeds`, dicts as in metrics.json."""
    columns = [
        {
            "PrivateTest": scores["accuracy"],
            "low": scores["interval"][0],
            "high": scores["interval"][1],
            "twin-free": scores["accuracy_twin_free"],
            "macro-F1": scores["macro_f1"],
            "calibration error": scores["calibration_error"],
        }
        for scores in seeds
    ]
    return pd.DataFrame(columns, dtype=float).mean().to_dict()


def _scored(run):
    return run.score("PrivateTest") is not None
