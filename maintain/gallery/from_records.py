"""Figures that are drawn from records: networks, classical baselines, tuning."""

import numpy as np

from fer_kit.plots import classical, results, studies, tuning
from fer_kit.runtime.files import read_json
from fer_kit.runtime.settings import Source
from fer_kit.studies import gap
from fer_kit.studies.classical import BASELINES
from fer_kit.studies.classical import table as baselines_in
from fer_kit.studies.common import PLAIN
from fer_kit.studies.data_size import fit_power_law, recorded_sizes
from fer_kit.studies.drop_emotion import recorded_drop
from fer_kit.studies.reproduction import MURPHY, Experiment
from fer_kit.studies.tuning.results import read_record
from fer_kit.training.records import Run

CONFUSION = {"balanced-light": "hejslet-fig5", "zhao-vgg": "zhao-tab1", "murphy-finetune": "murphy-fig6"}
"""Items of the reports that are confusion matrices, by the network or the record that they belong to."""

PAIRS = (
    ("zhao-init", "zhao-sepconv", {"Glorot": "zhao-sepconv", "N(0, 0.04)": "studies/zhao-init"}),
    (
        "choudhari-augment",
        "choudhari-cnn",
        {"augmented": "choudhari-cnn", "as they are": "studies/cnn-without-augmentation"},
    ),
)
"""Items that two records show which differ in one thing: the item, the network, what tells them apart."""


def of_run(run, experiment):
    """Yield the training curves of a `Run`, and from its PrivateTest scores the matrix and the emotions."""
    provenance = run.provenance
    title = f"{experiment.model}, {len(run.history)} epochs"
    made = _made_from(provenance, _place(run))
    chosen = f"{provenance['selected_on']} {run.best_accuracy:.1%}"
    caption = f"Best epoch {run.best_epoch} of {len(run.history)}: {chosen}."
    yield experiment.report_id, caption, _curves(run, title), made
    private = run.score("PrivateTest")
    if private:
        counts = np.array(private["confusion"])
        names = provenance["emotions"]
        figure = results.confusion(counts, names, title, source=run.source)
        caption = f"PrivateTest, {private['accuracy']:.1%} right; rows add up to 100 %."
        items = [CONFUSION[name] for name in (run.folder.name, experiment.report_id) if name in CONFUSION]
        yield [*items, experiment.report_id][0], caption, figure, made


def _curves(run, title):
    """The training curves of a `Run`, with its best epoch."""
    about = run.source, run.provenance["selected_on"], run.best_epoch, run.loss_name
    return results.training_curves(run.history, title, *about)


def _place(run):
    """The name of a `Run` among the records."""
    folder = run.folder
    return f"studies/{folder.name}" if folder.parent.name == "studies" else folder.name


def _made_from(provenance, record):
    """What the sidecar of a figure says of the training that it was drawn from."""
    kept = ("dataset", "seed", "profile", "versions", "started")
    return {"record": record} | {key: provenance[key] for key in kept if key in provenance}


def of_metrics(run):
    """Yield precision, recall and F1 of each emotion of a `Run`."""
    private = run.score("PrivateTest")
    title = f"{run.config['model']} by emotion, PrivateTest"
    figure = results.per_emotion(
        np.array(private["confusion"]), run.provenance["emotions"], title, run.source
    )
    caption = f"Accuracy {private['accuracy']:.1%}, macro-F1 {private['macro_f1']:.3f}."
    yield "choudhari-metrics", caption, figure, _made_from(run.provenance, _place(run))


def of_classical(records):
    """Yield the classical baselines as a grid, beside their cost, and HOG with an SVM as zhao cites it."""
    folder = records / "classical"
    table = baselines_in(folder)
    if table.empty:
        return
    about = read_json(folder / f"{table.index[0]}.json")
    made = {"records": [f"classical/{name}" for name in sorted(table.index)], "dataset": about["dataset"]}
    source = Source(about["dataset"]["source"], "classical", about["profile"])
    grid = table[table.index.isin(BASELINES)]
    figure = classical.accuracy_grid(grid, source=source)
    best = f"the best is {grid.index[0]}, {grid.accuracy.iloc[0]:.1%}"
    yield "zhao-related", f"Five descriptors, three classifiers: {best}.", figure, made
    figure = classical.accuracy_beside_cost(table, source=source, human=0.65)
    caption = "What a prediction costs on one core, from pixels to emotion."
    yield "zhao-related", caption, figure, made
    on_hog = table[table.index.str.startswith("hog-")]
    intervals = {
        name: read_json(folder / f"{name}.json")["scores"]["PrivateTest"]["interval"] for name in on_hog.index
    }
    scores = {name: (accuracy, intervals[name]) for name, accuracy in on_hog.accuracy.items()}
    figure = results.compare_models(scores, "HOG, then KNN or an SVM, on PrivateTest", source)
    caption = "KNN against SVMs on HOG; the 70.7 % that zhao cites is out of reach of all of them."
    yield "choudhari-pca", caption, figure, made


