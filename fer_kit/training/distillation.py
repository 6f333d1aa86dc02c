"""Knowledge distillation: a network learns from the predictions of stronger ones (Hinton et al. 2015)."""

from pathlib import Path

import numpy as np

from fer_kit.data.emotions import emotion_of
from fer_kit.models.contract import check_probabilities, is_built_here, refuse_other_range
from fer_kit.models.layers import weights_digest
from fer_kit.runtime.names import by_door
from fer_kit.training.batches import one_hot
from fer_kit.training.records import emotions_of, open_model


def open_teachers(teacher, recipe, faces):
    """Return the teachers as a list of Keras models, empty for None.

    `teacher` is a model, anything that `records.open_model` opens, or a list or tuple of them; `faces` are
    those to learn from. Raises ValueError when there is a teacher but the `Recipe` has none, or the reverse,
    when a teacher's outputs stand for other emotions or another order of them, are no probabilities, or are
    right for other pixels than 0 to 255, and when it learned or was selected on PrivateTest.
    """
    several = teacher if isinstance(teacher, (list, tuple)) else [teacher]
    teachers = [_open(one, faces) for one in several if one is not None]
    if bool(recipe.teacher) != bool(teachers):
        option = by_door("teacher=", "--teacher")
        problem = f"needs a teacher: pass {option}, a network" if recipe.teacher else "has no teacher"
        raise ValueError(f"the recipe {recipe.name} {problem}")
    return teachers


def _open(teacher, faces):
    network, run = open_model(teacher)
    names = faces.names
    said = emotions_of(teacher, network)
    if said is None and isinstance(teacher, (str, Path)):
        raise ValueError(
            f"the teacher {teacher} does not say which emotions its outputs stand for. When they are "
            f"{', '.join(names)}, in this order, open it yourself, in Python: "
            f"teacher=models.load_model({str(teacher)!r})"
        )
    outputs = network.output_shape[-1]
    if said is None and outputs != len(names):
        raise ValueError(f"the teacher {network.name} knows {outputs} emotions, the faces {len(names)}")
    told, known = ([emotion_of(name) or name for name in each] for each in (said or names, names))
    if told != known:
        raise ValueError(
            f"the teacher {network.name} tells {', '.join(told)} apart, the faces {', '.join(known)}; give a "
            "teacher of the same emotions, in the same order"
        )
    if leak := getattr(network, "about", {}).get("leak"):
        raise ValueError(
            f"the teacher {network.name} {leak}: its pupil would learn from the test faces. Give a teacher "
            "that did not see them"
        )
    check_probabilities(network, faces.x[:8])
    if run is None and not is_built_here(network):
        refuse_other_range(network, faces)
    return network


def in_words(teachers):
    """Return the names of Keras models and the digests of their weights, which identify them."""
    return " + ".join(f"{teacher.name}, weights {weights_digest(teacher)}" for teacher in teachers)


def facts(teachers):
    """Return what a pupil's record says of its teachers: a list of dicts.

    `record` is None, and `emotions` too, for a Keras model in memory and for a file of an older version.
    `protocol` is what the card of a shipped model says it learned from, its own teachers among it.
    """
    about = [getattr(teacher, "about", {}) for teacher in teachers]
    return [
        {
            "name": teacher.name,
            "weights": weights_digest(teacher),
            "record": known.get("record"),
            "selected_on": known.get("selected_on"),
            "emotions": known.get("emotions"),
            "protocol": known.get("protocol"),
        }
        for teacher, known in zip(teachers, about, strict=True)
    ]


def targets(faces, teachers, share):
    """Return targets float32 (N, K): `share` (0-1) of the teachers' mean prediction, the rest the labels.

    Each teacher predicts each face and its mirror image. Their probabilities say how much a face resembles
    the other emotions, which a label does not. There is no temperature: on FER-2013 predictions are soft
    enough.
    """
    views = [
        t.predict(x, batch_size=256, verbose=0) for t in teachers for x in (faces.x, faces.x[:, :, ::-1])
    ]
    return (share * sum(views) / len(views) + (1 - share) * one_hot(faces)).astype(np.float32)
