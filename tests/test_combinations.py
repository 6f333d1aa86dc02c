"""What a recipe asks for, put together: averages, two devices, half precision, an interruption."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

CHILD = f"""
import sys
sys.path[:0] = [{str(Path(__file__).parent)!r}, {str(Path(__file__).parents[1])!r}]
from dataclasses import replace
import keras
import tensorflow as tf
two = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], two)
import test_training as t
from fer_kit.data.faceset import FaceSet
from fer_kit.training import loop
from fer_kit.training.recipes import RECIPES

class Course(keras.callbacks.Callback):
    "Lets the loss scale of float16 grow at once, notes it, and interrupts before an epoch."

    def __init__(self, stop=None):
        super().__init__()
        self.stop = stop
        self.scales = []

    def on_train_begin(self, logs=None):
        self.scaled = hasattr(self.model.optimizer, "inner_optimizer")
        if self.scaled:
            self.model.optimizer.dynamic_growth_steps = 2

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.stop:
            raise KeyboardInterrupt

    def on_epoch_end(self, epoch, logs=None):
        if self.scaled:
            self.scales.append(float(keras.ops.convert_to_numpy(self.model.optimizer.dynamic_scale)))

few = FaceSet.load(sys.argv[1])
out = sys.argv[2]
loop.zoo.build = lambda name, emotions: t.small_model(emotions)
teacher = t.small_model(plain=True)
for place, (recipe, devices, precision) in enumerate([
    ("hejslet", None, "mixed_bfloat16"),
    ("kit-best", None, "mixed_float16"),
    ("kit-best", ["cpu:0", "cpu:1"], "mixed_bfloat16"),
    ("kit-small-taught", ["cpu:0", "cpu:1"], "mixed_float16"),
]):
    recipe = replace(RECIPES[recipe], epochs=2, batch_size=32)

    def fit(name, stop=None):
        course = Course(stop)
        options = dict(devices=devices, precision=precision, callbacks=[course])
        folder = f"{{out}}{{place}}{{name}}"
        if recipe.teacher:
            options["teacher"] = teacher
        run = t.fit(few, folder, recipe, model="kit-best", **options)
        return run, course.scales

    whole, scales = fit("whole")
    fit("cut", stop=1)
    cut, later = fit("cut")
    assert cut.provenance["resumed_after"] == [1] and whole.provenance["precision"] == precision
    t.assert_same_run(whole, cut)
    assert later == scales[1:], (later, scales)
    print("same", recipe.name, devices, precision, scales)
"""


def test_recipes_on_devices_in_precisions_resume_as_if_never_interrupted(few, tmp_path):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("TensorFlow's devices")
    few.training.sample(96).join(few.public_test.sample(16)).save(tmp_path / "faces.npz")
    command = [sys.executable, "-c", CHILD, str(tmp_path / "faces.npz"), str(tmp_path / "run")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=560, env=os.environ)
    assert done.returncode == 0, done.stdout[-1500:] + done.stderr[-3000:]
    assert done.stdout.count("\nsame ") == 4
