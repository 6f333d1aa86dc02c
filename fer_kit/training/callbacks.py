"""Keras callbacks: watch the loss, average weights, keep the best model and the state to resume from."""

import json
import math
import sys
import time
from pathlib import Path

import keras
import numpy as np
from tqdm.auto import tqdm

from fer_kit.models.layers import weights_digest
from fer_kit.models.portable import copy_portable
from fer_kit.models.statistics import (
    assign,
    batch_normalisers,
    compiled,
    in_use,
    measure_batch_statistics,
    running_statistics,
    statistics_step,
)
from fer_kit.runtime.files import file_digest, replacing
from fer_kit.runtime.names import by_door
from fer_kit.training.records import parts

COUNTERS = ("best", "best_epoch", "best_file", "best_weights", "wait", "cooldown_counter")
"""What callbacks count or keep from epoch to epoch. Keras' own reset it when training starts again."""


class Watch(keras.callbacks.Callback):
    """Stops training with FloatingPointError when the loss of either set of faces becomes NaN or infinite.

    Also logs the learning rate and the seconds of each epoch.
    """

    async_safe = True  # lets Keras check the loss beside the next batch instead of waiting for it

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch
        self.started = time.monotonic()

    def on_train_batch_end(self, batch, logs=None):
        if not math.isfinite(logs["loss"]):
            raise FloatingPointError(
                f"the loss became {logs['loss']} in epoch {self.epoch + 1}, batch {batch + 1}, "
                f"at learning rate {learning_rate(self.model):.3g}"
            )

    def on_epoch_end(self, epoch, logs=None):
        if not math.isfinite(logs["loss"]):
            self.on_train_batch_end(-1, logs)
        if not math.isfinite(logs.get("val_loss", 0)):
            raise FloatingPointError(
                f"the loss of the faces that select became {logs['val_loss']} after epoch {epoch + 1}, "
                f"at learning rate {learning_rate(self.model):.3g}"
            )
        logs["learning_rate"] = learning_rate(self.model)
        logs["seconds"] = round(time.monotonic() - self.started, 2)


class BestModel(keras.callbacks.ModelCheckpoint):
    """Saves the best model so far, without its optimiser, as `candidate-<epoch>.keras`.

    `Checkpoint` renames it to best.keras when it has saved the state of the same epoch. `monitor` is
    "val_accuracy" or "val_loss". With `averages`, an `Averages`, the averaged weights are saved. `about` is
    what the file says of itself, see `portable.copy_portable`.
    """

    def __init__(self, folder, monitor, averages=None, about=None):
        mode = "min" if monitor == "val_loss" else "max"
        super().__init__(Path(folder) / "candidate-{epoch}.keras", monitor, save_best_only=True, mode=mode)
        self.averages = averages
        self.about = about
        self.best_epoch = None
        self.best_file = None
        self.best_weights = None

    def set_model(self, model):
        """Watch a model of the same layers without an optimiser, so that none is saved."""
        super().set_model(keras.Model(model.inputs[0], model.outputs[0], name=model.name))

    def on_epoch_end(self, epoch, logs=None):
        before = self.best
        if self.averages:
            self.averages.on_test_begin()
        super().on_epoch_end(epoch, logs)
        better = self.best != before
        if better:
            self.best_weights = weights_digest(self.model)
        if self.averages:
            self.averages.on_test_end()
        if better:
            self.best_epoch = epoch + 1
            saved = self.filepath.format(epoch=self.best_epoch)
            copy_portable(saved, saved, self.about)
            self.best_file = file_digest(saved)


class Averages(keras.callbacks.SwapEMAWeights):
    """Scores and saves the averaged weights, with batch-norm statistics that belong to them.

    Keras averages the weights but not the running means and variances of batch normalisation. These belong
    to the weights of the last steps, and with them the averaged model would predict no better than chance.
    So they are measured again with the averaged weights in place, on `images` uint8 (N, 48, 48, 1), 0-255
    (Izmailov et al. 2018, section 3.3), without augmentation and dropout, which change mean and variance and
    are off when the model is used (Li et al. 2019, Touvron et al. 2019).
    """

    def __init__(self, images, batch_size=256):
        super().__init__()
        self.images = images
        self.batch_size = batch_size

    def set_model(self, model):
        """Find the batch normalisation of `model` and compile the step that measures its statistics."""
        super().set_model(model)
        normalisers = batch_normalisers(model)
        self.statistics = running_statistics(normalisers)
        self.in_use = in_use(model)
        self.step = compiled(statistics_step(self.in_use, normalisers))
        self.measured_at = None

    def on_test_begin(self, logs=None):
        super().on_test_begin(logs)
        self.running = [keras.ops.convert_to_numpy(variable) for variable in self.statistics]
        steps = int(keras.ops.convert_to_numpy(self.model.optimizer.iterations))
        if steps != self.measured_at:  # an epoch is scored, and then saved, with the same weights
            self.own = measure_batch_statistics(self.in_use, self.step, self.images, self.batch_size)
            self.measured_at = steps
        assign(self.statistics, self.own)

    def on_test_end(self, logs=None):
        assign(self.statistics, self.running)
        super().on_test_end(logs)


class History(keras.callbacks.CSVLogger):
    """Keras' CSVLogger, with epochs counted from 1."""

    def on_epoch_end(self, epoch, logs=None):
        super().on_epoch_end(epoch + 1, logs)


