"""Scoring a model: one usage of a FaceSet, or a whole folder of other faces, official and twin-free."""

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np

from fer_kit.data.emotions import EMOTIONS, USAGES, emotion_of
from fer_kit.evaluation.scores import Scores, check_probabilities, scaled
from fer_kit.models.contract import check_from_elsewhere, check_names
from fer_kit.models.layers import weights_digest
from fer_kit.runtime.locks import locked
from fer_kit.runtime.names import by_door
from fer_kit.training.batches import plain_faces
from fer_kit.training.records import PATIENCE, emotions_of, open_model, run_of
from fer_kit.training.records.parts import are_learned, is_plain, score_name, write_predictions

SHIFT = 2
"""How far the shifted views of ten-crop lie from the centre, in pixels."""


def evaluate(model, faces, usage=None, augment=None, twins_from=None, names=None, batch_size=256):
    """Score a model on one usage of `faces`. It never selects, and never scores PrivateTest unasked.

    Emotions that only the model or only the faces have are left out on both sides: their faces are counted in
    `left_out`, their outputs are masked, and the rest is scaled to add up to 1.

    Args:
        model: A Keras model, a `.keras` file, a run, its folder or the name of shipped weights.
        faces: A FaceSet.
        usage: "Training", "PublicTest", "PrivateTest" or "all". By default PublicTest, or all faces of a
            plain folder by emotion, which has no usages (a cross-dataset test, zhao-ckplus). A run counts
            how often PrivateTest was scored.
        augment: Test-time augmentation, None, "flip" or "ten-crop"; see `predict`.
        twins_from: The faces that the model was trained on, by default the Training faces of `faces`.
        names: The model's emotions in the order of its outputs. They are needed for a file that does not say
            them; a run, its best.keras and a network of `models.build` do. Of a Keras model in memory it is
            assumed that it has the seven, the emotions of the faces, or six without disgust, with a warning.
        batch_size: How many faces are predicted at once.

    Returns:
        The `Scores`.

    Raises:
        ValueError: For an unknown usage, one without faces, outputs that nobody names, that the model itself
            names otherwise or that are no probabilities, and a network that expects other values than 0 to
            255.
        FileNotFoundError: When there is no such model.
    """
    network, run = open_model(model)
    usage = usage or _default_usage(faces)
    part = faces if usage == "all" else _part(faces, usage)
    names = emotions_of(model, network, names) or _assumed(model, network, part)
    names = check_names(network.name, names, network.output_shape[-1])
    scored, columns, left_out = match_emotions(part, names)
    if run is None:
        check_from_elsewhere(network, scored)
    predictions = scaled(predict(network, scored.images, augment, batch_size)[:, columns])
    about = {"weights": weights_digest(network)}
    if run is not None and not run.finished:
        about["unfinished"] = _how_far(run)
    if twins_from is None and usage in ("PublicTest", "PrivateTest") and (faces.usage == "Training").any():
        twins_from = faces.training
    twins = None
    if twins_from is not None:
        twins = scored.has_twin_in(twins_from)
        about["twins_from"] = plain_faces(twins_from).fingerprint
    leaks = [getattr(network, "about", {}).get("leak"), _learned_already(model, scored, usage, twins)]
    if any(leaks):
        about["leak"] = " and ".join(filter(None, leaks))
    scores = Scores(scored, predictions, usage, twins, left_out, augment, about)
    if run is not None and (scored.usage == "PrivateTest").any():
        try:
            record_private_score(run, scores)
        except BlockingIOError:
            raise
        except (ValueError, OSError) as error:
            warnings.warn(f"the score could not be recorded: {error}", stacklevel=2)
    return scores


def _learned_already(model, scored, usage, twins):
    """Return in words how many of these faces a run, or its best.keras, learned from; None if hardly any.

    Of a dataset without test faces another share may have been held out in training. A tenth and less may be
    twins of Training faces that are not among these (of FER-2013's test faces 8 % are).
    """
    run = run_of(model)
    if run is None:
        return None
    if usage == "all":
        asked = scored.usage == "Training"
    elif usage == "Training":
        return None
    else:
        asked = True if twins is None else ~twins
    count = np.count_nonzero(are_learned(run.folder, scored) & asked)
    return f"learned from {count:,} of these {len(scored):,} faces" if count > len(scored) / 10 else None


def predict(model, images, augment=None, batch_size=256):
    """Return a model's probabilities for faces, averaged over views of each.

    Args:
        model: A Keras model from uint8 (B, 48, 48, 1) to probabilities (B, K).
        images: uint8 (N, 48, 48), 0-255.
        augment: None for the face as it is. "flip" averages it and its mirror image. "ten-crop" averages
            ten views: the face in the centre and shifted by 2 pixels to each corner, all five also mirrored.
            (The crops of Krizhevsky et al. 2012 are smaller than the image; a model of this kit takes only
            48x48, and shifting with repeated edge pixels keeps the scale of the face.)
        batch_size: How many faces are predicted at once.

    Returns:
        float32 (N, K), rows that add up to 1.

    Raises:
        ValueError: For an unknown `augment`, other images, and outputs that are no probabilities.
    """
    if augment not in VIEWS:
        raise ValueError(f"no test-time augmentation {augment!r}; there are {', '.join(map(repr, VIEWS))}")
    if images.dtype != np.uint8 or images.ndim != 3 or not len(images):
        raise ValueError(
            f"images must be uint8 (N, 48, 48), and N at least 1; not {images.dtype} {images.shape}"
        )
    total = 0
    for view in VIEWS[augment](images):
        answers = np.asarray(model.predict(view[..., None], batch_size=batch_size, verbose=0), np.float32)
        check_probabilities(answers, [f"face {number}" for number in range(len(images))])
        total = total + answers
    return np.asarray(total / total.sum(1, keepdims=True), np.float32)


