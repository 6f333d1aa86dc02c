"""Distillation: what the student is told, and which calls make no sense."""

from dataclasses import replace

import numpy as np
import pytest
from test_training import QUICK, fit, small_model

from fer_kit.training import distillation

TAUGHT = replace(QUICK, name="taught", epochs=1, teacher=0.7)


def test_targets_are_the_labels_and_the_teachers_answers(few):
    teacher = small_model(plain=True)
    targets = distillation.targets(few, [teacher], 0.7)
    assert targets.dtype == np.float32 and targets.shape == (len(few), 7)
    np.testing.assert_allclose(targets.sum(1), 1, atol=1e-5)
    own = targets[np.arange(len(few)), few.labels]
    assert (own >= 0.3).all() and (own < 1).all()
    mirrored = replace(few, images=few.images[:, :, ::-1])
    np.testing.assert_allclose(distillation.targets(mirrored, [teacher], 0.7), targets, atol=1e-5)


def test_several_teachers_are_told_as_their_mean(few):
    teachers = [small_model(plain=True), small_model(plain=True)]
    apart = [distillation.targets(few, [teacher], 0.7) for teacher in teachers]
    np.testing.assert_allclose(distillation.targets(few, teachers, 0.7), sum(apart) / 2, atol=1e-6)
    opened = distillation.open_teachers(tuple(teachers), TAUGHT, few)
    assert opened == teachers
    assert distillation.in_words(opened) == " + ".join(distillation.in_words([one]) for one in teachers)


def test_a_student_learns_from_its_teacher_and_the_record_names_it(few, tmp_path):
    teacher = small_model(plain=True)
    run = fit(few, tmp_path / "run", TAUGHT, teacher=teacher)
    assert run.config["teacher"] == distillation.in_words([teacher])
    alone = fit(few, tmp_path / "alone", replace(TAUGHT, teacher=0.0))
    assert "teacher" not in alone.config
    assert not np.array_equal(run.predictions["probabilities"], alone.predictions["probabilities"])
    with pytest.raises(ValueError, match="teacher was small, weights"):
        fit(few, tmp_path / "run", TAUGHT, teacher=small_model(plain=True))


def test_a_teacher_whose_answers_are_no_probabilities_teaches_nobody(few, tmp_path):
    import keras
    from keras import layers

    good = small_model(plain=True)
    broken = small_model(plain=True)
    broken.set_weights([np.full_like(weight, np.nan) for weight in broken.get_weights()])
    logits = keras.Model(good.inputs, layers.Rescaling(3.0, -1.0)(good.outputs[0]), name="logits")
    independent = keras.Model(good.inputs, layers.Activation("sigmoid")(good.outputs[0]), name="sigmoid")
    for teacher, why in ((broken, "NaN"), (logits, "add up to 1"), ([good, independent], "add up to 1")):
        with pytest.raises(ValueError, match=why):
            fit(few, tmp_path / "run", TAUGHT, teacher=teacher)
    assert not (tmp_path / "run").exists()


def test_a_teacher_without_use_and_a_recipe_without_teacher(few, tmp_path):
    with pytest.raises(ValueError, match="recipe quick has no teacher"):
        fit(few, tmp_path / "run", teacher=small_model())
    with pytest.raises(ValueError, match="recipe taught needs a teacher: pass teacher=, a network"):
        fit(few, tmp_path / "run", TAUGHT)
    with pytest.raises(ValueError, match="the teacher small knows 6 emotions, the faces 7"):
        fit(few, tmp_path / "run", TAUGHT, teacher=small_model(6))
    with pytest.raises(FileNotFoundError, match="no run folder or file nobody"):
        fit(few, tmp_path / "run", TAUGHT, teacher="nobody")