class Checkpoint(keras.callbacks.Callback):
    """Saves after each epoch, in `state.npz`, everything that training needs to resume exactly.

    That is the weights, the states of the random generators (Keras keeps them among the weights), the
    optimiser with its learning rate, step count, averages and (in float16) loss scale, and the counters of
    the other callbacks, `others` {name: callback}. It has to be the last callback that changes anything.
    """

    def __init__(self, folder, others):
        super().__init__()
        self.folder = Path(folder)
        self.others = others
        self.counters = {}

    def restore(self, model):
        """Put the saved state, if there is one, into the compiled `model`.

        Returns (number of finished epochs, whether training is complete). Raises ValueError when the state
        belongs to another model, or is damaged.
        """
        path = self.folder / "state.npz"
        if not path.exists():
            self._tidy(best_epoch=None)
            return 0, False
        stored = parts.read_arrays(path)
        about = json.loads(str(stored.pop("about")))
        values = [stored[f"variable {i}"] for i in range(len(stored))]
        variables = everything(model)
        if [v.shape for v in values] != [tuple(v.shape) for v in variables]:
            other = by_door("give another folder as out", "give another folder with --out")
            raise ValueError(f"{path} is the state of another model or optimiser; {other}")
        self._tidy(about["best_epoch"])
        self._check_best(about)
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        self.counters = about["counters"]
        return about["epoch"], about["ended"]

    def _check_best(self, about):
        """Raise ValueError when best.keras is not the best model of the saved epochs."""
        path = self.folder / "best.keras"
        saved = about["counters"]["best"].get("best_file")
        if about["best_epoch"] and not path.exists():
            raise ValueError(f"{path} is gone, the model of epoch {about['best_epoch']}; {parts.advice()}")
        if about["best_epoch"] and saved not in (None, file_digest(path)):
            raise ValueError(f"{path} is damaged, or another run's; {parts.advice()}")

    def on_train_begin(self, logs=None):
        for name, counters in self.counters.items():
            vars(self.others[name]).update(counters)

    def on_epoch_end(self, epoch, logs=None):
        about = {
            "epoch": epoch + 1,
            "ended": self.model.stop_training,
            "best_epoch": self.others["best"].best_epoch,
            "counters": {name: _counters(callback) for name, callback in self.others.items()},
            "history": parts.lines_digest(self.folder / "history.csv", epoch + 1),
        }
        values = map(keras.ops.convert_to_numpy, everything(self.model))
        with replacing(self.folder / "state.npz") as file:
            arrays = {f"variable {i}": value for i, value in enumerate(values)}
            np.savez(file, about=json.dumps(about, default=float), **arrays)
        self._tidy(about["best_epoch"])

    def _tidy(self, best_epoch):
        # The state is written first and best.keras replaced second. If the process was killed between the
        # two, this finishes the replacement.
        best = self.folder / f"candidate-{best_epoch}.keras"
        if best.exists():
            best.replace(self.folder / "best.keras")
        for left_over in self.folder.glob("candidate-*.keras"):
            left_over.unlink()


def _counters(callback):
    return {name: value for name, value in vars(callback).items() if name in COUNTERS}


def everything(model):
    """Return all variables that change while a model trains whose optimizer is built, in a fixed order."""
    return [*model.variables, *model.optimizer.variables]  # float16: with the scale of the loss


def learning_rate(model):
    """Return the learning rate of the next step as a float."""
    return float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))


class Progress(keras.callbacks.Callback):
    """Prints one line per epoch, and between the lines shows a bar with the time that is left.

    The bar is tqdm's: a widget in notebooks, a line of the terminal that disappears at the end, and nothing
    in a log file. `best` is the run's `BestModel`, `best_accuracy` (0-1) what the run had reached before,
    `selected_on` the name of the faces that it selects on. `close` removes the bar.
    """

    def __init__(self, best, selected_on, best_accuracy=None):
        super().__init__()
        self.best = best
        self.selected_on = selected_on
        self.best_accuracy = best_accuracy
        self.bar = None

    def on_epoch_begin(self, epoch, logs=None):
        steps = self.params["steps"]
        epochs = self.params["epochs"]
        self.done = epoch * steps
        self.title = f"epoch {epoch + 1}/{epochs}"
        if self.bar is None:
            self.bar = progress_bar(epochs * steps, self.done, "batch")
        self.bar.set_description(self.title, refresh=False)

    def on_train_batch_begin(self, batch, logs=None):
        self.bar.update(self.done + batch - self.bar.n)

    def on_epoch_end(self, epoch, logs=None):
        if self.best.best_epoch == epoch + 1:
            self.best_accuracy = logs["val_accuracy"]
        with self.bar.external_write_mode():
            print(
                f"{self.title}  loss {logs['loss']:.3f}  accuracy {logs['accuracy']:.1%}  "
                f"{self.selected_on} {logs['val_accuracy']:.1%} (best {self.best_accuracy:.1%})  "
                f"lr {logs['learning_rate']:.2g}  {logs['seconds']:.0f} s",
                flush=True,
            )

    def on_train_end(self, logs=None):
        self.bar.total = self.bar.n  # early stopping is an end, too: tqdm marks a bar that is not full red

    def close(self):
        """Remove the bar."""
        if self.bar is not None:
            self.bar.close()


def progress_bar(total, done, unit):
    """Return a tqdm bar of `total` steps, `done` of which were made before, that disappears when closed.

    In notebooks it is a widget, in terminals a line; in a log file it is switched off.
    """
    return tqdm(total=total, initial=done, unit=unit, file=sys.stdout, leave=False, delay=1, disable=None)
