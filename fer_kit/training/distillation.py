"""Knowledge distillation: a small network learns from the answers of a strong one (Hinton et al. 2015)."""

import hashlib

import numpy as np

from fer_kit.training.batches import one_hot
from fer_kit.training.records import open_model


def open_teachers(teacher, recipe):
    """Return the teachers as a list of Keras models, empty for None.

    `teacher` is a model, what `records.open_model` opens, or several of them in a list or tuple. Raises
    ValueError when there is a teacher and the `Recipe` has no use for one, or the reverse.
    """
    several = teacher if isinstance(teacher, (list, tuple)) else [teacher]
    teachers = [open_model(one)[0] for one in several if one is not None]
    if bool(recipe.teacher) != bool(teachers):
        problem = (
            "needs a teacher: pass teacher= or --teacher, a network" if recipe.teacher else "has no teacher"
        )
        raise ValueError(f"the recipe {recipe.name} {problem}")
    return teachers


def in_words(teachers):
    """Return the names of Keras models and the fingerprints of their weights, to know them again by."""
    return " + ".join(f"{teacher.name}, weights {_fingerprint(teacher)}" for teacher in teachers)


def _fingerprint(model):
    return hashlib.sha256(b"".join(weight.tobytes() for weight in model.get_weights())).hexdigest()[:16]


def targets(faces, teachers, share):
    """Return targets float32 (N, K): `share` of the teachers' mean answer, and the labels for the rest.

    Each teacher sees each face and its mirror image. What they tell beside the label is how much a face
    looks like the other emotions. There is no temperature: FER-2013 is hard enough for soft answers.
    Raises ValueError when a teacher knows another number of emotions.
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
