"""`python -m maintain ship|keep RUN NAME`: put a finished run's model, or its record, into the package.

`python -m maintain views NAME` adds to the record of a shipped model what ten views of each face are worth.

A model comes with its card, after Mitchell et al. 2019, "Model Cards for Model Reporting". All its numbers
are the record's.
"""

import io
import json
import re
import tempfile
import zipfile
from pathlib import Path

import h5py
import numpy as np

from fer_kit.data.sample.people import draw_sample
from fer_kit.evaluation.scoring import evaluate, predict
from fer_kit.models import pretrained
from fer_kit.models.portable import ABOUT, portable_config
from fer_kit.models.pretrained import WEIGHTS, load_model
from fer_kit.models.zoo import multiply_accumulates
from fer_kit.runtime.files import check_free, file_digest, read_json, replacing, write_json
from fer_kit.runtime.locks import locked
from fer_kit.studies import tuning
from fer_kit.studies.reproduction import finished_runs
from fer_kit.training.recipes import differences
from fer_kit.training.records import PATIENCE, RECORDS, Run
from fer_kit.training.records.parts import SMALL, score_name

LIMIT = 0.002
"""How far storing in float16 may move the accuracy on the faces that selected the model, as a share."""

USE = (
    "Lessons, the kit's webcam demo, and comparison with other networks on FER-2013.",
    "Not for decisions about people: not in hiring, schooling, policing, health or advertising.",
)
LIMITS = (  # `limits` puts a sentence from the scores between them
    "It predicts under which of seven words a picture of a face was found. What somebody feels it does "
    "not see, and no network of this kind can tell.",
    "FER-2013 was collected by web searches for words of emotion, of people who were not asked; age, skin "
    "colour and origin are not known, so nobody has shown that it works alike for all.",
    "Faces from other cameras, angles and light are recognised less often than those of PrivateTest.",
    "Ask the people in front of a camera before you run it, and keep no pictures of them.",
)
LICENCE = (
    "The weights are the kit's own, under its MIT licence. FER-2013 may be used for research and not passed "
    "on; none of its images are in the weights, but whoever uses them commercially should ask its owners "
    "first."
)


def ship(run_folder, name, faces, folder=WEIGHTS, overwrite=False):
    """Store the best model of a finished run as `name` with its card, .json and .md; return the Path.

    `faces` is the dataset of the run, on whose PublicTest faces the stored file is compared with the
    original. Nothing is written before that. Raises ValueError when the run has not finished, is damaged,
    learned from PrivateTest or was selected on it, has no score on all of PrivateTest yet, or another
    dataset, or when the file scores worse by more than `LIMIT`; FileExistsError for a name that is shipped
    already, unless `overwrite`.
    """
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise ValueError(f"{name!r} is no name for a model; give one like kit-small")
    check_free(Path(folder) / f"{name}.keras", overwrite)
    run = Run.open(run_folder)
    _refuse(run)
    if not run.finished:
        raise ValueError(f"{run_folder} has not finished; train it to its end first")
    if run.score("PrivateTest") is None:
        raise ValueError(f"{run_folder} has no PrivateTest score for the card; evaluate it there once, first")
    if faces.fingerprint != run.provenance["dataset"]["fingerprint"]:
        raise ValueError(f"{run_folder} learned from other data than {faces.source}")
    model = run.model()
    card = model_card(run, name, model)
    with tempfile.TemporaryDirectory() as drafts:
        _compare(model, store(model, name, card, drafts), faces.public_test)
    path = store(model, name, card, folder)
    write_json(path.with_suffix(".json"), card | {"sha256": file_digest(path)})
    with replacing(path.with_suffix(".md")) as file:
        file.write(in_words(card).encode())
    return path


