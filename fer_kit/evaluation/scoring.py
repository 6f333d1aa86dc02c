"""Scoring a model: one usage of a FaceSet, or a whole folder of other faces, official and twin-free."""

import warnings
from dataclasses import replace

import numpy as np

from fer_kit.data.emotions import EMOTIONS, USAGES, emotion_of
from fer_kit.evaluation.scores import Scores, compare, ensemble, over_seeds, select
from fer_kit.training.records import open_model, write_predictions

__all__ = ["Scores", "compare", "ensemble", "evaluate", "find_twins", "over_seeds", "predict", "select"]

SHIFT = 2
"""How far the shifted views of ten-crop lie from the centre, in pixels."""


def evaluate(model, faces, usage=None, augment=None, twins_from=None, names=None, batch_size=256):
    """Score a model on one usage of `faces` and return its `Scores`.

    `model` is a Keras model, a `.keras` file, a run folder or the name of shipped weights. `usage` is
    Training, PublicTest, PrivateTest or "all"; without it PublicTest is scored, or all faces of a plain
    folder by emotion, which has no usages (a cross-dataset test, zhao-ckplus). PrivateTest is scored only
    when asked for by name, and a run folder keeps count of how often. `augment`: see `predict`. `twins_from`
    are the faces the model learnt from; by default the Training faces of `faces`. `names` are the model's
    emotions in the order of its outputs; by default those its run names, else the seven, or six without
    disgust.
    Emotions that the model or the faces do not have are left out on both sides: the faces are counted in
    `left_out`, the outputs masked and the rest scaled to add up to 1.

    Raises ValueError for an unknown usage, an empty one, or outputs that fit no list of emotions.
    """
    network, run = open_model(model)
    usage = usage or _default_usage(faces)
    part = faces if usage == "all" else _part(faces, usage)
    names = names or _names_of(network, run, part)
    scored, columns, left_out = match_emotions(part, names)
    predictions = predict(network, scored.images, augment, batch_size)[:, columns]
    predictions /= np.maximum(predictions.sum(1, keepdims=True), 1e-12)
    twins = None
    if twins_from is not None:
        twins = find_twins(scored, twins_from)
    elif usage in ("PublicTest", "PrivateTest") and (faces.usage == "Training").any():
        twins = find_twins(scored, faces, among=faces.usage == "Training")
    scores = Scores(scored, predictions, usage, twins, left_out, augment)
    if run is not None and (scored.usage == "PrivateTest").any():
        record_private_score(run, scores)
    return scores


def predict(model, images, augment=None, batch_size=256):
    """Return probabilities float32 (N, K) of `images` uint8 (N, 48, 48), averaged over views of each face.

    `augment` None looks once. "flip" averages each face and its mirror image. "ten-crop" averages ten
    views: the face in the centre and shifted by 2 pixels to each corner, all five also mirrored. (The
    crops of Krizhevsky et al. 2012 are smaller than the image; a model of this kit takes 48x48 alone, and
    shifting with repeated edge pixels keeps the scale of the face.)
    """
    if augment not in VIEWS:
        raise ValueError(f"no test-time augmentation {augment!r}; there are {', '.join(map(repr, VIEWS))}")
    views = VIEWS[augment](images)
    total = sum(model.predict(view[..., None], batch_size=batch_size, verbose=0) for view in views)
    return np.asarray(total / total.sum(1, keepdims=True), np.float32)


def record_private_score(run, scores):
    """Write `scores` into the metrics.json of a `Run`, which counts how often PrivateTest was scored.

    The predictions of the first time are kept beside it, so that figures need not score again.
    Warns from the second time on: whoever looks again and again begins to select.
    """
    run.add_scores("PrivateTest", scores.as_json())
    if run.private_predictions is None and (scores.usage, scores.augment) == ("PrivateTest", None):
        twins = {} if scores.twins is None else {"twins": scores.twins}
        write_predictions(run.folder / "private.npz", scores.scored, scores.predictions, **twins)
    times = run.metrics["private_test_scored"]
    if times > 1:
        warnings.warn(
            f"{run.folder}: PrivateTest was scored {times} times; report the first score", stacklevel=3
        )


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

    Labels are counted anew in the model's order; `columns` int (K,) are the outputs that count;
    `left out` is {emotion: faces} of the others. Emotions match in any usual spelling (`anger`).
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


def find_twins(faces, learnt, among=slice(None)):
    """Return bool (N,): which `faces` have a pixel-identical face in `learnt`, or in its rows `among`.

    The same as `faces.has_twin_in(learnt[among])`, but only faces that share eight pixels are looked at
    whole.
    """

    def eight_pixels(some):
        return np.ascontiguousarray(some.images[:, 24, 20:28]).view(np.uint64)[:, 0]

    ours, theirs = eight_pixels(faces), eight_pixels(learnt)
    rows = np.arange(len(learnt))[among]
    twins = np.isin(ours, theirs[rows])
    twins[twins] = faces[twins].has_twin_in(learnt[rows[np.isin(theirs[rows], ours)]])
    return twins


def _default_usage(faces):
    return "all" if set(faces.usage.tolist()) == {"Training"} else "PublicTest"


def _part(faces, usage):
    if usage in USAGES and not (faces.usage == usage).any():
        has = ", ".join(sorted(set(faces.usage.tolist()))) or "no faces at all"
        raise ValueError(
            f'{faces.source or "the data"} has no {usage} faces, only {has}; usage="all" scores those'
        )
    return faces.part(usage)


def _names_of(model, run, faces):
    """The emotions of a model's outputs: what its run says, else the list of as many that is likeliest."""
    outputs = model.output_shape[-1]
    without_disgust = tuple(name for name in EMOTIONS if name != "disgust")
    said = [run.provenance["emotions"]] if run is not None else []
    for names in (*said, EMOTIONS, faces.names, without_disgust):
        if len(names) == outputs:
            return tuple(names)
    raise ValueError(
        f"{model.name} has {outputs} outputs, the faces {len(faces.names)} emotions; "
        "say which emotions the outputs stand for: names=(...)"
    )
