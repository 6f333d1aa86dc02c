"""Keras callbacks: watch the loss, keep the best model, save what training needs to go on, show progress."""

import json
import math
import sys
import time
from pathlib import Path

import keras
import numpy as np

from fer_kit.models.portable import copy_portable
from fer_kit.runtime.files import replacing

COUNTERS = ("best", "best_epoch", "wait", "cooldown_counter")
"""What Keras' callbacks count from epoch to epoch, and forget when training starts again."""


class Watch(keras.callbacks.Callback):
    """Ends training (FloatingPointError) when the loss is no number; logs the learning rate and seconds."""

    async_safe = True  # lets Keras check the loss beside the next batch instead of waiting for it

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch, self.started = epoch, time.monotonic()

    def on_train_batch_end(self, batch, logs=None):
        if not math.isfinite(logs["loss"]):
            raise FloatingPointError(
                f"the loss became {logs['loss']} in epoch {self.epoch + 1}, batch {batch + 1}, "
                f"at learning rate {learning_rate(self.model):.3g}"
            )

    def on_epoch_end(self, epoch, logs=None):
        if not math.isfinite(logs["loss"]):
            self.on_train_batch_end(-1, logs)
        logs["learning_rate"] = learning_rate(self.model)
        logs["seconds"] = round(time.monotonic() - self.started, 2)


class BestModel(keras.callbacks.ModelCheckpoint):
    """Saves the best model so far, without its optimiser, as `candidate-<epoch>.keras`.

    `Checkpoint` makes it best.keras together with the state of the same epoch. With `averages`, an
    `Averages`, it is the averaged weights that are saved.
    """

    def __init__(self, folder, monitor, averages=None):
        mode = "min" if monitor == "val_loss" else "max"
        super().__init__(Path(folder) / "candidate-{epoch}.keras", monitor, save_best_only=True, mode=mode)
        self.averages, self.best_epoch = averages, None

    def set_model(self, model):
        """Watch a model of the same layers without optimiser, so that none is saved."""
        super().set_model(keras.Model(model.inputs[0], model.outputs[0], name=model.name))

    def on_epoch_end(self, epoch, logs=None):
        before = self.best
        if self.averages:
            self.averages.on_test_begin()
        super().on_epoch_end(epoch, logs)
        if self.averages:
            self.averages.on_test_end()
        if self.best != before:
            self.best_epoch = epoch + 1
            saved = self.filepath.format(epoch=self.best_epoch)
            copy_portable(saved, saved)


class History(keras.callbacks.CSVLogger):
    """Keras' CSVLogger, with epochs counted from 1."""

    def on_epoch_end(self, epoch, logs=None):
        super().on_epoch_end(epoch + 1, logs)


class Checkpoint(keras.callbacks.Callback):
    """After each epoch, saves in `state.npz` all that training needs to go on as if nothing had happened.

    These are the weights, the states of the random generators (which Keras keeps among the weights), the
    optimiser with its learning rate, step count and averages, and the counters of the other callbacks.
    Comes last among the callbacks.
    """

    def __init__(self, folder, others):
        super().__init__()
        self.folder, self.others, self.counters = Path(folder), others, {}

    def restore(self, model):
        """Put the saved state, if any, into the compiled `model`.

        Returns (finished epochs, whether training had ended). Raises ValueError when the state is that of
        another model, or is damaged.
        """
        path = self.folder / "state.npz"
        if not path.exists():
            self._tidy(best_epoch=None)
            return 0, False
        try:
            with np.load(path, allow_pickle=False) as stored:
                about = json.loads(str(stored["about"]))
                values = [stored[f"variable {i}"] for i in range(len(stored.files) - 1)]
        except Exception as error:
            raise ValueError(f"{path} is damaged ({error}); start again with retrain=True") from error
        variables = everything(model)
        if [v.shape for v in values] != [tuple(v.shape) for v in variables]:
            raise ValueError(f"{path} is the state of another model or optimiser; give another folder as out")
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        self.counters = about["counters"]
        self._tidy(about["best_epoch"])
        return about["epoch"], about["ended"]

    def on_train_begin(self, logs=None):
        for name, counters in self.counters.items():
            vars(self.others[name]).update(counters)

    def on_epoch_end(self, epoch, logs=None):
        about = {
            "epoch": epoch + 1,
            "ended": self.model.stop_training,
            "best_epoch": self.others["best"].best_epoch,
            "counters": {name: _counters(callback) for name, callback in self.others.items()},
        }
        values = map(keras.ops.convert_to_numpy, everything(self.model))
        with replacing(self.folder / "state.npz") as file:
            arrays = {f"variable {i}": value for i, value in enumerate(values)}
            np.savez(file, about=json.dumps(about, default=float), **arrays)
        self._tidy(about["best_epoch"])

    def _tidy(self, best_epoch):
        # The state is written before the best model takes its place: a kill in between is made good here.
        best = self.folder / f"candidate-{best_epoch}.keras"
        if best.exists():
            best.replace(self.folder / "best.keras")
        for left_over in self.folder.glob("candidate-*.keras"):
            left_over.unlink()