def store(model, name, card, folder=WEIGHTS):
    """Write `model` as NAME.keras into `folder`, and the dict `card` as NAME.json; return the first's Path.

    The model will compute in float32 wherever it is loaded. Its kernels are stored as float16, which halves
    the file; Keras casts them back when it loads them. Means and variances keep their precision.
    Raises ValueError when a kernel has a value that float16 cannot hold.
    """
    path = Path(folder) / f"{name}.keras"
    about = getattr(model, "about", {})
    with tempfile.TemporaryDirectory() as drafts:
        draft = Path(drafts) / path.name
        model.save(draft)
        with replacing(path) as file:
            _halve(draft, file, {ABOUT: about} if about else {})
    write_json(path.with_suffix(".json"), card)
    return path


def _halve(source, target, facts):
    """Copy a `.keras` file, a zip archive of config and weights, with float16 kernels and float32 layers.

    `facts` go into its metadata.
    """
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = old.read(name)
            if name.endswith(".h5"):
                content = _halved_weights(content)
            if name == "config.json":
                content = portable_config(content)
                for half in (b"mixed_bfloat16", b"mixed_float16"):
                    content = content.replace(half, b"float32")
            # Without the time of day in the archive, so that shipping a model again changes nothing.
            if name == "metadata.json":
                content = json.dumps(facts | {"keras_version": json.loads(content)["keras_version"]}).encode()
            new.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)


def _halved_weights(content):
    """Return the bytes of an h5 file with every array of more than one axis in float16."""
    result = io.BytesIO()
    with h5py.File(io.BytesIO(content), "r") as old, h5py.File(result, "w") as new:

        def copy(path, item):
            if isinstance(item, h5py.Group):
                new.require_group(path)
            elif item.dtype == np.float32 and item.ndim > 1:
                new[path] = _as_float16(path, item[()])
            else:
                new[path] = item[()]
            new[path].attrs.update(item.attrs)

        old.visititems(copy)
    return result.getvalue()


def _as_float16(path, values):
    largest = np.abs(values).max()
    if not largest <= np.finfo(np.float16).max:
        raise ValueError(f"{path} holds {largest:.3g}, which float16 cannot")
    return values.astype(np.float16)


def _compare(model, path, public):
    """Raise ValueError when the stored file recognises too few faces."""
    loss = accuracy(model, public) - accuracy(load_model(path), public)
    if loss > LIMIT:
        raise ValueError(f"float16 costs {loss:.2%} of PublicTest, more than {LIMIT:.1%}")


def keep(run, name, records=RECORDS, overwrite=False):
    """Copy the small files of a `Run`, all but its model, into the folder of records and return the copy.

    Raises ValueError when the run has not finished, learned from drawn faces, is damaged, learned from
    PrivateTest or was selected on it, and FileExistsError when the record of this name is another run's, or
    files of such names are no record, unless `overwrite`: they are then replaced.
    """
    _check_name(name)
    if not run.best_epoch:
        raise ValueError(f"{run.folder} has no finished epoch, so there is nothing to keep yet")
    if not run.finished:
        raise ValueError(f"{run.folder} has not finished; train it to its end first")
    _refuse(run)
    _refuse_drawn(run)
    before = records / name / "config.json"
    if not before.exists():
        for file in SMALL:
            check_free(records / name / file, overwrite)
    elif not overwrite and (differences(read_json(before), run.config) or _scored_more(records / name, run)):
        check_free(before)
    for file in SMALL:
        if not (run.folder / file).exists():
            (records / name / file).unlink(missing_ok=True)
    for path in filter(Path.exists, (run.folder / file for file in SMALL)):
        with replacing(records / name / path.name) as copy:
            copy.write(path.read_bytes())
    return Run(records / name)


def _check_name(name):
    if not re.fullmatch(r"(\w[\w.-]*/)?\w[\w.-]*", name):
        raise ValueError(f"{name!r} is no name for a record; give one like kit-small or studies/plain")


