"""Transfer learning in murphy's two stages: a head on a frozen backbone, then its top layers as well.

Both leave run records like any other training; their best models take uint8 faces.
"""

import hashlib

from keras.layers import BatchNormalization

from fer_kit.data.balancing import with_copies
from fer_kit.models.backbones import Backbone, classifier, feature_head
from fer_kit.models.layers import weights_digest
from fer_kit.models.portable import copy_portable
from fer_kit.models.pretrained import load_model
from fer_kit.runtime import settings
from fer_kit.runtime.files import file_digest
from fer_kit.runtime.locks import locked
from fer_kit.runtime.names import check_options, keywords
from fer_kit.runtime.seeds import seeded
from fer_kit.training.features import Features
from fer_kit.training.loop import fit
from fer_kit.training.recipes import find_recipe
from fer_kit.training.records import Run
from fer_kit.training.records.parts import score_name


def train_head(
    backbone,
    faces,
    out,
    recipe="murphy-base",
    dropout=0.5,
    copies=0,
    validation=None,
    seed=None,
    retrain=False,
    cache=None,
    **options,
):
    """Train the last layer on top of a frozen `Backbone` and return the `records.Run` (murphy-base).

    The backbone's features are computed once, see `features.extract`. The head trained on them gets the same
    weights as in a training with the frozen backbone in the loop. The record says which backbone, size and
    weights were used. Its best model goes from uint8 faces to probabilities; the head alone is kept beside
    it as head.keras.

    Args:
        backbone: What `models.load_backbone` returned.
        faces: A FaceSet with Training faces, and PublicTest faces unless `validation` is given.
        out: The folder of the run record.
        recipe: A name of `RECIPES`, or a `Recipe`.
        dropout: The rate, 0-1, before the last layer.
        copies: How many augmented copies of each Training face to learn from besides the face itself; 0 as
            in the report.
        validation: Another FaceSet to select the best epoch on.
        seed: An int, for the last layer, the copies, the order of the faces and dropout.
        retrain: Train again although the run is finished.
        cache: The folder for the features; by default in the kit's cache.
        **options: Other options of `training.fit`: `epochs`, `tensorboard`, `callbacks`.

    Returns:
        The `Run`, finished or interrupted.

    Raises:
        TypeError: For an option that does not exist.
        ValueError: As `training.fit` does, and for a recipe that needs pictures (mixup or a teacher).
        OSError: When the disk is full.
    """
    _check(train_head, options)
    recipe = find_recipe(recipe)
    of_the_recipe = recipe.mixup or recipe.teacher
    if of_the_recipe or options.get("teacher"):
        way = f"Take another recipe than {recipe.name}" if of_the_recipe else "Give no teacher"
        raise ValueError(
            f"a head learns from features; mixup and a teacher need pictures. {way}, or train "
            "models.classifier(backbone) with `fit`"
        )
    seed = settings.choose_seed(seed)
    if validation is not None:
        validation = Features(validation, backbone, cache)
    features = Features(with_copies(faces, copies, seed), backbone, cache)
    head = feature_head(backbone, len(faces.names), dropout, seed)
    about = {**backbone.record, "dropout": dropout, "copies": copies}
    chosen = {"validation": validation, "seed": seed, "retrain": retrain, **options}
    with locked(out):
        run = fit(head, features, recipe, out, **chosen, about=about)
        if run.finished:
            _complete(run, backbone, dropout)
    return run


def _complete(run, backbone, dropout):
    """Make the whole model the run's best one. If killed at any line, the next call finishes the work."""
    head, best, partial = (run.folder / f"{name}.keras" for name in ("head", "best", "partial"))
    if not head.exists():
        best.replace(head)
    if not best.exists() or run.metrics.get("files", {}).get(best.name) == file_digest(head):
        trained = load_model(head)
        whole = classifier(backbone, trained.output_shape[-1], dropout)
        whole.get_layer("probabilities").set_weights(trained.get_layer("probabilities").get_weights())
        whole.save(partial)
        copy_portable(partial, partial, run.about)
        _adopt(run, partial, weights_digest(whole))