def _counters(callback):
    return {name: value for name, value in vars(callback).items() if name in COUNTERS}


def everything(model):
    """Return all variables that change while a compiled model trains, in an order that stays the same."""
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    optimizer.build(model.trainable_variables)
    return [*model.variables, *optimizer.variables]


def learning_rate(model):
    """Return the learning rate of the next step as a float."""
    return float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))


class Progress(keras.callbacks.Callback):
    """Shows one line per epoch, and how far the present epoch is where the screen can be written over.

    `best` is the run's `BestModel`, `best_accuracy` (0-1) what it has reached before, `selected_on` the
    name of the faces that it selects on.
    """

    def __init__(self, best, selected_on, best_accuracy=None):
        super().__init__()
        self.best, self.selected_on, self.best_accuracy = best, selected_on, best_accuracy

    def on_train_begin(self, logs=None):
        self.show = screen()

    def on_epoch_begin(self, epoch, logs=None):
        self.title = f"epoch {epoch + 1}/{self.params['epochs']}"
        self.started = self.shown = time.monotonic()

    def on_train_batch_begin(self, batch, logs=None):
        now = time.monotonic()
        if batch and now - self.shown > 1:
            self.shown, done = now, batch / self.params["steps"]
            left = (now - self.started) * (1 - done) / done
            self.show(f"{self.title}  {'█' * int(20 * done):░<20} {done:4.0%}  {left:.0f} s left", keep=False)

    def on_epoch_end(self, epoch, logs=None):
        if self.best.best_epoch == epoch + 1:
            self.best_accuracy = logs["val_accuracy"]
        self.show(
            f"{self.title}  loss {logs['loss']:.3f}  accuracy {logs['accuracy']:.1%}  "
            f"{self.selected_on} {logs['val_accuracy']:.1%} (best {self.best_accuracy:.1%})  "
            f"lr {logs['learning_rate']:.2g}  {logs['seconds']:.0f} s",
            keep=True,
        )


def screen():
    """Return a function `show(line, keep)` for this notebook, terminal or log file.

    A line with `keep=False` is written over by the next one, and not shown at all in a log file. What
    has been redirected elsewhere counts as a log file, also in a notebook.
    """
    if type(sys.stdout).__module__.startswith("ipykernel"):
        return _notebook_screen()
    if sys.stdout.isatty():
        return lambda line, keep: print(f"\r\033[K{line}", end="\n" if keep else "", flush=True)
    return lambda line, keep: print(line, flush=True) if keep else None


def _notebook_screen():
    from IPython.display import display

    kept, area = [], display({"text/plain": ""}, raw=True, display_id=True)

    def show(line, keep):
        area.update({"text/plain": "\n".join([*kept, line])}, raw=True)
        if keep:
            kept.append(line)

    return show