def of_studies(records):
    """Yield the figures of hejslet's, zhao's and murphy's studies."""
    large = Run(records / "studies" / "without-augmentation")
    if large.finished:
        yield _overfitting(large)
    yield from _balanced(records / "studies")
    yield from _pairs(records)
    plain, six = (Run(records / "studies" / name) for name in (PLAIN, "without-disgust"))
    if not plain.finished:
        return
    made = _made_from(plain.provenance, [f"studies/{name}" for name in (PLAIN, "without-disgust")])
    network = f"{plain.config['model']}, {len(plain.history)} epochs"
    drawn = [_without_disgust(plain, six)] if six.finished else []
    for report_id, caption, figure in drawn:
        yield report_id, f"{network}: {caption}.", figure, made
    for caption, figure, faces in _by_size(plain):
        sized = made | {"record": faces}
        yield "murphy-size", f"{network}: {caption}.", figure, sized


def _overfitting(run):
    """The curves of hejslet's phase 1."""
    last = run.history.iloc[-1]
    caption = (
        f"Without augmentation the last epoch has {last.accuracy:.1%} on Training and "
        f"{last.val_accuracy:.1%} on PublicTest; best epoch {run.best_epoch}: {run.best_accuracy:.1%}."
    )
    figure = _curves(run, "hejslet-large, without augmentation")
    return "hejslet-large", caption, figure, _made_from(run.provenance, _place(run))


def _balanced(studies_folder):
    """Yield what hejslet's networks learned from equally many faces of each emotion."""
    for name in ("hejslet-large", "hejslet-light"):
        run = Run(studies_folder / name.replace("hejslet", "balanced"))
        if run.finished:
            for report_id, caption, figure, made in of_run(
                run, Experiment(name, f"{name}, balanced", "hejslet")
            ):
                yield report_id, f"Trained on 5,000 faces of each emotion. {caption}", figure, made


def _pairs(records):
    """Yield the curves of two networks that differ in one thing."""
    for report_id, network, names in PAIRS:
        runs = {words: Run(records / name) for words, name in names.items()}
        if all(run.finished for run in runs.values()):
            best = ", ".join(f"{words} {run.best_accuracy:.1%}" for words, run in runs.items())
            histories = {words: run.history for words, run in runs.items()}
            run = list(runs.values())[-1]
            figure = studies.compare_histories(histories, f"{network}, PublicTest", run.source)
            made = _made_from(run.provenance, list(names.values()))
            yield report_id, f"{network}, best epoch: {best}.", figure, made


def of_riddle(records):
    """Yield what each mistake of lesson 07 makes of validation and test, over the seeds."""
    kept = gap.recorded(records)
    if kept:
        table, source = kept
        means = table.groupby("cause", sort=False).mean()
        seeds = sorted(set(table.seed.tolist()))
        figure = studies.gap_bars(
            means, gap.REPORTED_GAP, f"Mean of {len(seeds)} seeds, ± of one run", source
        )
        copies = 100 * means.gap["augment, then split"]
        honest = 100 * means.gap["honest: split, then augment"]
        caption = f"Mistakes made on purpose: with copies on both sides the gap is {copies:.1f} points, "
        caption += f"honestly {honest:.1f}; murphy's is {100 * gap.REPORTED_GAP:.1f}."
        made = {"record": gap.RECORD, "dataset": {"source": source.dataset}, "seeds": seeds, "profile": "lab"}
        yield "murphy-dropdisgust", caption, figure, made


def _without_disgust(plain, six):
    drop = recorded_drop(plain, six)
    points, low, high = (100 * drop.fair[key] for key in ("points", "low", "high"))
    caption = f"without disgust accuracy moves by {100 * drop.reported:+.1f} points as murphy counts it, "
    caption += f"and by {points:+.1f} ({low:+.1f} to {high:+.1f}) when both answer the same questions"
    return "murphy-dropdisgust", caption, studies.fair_comparison(drop)