def keep_study(out, name, records=RECORDS, overwrite=False):
    """Write the study in the folder `out`, without models, among the records of tuning; return the Path.

    Raises ValueError while a trial is still to end, when one saw PrivateTest or learned from drawn faces, or
    when none has finished an epoch, and FileExistsError for a name that is there, unless `overwrite`.
    """
    _check_name(name)
    if tuning.table(out).state.isin(["running", "queued"]).any():
        raise ValueError(f"{out} has trials that are still to end; resume the study first")
    for path in Path(out).glob("trial-*/provenance.json"):
        _refuse_leak(Run(path.parent))
        _refuse_drawn(Run(path.parent))
    check_free(records / "tuning" / name / "study.json", overwrite)
    tuning.write_record(out, records / "tuning" / name)
    return records / "tuning" / name


def _scored_more(record, run):
    """Whether the record in a folder has scores that the `Run` lacks, such as those of `add_views`."""
    return bool(set(Run(record).metrics["scores"]) - set(run.metrics["scores"]))


def add_views(name, faces, records=RECORDS):
    """Score a shipped network in ten views of each face, PrivateTest once, in its record; return that `Run`.

    Raises ValueError when no record has the score of the network's card, when it has ten views already, and
    for other faces than the record's.
    """
    score = pretrained.card(name)["PrivateTest"]
    runs = [run for run in finished_runs(records) if run.score("PrivateTest") == score]
    if not runs:
        raise ValueError(f"no record has the PrivateTest score of {name}'s card; keep its run first")
    if any(known.get("augment") == "ten-crop" for known in runs[0].metrics["scores"].values()):
        raise ValueError(f"{runs[0].folder} was scored in ten views before; once is enough")
    if faces.private_test.fingerprint != score["dataset"]["fingerprint"]:
        raise ValueError(
            f"{faces.source} has other PrivateTest faces than {runs[0].folder} was scored on; "
            "give that dataset with --data"
        )
    model = pretrained.load_pretrained(name)
    scored = [evaluate(model, faces, usage, "ten-crop").as_json() for usage in ("PublicTest", "PrivateTest")]
    with locked(runs[0].folder, PATIENCE):  # nobody else's score comes between reading and writing
        metrics = runs[0].metrics
        metrics["scores"] |= {score_name(numbers): numbers for numbers in scored}
        metrics["private_test_scored"] += 1
        runs[0].write_metrics(metrics)
    return runs[0]


def _refuse(run):
    """Raise ValueError for a run that is damaged, or that saw PrivateTest before it was scored there."""
    if problems := run.damaged():
        raise ValueError(problems[0])
    _refuse_leak(run)


def _refuse_leak(run):
    if run.leak:
        raise ValueError(
            f"{run.folder} {run.leak}: its scores are no test scores, so it is not kept or shipped"
        )


def _refuse_drawn(run):
    if run.provenance["dataset"]["source"].startswith("built-in"):
        raise ValueError(f"{run.folder} learned from drawn faces; records are of photographs")


def accuracy(model, faces):
    """Return the share of faces that a model predicts right."""
    return float((predict(model, faces.images).argmax(1) == faces.labels).mean())


def model_card(run, name, model):
    """Return the card of a `Run`'s model as a dict of plain values."""
    config = run.config
    provenance = run.provenance
    score = run.score("PrivateTest")
    return {
        "name": name,
        "model": config["model"],
        "recipe": config["recipe"]["name"],
        "epochs": {"trained": len(run.history), "best": run.best_epoch},
        "data": provenance["dataset"] | {"trained on faces": provenance["trained_on"]["faces"]},
        "protocol": f"{_learned_from(config, provenance)}, selected on {provenance['selected_on']}, "
        f"PrivateTest scored {how_often(run.metrics)}",
        "teachers": provenance.get("teachers", []),
        "selected on": {"usage": provenance["selected_on"], "accuracy": run.best_accuracy},
        "PrivateTest": score,
        "built-in sample": {
            "accuracy": accuracy(model, draw_sample()),
            "meaning": "none: a check of the file",
        },
        "emotions": provenance["emotions"],
        "cost": {"parameters": model.count_params(), "multiply-accumulates": multiply_accumulates(model)},
        "seed": provenance["seed"],
        "versions": provenance["versions"],
        "use": list(USE),
        "limits": limits(score),
        "licence": LICENCE,
    }