def record_private_score(run, scores):
    """Write `scores` into the metrics.json of a `Run`, which counts how often PrivateTest was scored.

    The predictions of `Run.score("PrivateTest")` are kept beside it, so that figures need not score again.
    Warns from the second time on: scoring again and again is a way of selecting. Warns, too, when the model
    was selected there or learned from it.
    """
    numbers = scores.as_json()
    with locked(run.folder, PATIENCE):  # nobody else's score comes between reading and writing
        known = run.metrics["scores"] | {score_name(numbers): numbers}
        if is_plain(numbers, known, run.provenance, run.weights, "PrivateTest"):
            _keep_predictions(run, scores)
        run.add_score(numbers)
    if leak := numbers.get("leak"):
        warnings.warn(f"{run.folder} {leak}: its score there is no test score", stacklevel=3)
    times = run.metrics["private_test_scored"]
    if times > 1:
        warnings.warn(
            f"{run.folder}: PrivateTest was scored {times} times; report the plain score alone", stacklevel=3
        )


def _how_far(run):
    """How far the training of a `Run` came, in words."""
    epochs = run.config["recipe"]["epochs"]
    return f"{run.metrics['status']} after epoch {len(run.history)} of {epochs}"


def _keep_predictions(run, scores):
    """Keep the predictions of a plain PrivateTest score, unless better ones are kept: those with twins."""
    kept = run.private_predictions
    training = run.provenance.get("usages", {}).get("Training", {}).get("fingerprint")
    twins_known = scores.twins is not None and training in (None, scores.about["twins_from"])
    if kept is not None and ("twins" in kept or not twins_known):
        return
    path = run.folder / "private.npz"
    path.unlink(missing_ok=True)
    run.write_metrics(run.metrics, changed=[path.name])  # killed before the next line, it is as if never kept
    about = {"weights": np.array(scores.about["weights"]), "of_faces": np.array(scores.scored.fingerprint)}
    if twins_known:
        about["twins"] = scores.twins
    write_predictions(path, scores.scored, scores.predictions, **about)


def _flips(images):
    yield images
    yield images[:, :, ::-1]


def _ten_crops(images):
    size = images.shape[1]
    wide = np.pad(images, ((0, 0), (SHIFT, SHIFT), (SHIFT, SHIFT)), mode="edge")
    for top, left in ((1, 1), (0, 0), (0, 2), (2, 0), (2, 2)):
        rows = slice(top * SHIFT, top * SHIFT + size)
        columns = slice(left * SHIFT, left * SHIFT + size)
        yield from _flips(wide[:, rows, columns])


VIEWS = {None: lambda images: iter([images]), "flip": _flips, "ten-crop": _ten_crops}


def match_emotions(faces, names):
    """Return (faces, columns, left out): the faces whose emotions are among a model's `names`.

    Labels are renumbered in the model's order; `columns` int (K,) are the outputs that count; `left out` is
    {emotion: faces} of the others. Emotions match in any usual spelling (`anger`). Raises ValueError when
    there is no such face.
    """
    known = [emotion_of(name) or name for name in names]
    theirs = [emotion_of(name) or name for name in faces.names]
    common = [name for name in known if name in theirs]
    label_of = np.array([common.index(name) if name in common else -1 for name in theirs])
    labels = label_of[faces.labels]
    if not (labels >= 0).any():
        raise ValueError(
            f"the model knows {', '.join(known)}; {faces.source or 'the data'} has no such faces"
        )
    counts = np.bincount(faces.labels, minlength=len(theirs))
    left_out = {name: int(n) for name, n, k in zip(theirs, counts, label_of, strict=True) if k < 0 and n}
    fields = {f: getattr(faces, f)[labels >= 0] for f in ("images", "usage", "files")}
    kept = replace(faces, **fields, labels=labels[labels >= 0], names=tuple(common))
    return kept, np.array([known.index(name) for name in common]), left_out


def _default_usage(faces):
    return "all" if set(faces.usage.tolist()) == {"Training"} else "PublicTest"


def _part(faces, usage):
    if usage in USAGES and not (faces.usage == usage).any():
        has = ", ".join(sorted(set(faces.usage.tolist()))) or "no faces at all"
        every = by_door('usage="all"', "--usage all")
        raise ValueError(
            f"{faces.source or 'the data'} has no {usage} faces, only {has}; {every} scores those"
        )
    return faces.part(usage)


def _assumed(model, network, faces):
    """Return the likeliest emotions of a Keras model in memory, None for anything else; says its guess."""
    if isinstance(model, (str, Path)):
        return None
    outputs = network.output_shape[-1]
    without_disgust = tuple(name for name in EMOTIONS if name != "disgust")
    for names in (EMOTIONS, faces.names, without_disgust):
        if len(names) == outputs:
            break
    else:
        raise ValueError(
            f"{network.name} has {outputs} outputs, the faces {len(faces.names)} emotions; "
            f"say which emotions the outputs stand for: names=(...)"
        )
    warnings.warn(
        f"{network.name} does not say which emotions its {outputs} outputs stand for; taken for "
        f"{', '.join(names)}. Say it with names=(...)",
        stacklevel=3,
    )
    return names