def of_murphy(records):
    """Yield murphy's stages, these and training without disgust side by side, and all experiments' scores."""
    runs = {name: run for name in MURPHY if (run := Run(records / name)).finished}
    if "murphy-base" not in runs:
        return
    base = runs["murphy-base"]
    six = runs.get("murphy-dropdisgust")
    stages = [run for run in runs.values() if run is not six]
    for run in stages:
        variant = run.config["variant"]
        words = f"{variant['backbone']} at {variant['size']} pixels"
        drawn = of_run(run, Experiment(run.folder.name, words, run.config["recipe"]["name"]))
        for report_id, caption, figure, made in drawn:
            yield report_id, f"{words} in its place. {caption}", figure, made
    made = _made_from(base.provenance, list(runs))
    if six:
        report_id, caption, figure = _without_disgust(base, six)
        both = made | {"record": [base.folder.name, six.folder.name]}
        yield report_id, f"{base.config['model']}: {caption}.", figure, both
    histories = {run.folder.name: run.history for run in runs.values()}
    figure = studies.compare_histories(histories, "PublicTest", base.source)
    yield "murphy-fig5", "Six emotions are another task: that curve cannot be compared.", figure, made
    studied = [Run(path.parent) for path in sorted(records.glob("studies/murphy-*/config.json"))]
    scored = {run.folder.name: run.score("PrivateTest") for run in (*stages, *studied)}
    scores = {name: (one["accuracy"], tuple(one["interval"])) for name, one in scored.items() if one}
    figure = results.compare_models(scores, "murphy's experiments, PrivateTest", base.source)
    made = made | {"record": [run.folder.relative_to(records).as_posix() for run in (*stages, *studied)]}
    caption = "Each name says what was changed; murphy-finetune also has smaller pictures and augmentation."
    yield "murphy-results", caption, figure, made


def _by_size(plain):
    sizes = recorded_sizes(plain.folder.parent)
    if len(sizes) > 1:
        laws = {f"floor {f:.0%}": fit_power_law(sizes.faces, sizes.accuracy, f) for f in (0.0, 0.2)}
        reached = ", ".join(f"{row.accuracy:.1%} from {row.faces:,}" for row in sizes.itertuples())
        names = [PLAIN if size == "all" else size.replace(" ", "-") for size in sizes.index]
        figure = studies.learning_curve(sizes, laws, source=plain.source)
        yield f"{reached} faces", figure, [f"studies/{name}" for name in names]


def of_tuning(records):
    """Yield choudhari's and murphy's studies of hyper-parameters."""
    for report_id, name, draw in (
        ("choudhari-fig6", "choudhari-fig6", _choudhari),
        ("choudhari-fig6", "hundred-epochs", _epochs),
        ("murphy-tuning", "murphy-tuning", _murphy),
    ):
        study = read_record(records / "tuning" / name)
        if study is None:
            continue
        trials, curves, about = study
        provenance = about["provenance"]
        source = Source(provenance["dataset"]["source"], f"tuning/{name}", provenance["profile"])
        made = _made_from(provenance, f"tuning/{name}")
        faces = provenance["trained_on"]["faces"]
        epochs = about["config"]["recipe"]["epochs"]
        for figure, caption in draw(trials, curves, source):
            caption += f" A small network, {faces:,} faces, {epochs} epochs."
            yield report_id, caption, figure, made


def _choudhari(trials, curves, source):
    title = "Batch size and learning rate"
    best = trials.loc[trials.accuracy.idxmax()]
    caption = f"Best: batch {best.batch_size:.0f}, learning rate {best.learning_rate:g}."
    yield tuning.table_of_two(trials, "batch_size", "learning_rate", title, source), caption


def _epochs(trials, curves, source):
    best = curves.loc[curves.groupby("learning_rate").val_accuracy.idxmax()]
    words = [
        f"{row.val_accuracy:.1%} in epoch {row.epoch} at {row.learning_rate:g}" for row in best.itertuples()
    ]
    title = "One hundred epochs"
    yield tuning.effect(curves, "learning_rate", title, source), f"Best: {', '.join(words)}."


def _murphy(trials, curves, source):
    for name in ("batch_size", "dropout", "schedule"):
        means = trials.groupby(name).accuracy.mean()
        best = means.max()
        worst = means.min()
        caption = f"{name}: on average {means.idxmax()} is best, {best:.1%} against {worst:.1%}."
        if best == worst:  # a schedule that never acted
            caption = f"{name}: no difference, {best:.1%} with each value."
        yield tuning.effect(curves, name, source=source), caption
