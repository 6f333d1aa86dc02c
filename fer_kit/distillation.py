"""Knowledge distillation: a small network learns from the answers of a strong one (Hinton et al. 2015)."""

import hashlib

import numpy as np

from fer_kit.batches import one_hot
from fer_kit.pretrained import open_model


def open_teacher(teacher, recipe):
    """Return the teacher, a model or what `pretrained.open_model` opens, as a Keras model; None for None.

    Raises ValueError when there is a teacher and the `Recipe` has no use for one, or the reverse.
    """
    if bool(recipe.teacher) != (teacher is not None):
        problem = "needs a teacher: pass teacher=, a trained network" if recipe.teacher else "has no teacher"
        raise ValueError(f"the recipe {recipe.name} {problem}")
    return open_model(teacher)[0] if teacher is not None else None


def in_words(teacher):
    """Return the name of a Keras model and the fingerprint of its weights, to know it again by."""
    digest = hashlib.sha256(b"".join(weight.tobytes() for weight in teacher.get_weights()))
    return f"{teacher.name}, weights {digest.hexdigest()[:16]}"


def targets(faces, teacher, share):
    """Return targets float32 (N, K): `share` of the teacher's answers, and the labels for the rest.

    The teacher sees each face and its mirror image, and its two answers are averaged. What it tells beside
    the label is how much a face looks like the other emotions. There is no temperature: FER-2013 is hard
    enough for soft answers. Raises ValueError when the teacher knows another number of emotions.
    """
    if teacher.output_shape[-1] != len(faces.names):
        raise ValueError(
            f"the teacher knows {teacher.output_shape[-1]} emotions, the faces {len(faces.names)}"
        )
    views = (teacher.predict(x, batch_size=256, verbose=0) for x in (faces.x, faces.x[:, :, ::-1]))
    return (share * sum(views) / 2 + (1 - share) * one_hot(faces)).astype(np.float32)