def _adopt(run, path, weights):
    """Make the file at `path`, of a model that answers as the best one does, the best one of a run.

    `weights` is the digest of its weights.
    """
    metrics = run.metrics
    scores = {}
    for name, score in metrics["scores"].items():
        if "weights" in score and score["weights"] == metrics["weights"]:
            score = score | {"weights": weights}
            name = score_name(score)
        scores[name] = score
    path.replace(run.folder / "best.keras")
    run.write_metrics(metrics | {"scores": scores, "weights": weights}, changed=["best.keras"])


def fine_tune(
    base,
    faces,
    out,
    layers=50,
    recipe="murphy-finetune",
    dropout=0.6,
    augmentation="hejslet",
    normalisation=False,
    seed=None,
    **options,
):
    """Train the top of the backbone of a run of `train_head` (murphy-finetune); return the `records.Run`.

    Args:
        base: The finished run of `train_head`, or its folder.
        faces: A FaceSet with Training and PublicTest faces.
        out: The folder of the run record.
        layers: How many of the backbone's layers to train, counted from the top.
        recipe: A name of `RECIPES`, or a `Recipe`.
        dropout: The rate, 0-1, before the last layer; by default that of murphy-tuning.
        augmentation: See `augment.augmentation_layers`. The report names flips, rotations and brightness but
            not how strong: hejslet's are used.
        normalisation: Whether batch normalisation learns, too, see `unfreeze`. A network that is trained
            whole (kit-transfer) needs it, and batches of some 64 faces.
        seed: An int, for augmentation, dropout and the order of the faces.
        **options: Other options of `training.fit`: `validation`, `epochs`, `retrain`, `callbacks`, ...

    Returns:
        The `Run`, finished or interrupted.

    Raises:
        TypeError: For an option that does not exist.
        ValueError: For a base that is not finished or not a run of `train_head`, for `layers` below 1, and as
            `training.fit` does.
        FileNotFoundError: When there is no run in `base`.
    """
    _check(fine_tune, options)
    seed = settings.choose_seed(seed)
    base = base if isinstance(base, Run) else Run.open(base)
    with seeded(seed):  # augmentation, and the layers of a model that is loaded, draw their seeds
        backbone, last = _open_base(base)
        tuned = classifier(backbone, len(last[1]), dropout, augmentation, seed)
    tuned.get_layer("probabilities").set_weights(last)
    about = {**backbone.record, "layers": layers, "dropout": dropout, "augmentation": augmentation}
    about["started from"] = hashlib.sha256(last[0].tobytes()).hexdigest()[:16]
    if normalisation:
        about["normalisation"] = "learns"
    unfreeze(backbone.network, layers, normalisation)
    return fit(tuned, faces, recipe, out, seed=seed, about=about, **options)


def _check(function, options):
    """Raise TypeError for an option that neither `function` nor `fit` has."""
    known = [name for name in (*keywords(function), *keywords(fit)) if name != "about"]
    check_options(function.__name__, options, known)


def _open_base(base):
    """Return (the Backbone of a run of `train_head`, the weights of its last layer)."""
    about = base.config["variant"]
    if not base.finished or "copies" not in about:
        why = "has not finished" if "copies" in about else "has no frozen backbone"
        raise ValueError(f"{base.folder} {why}; fine-tuning starts from a finished run of train_head")
    model = base.model()
    known = (
        "parameters",
        "configuration",
        "code",
        "backbone",
        "size",
        "weights",
        "fingerprint",
        "dropout",
        "copies",
    )
    options = {name: value for name, value in about.items() if name not in known}
    network = model.get_layer("backbone")
    backbone = Backbone(about["backbone"], about["size"], about["weights"], network, options)
    return backbone, model.get_layer("probabilities").get_weights()


def unfreeze(network, layers, normalisation=False):
    """Make the top `layers` of a Keras model trainable and all below them not. Raises ValueError below 1.

    Without `normalisation` batch normalisation stays frozen, which in Keras also means inference mode: it
    keeps using the means and variances it came with. (Calling the backbone with training=False would not do:
    a model in training passes its own `training` on to the models inside it.)
    """
    if layers < 1:
        raise ValueError(f"layers={layers} trains nothing of the backbone; give 1 or more (murphy: 50)")
    network.trainable = True
    # One by one: Keras passes this on to the layers only where it changes the model's own setting.
    for depth, layer in enumerate(reversed(network.layers)):
        learns = normalisation or not isinstance(layer, BatchNormalization)
        layer.trainable = depth < layers and learns
