"""Knowledge distillation: a network learns from the predictions of stronger ones (Hinton et al. 2015)."""

import hashlib
from pathlib import Path

import numpy as np

from fer_kit.runtime.names import by_door
from fer_kit.training.batches import one_hot
from fer_kit.training.records import emotions_of, open_model


def open_teachers(teacher, recipe, names):
    """Return the teachers as a list of Keras models, empty for None.

    `teacher` is a model, anything that `records.open_model` opens, or a list or tuple of them; `names` are
    the emotions of the faces. Raises ValueError when there is a teacher but the `Recipe` has none, or the
    reverse, and when a teacher's outputs stand for other emotions or nothing says for which.
    """
    several = teacher if isinstance(teacher, (list, tuple)) else [teacher]
    teachers = [_open(one, names) for one in several if one is not None]
    if bool(recipe.teacher) != bool(teachers):
        option = by_door("teacher=", "--teacher")
        problem = f"needs a teacher: pass {option}, a network" if recipe.teacher else "has no teacher"
        raise ValueError(f"the recipe {recipe.name} {problem}")
    return teachers


def _open(teacher, names):
    network, _ = open_model(teacher)
    said = emotions_of(teacher, network)
    if said is None and isinstance(teacher, (str, Path)):
        raise ValueError(
            f"the teacher {teacher} does not say which emotions its outputs stand for. When they are "
            f"{', '.join(names)}, in this order, open it yourself, in Python: "
            f"teacher=models.load_model({str(teacher)!r})"
        )
    if said not in (None, tuple(names)):
        raise ValueError(f"the teacher {teacher} tells {', '.join(said)} apart, the faces {', '.join(names)}")
    return network


def in_words(teachers):
    """Return the names of Keras models and the fingerprints of their weights, which identify them."""
    return " + ".join(f"{teacher.name}, weights {_fingerprint(teacher)}" for teacher in teachers)


def _fingerprint(model):
    return hashlib.sha256(b"".join(weight.tobytes() for weight in model.get_weights())).hexdigest()[:16]


def targets(faces, teachers, share):
    """Return targets float32 (N, K): `share` (0-1) of the teachers' mean prediction, the rest the labels.

    Each teacher predicts each face and its mirror image. Their probabilities say how much a face resembles
    the other emotions, which a label does not. There is no temperature: on FER-2013 predictions are soft
    enough. Raises ValueError when a teacher has another number of emotions.
    """
    for teacher in teachers:
        if teacher.output_shape[-1] != len(faces.names):
            raise ValueError(
                f"the teacher {teacher.name} knows {teacher.output_shape[-1]} emotions, the faces "
                f"{len(faces.names)}"
            )
    views = [
        t.predict(x, batch_size=256, verbose=0) for t in teachers for x in (faces.x, faces.x[:, :, ::-1])
    ]
    return (share * sum(views) / len(views) + (1 - share) * one_hot(faces)).astype(np.float32)