def _learned_from(config, provenance):
    """What a run learned from, in words."""
    asked = config["recipe"].get("without_twins", False)
    without = provenance.get(
        "without_twins", asked
    )  # older records do not say whether all of them were known
    twins = " without twins of test faces" if without else ""
    if asked and not without:
        twins = " without those twins of test faces that were known"
    teacher = f", taught by {config['teacher']}" if "teacher" in config else ""
    return f"trained on Training{twins}{teacher}"


def limits(score):
    """Return the sentences on what a model does badly, a list of str, from its `score` on PrivateTest."""
    table = score["per_emotion"]
    faces = sum(row["faces"] for row in table.values())
    found = {name: row["recall"] for name, row in table.items() if row["recall"] is not None}
    rare = min(table, key=lambda name: table[name]["faces"])
    worst = min(found, key=found.get)
    sentence = (
        f"Its labels contradict each other and contain errors. Only {table[rare]['faces']} of the {faces:,} "
        f"test faces are {rare}, and it finds {found.get(rare, 0):.0%} of them; what it misses most often is "
        f"{worst}, {1 - found[worst]:.0%} of its faces."
    )
    return [*LIMITS[:2], sentence, *LIMITS[2:]]


def how_often(metrics):
    """How often PrivateTest was scored, in words."""
    scores = [known for name, known in metrics["scores"].items() if name.startswith("PrivateTest")]
    count = metrics["private_test_scored"]
    if count == 2 and {known.get("augment") for known in scores} == {None, "ten-crop"}:
        return "twice: in one view of each face (the score below) and in ten"
    return "once" if count == 1 else f"{count} times"


def in_words(card):
    """Return a card as a page of Markdown."""
    cost = card["cost"]
    epochs = card["epochs"]
    lines = [
        f"# {card['name']}",
        "",
        f"Network {card['model']}, recipe {card['recipe']}, best epoch {epochs['best']} of "
        f"{epochs['trained']}, seed {card['seed']}; {cost['parameters']:,} parameters, "
        f"{cost['multiply-accumulates'] / 1e6:.1f} million multiply-accumulates a face.",
        f"Data: {card['data']['source']}, fingerprint {card['data']['fingerprint']}, "
        f"{card['data']['trained on faces']:,} faces. Protocol: {card['protocol']}.",
        "",
        *_scores_in_words(card),
    ]
    for title, points in (("Use", card["use"]), ("Limits", card["limits"])):
        lines += [f"## {title}", "", *(f"- {point}" for point in points), ""]
    return "\n".join([*lines, "## Licence", "", card["licence"], ""])


def _scores_in_words(card):
    test = card["PrivateTest"]
    chosen = card["selected on"]
    low, high = test["interval"]
    free = test["accuracy_twin_free"]
    free = "not known" if free is None else f"{free:.1%}"
    yield "## Scores\n"
    yield (
        f"{chosen['usage']}, which chose the epoch: {chosen['accuracy']:.1%}. PrivateTest: "
        f"**{test['accuracy']:.1%}** [{low:.1%}, {high:.1%}], twin-free {free}, "
        f"macro-F1 {test['macro_f1']:.3f}, calibration error {test['calibration_error']:.3f}.\n"
    )
    yield "| emotion | precision | recall | F1 | faces |\n|---|---|---|---|---|"
    for name, row in test["per_emotion"].items():
        numbers = (f"{row[column]:.2f}" for column in ("precision", "recall", "f1"))
        yield f"| {name} | {' | '.join(numbers)} | {row['faces']} |"
    yield "\nConfusion on PrivateTest, rows true, columns predicted, in the order of the table:\n\n```"
    yield from (" ".join(f"{count:4d}" for count in row) for row in test["confusion"])
    yield "```\n"
