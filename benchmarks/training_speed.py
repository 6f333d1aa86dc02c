"""Training hejslet-large: this kit beside the usual float32 model with an ImageDataGenerator-style feed.

    python benchmarks/training_speed.py [--faces 1024] [--rounds 3] [--model hejslet-large]

Both train the same network by hejslet's recipe on the same faces; the ways take turns in one process. The
usual way augments on the host, one face at a time, and feeds float32; the kit augments inside the model,
feeds uint8, uses fused batch normalisation and chooses the precision. Only the ratios mean anything; on a
shared machine run it more than once. Also measured: the feed alone, augmentation inside the model, and what
saving an epoch costs.
"""

import argparse
import contextlib
import tempfile
import time

import numpy as np

from fer_kit.data.augment import augment_face
from fer_kit.data.sample.people import draw_sample
from fer_kit.models import catalogue, zoo
from fer_kit.runtime import devices
from fer_kit.training import callbacks
from fer_kit.training.batches import Batches
from fer_kit.training.recipes import find_recipe, make_optimiser
from fer_kit.training.speedups import fused_normalisation


class HostBatches(Batches):
    """The usual way: every face is augmented on the host, then fed as float32."""

    def __getitem__(self, number):
        images, *rest = super().__getitem__(number)
        rng = np.random.default_rng(number)
        changed = np.stack([augment_face(face, rng) for face in images[..., 0]])
        return changed[..., None].astype(np.float32), *rest


def compiled(name, precision, augment, recipe):
    """Return the model, compiled for the recipe; `augment=None` leaves augmentation to the host."""
    with devices.precision_policy(precision):
        model = zoo.build(name, augment=augment)
    loss = "categorical_crossentropy"
    model.compile(make_optimiser(recipe, 100), loss, metrics=["accuracy"], jit_compile=False)
    return model


def fed(batches):
    """What Keras gets: the usual way's batches as they are, the kit's as `training.fit` feeds them."""
    return batches if isinstance(batches, HostBatches) else batches.as_dataset()


def best_speeds(ways, rounds):
    """Return images/s per way: the ways take turns, and after a warm-up the fastest epoch counts."""
    seconds = {way: [] for way in ways}
    for _ in range(rounds + 1):
        for way, (model, batches, context) in ways.items():
            start = time.perf_counter()
            with context(model):
                model.fit(fed(batches), verbose=0, shuffle=False)
            seconds[way].append(time.perf_counter() - start)
    return {way: ways[way][1].count / min(times[1:]) for way, times in seconds.items()}


def saving_seconds(model):
    """Return how long `Checkpoint` takes to save the state of an epoch, and the best model."""
    with tempfile.TemporaryDirectory() as folder:
        best = callbacks.BestModel(folder, "val_accuracy")
        checkpoint = callbacks.Checkpoint(folder, {"best": best})
        best.set_model(model)
        checkpoint.set_model(model)
        start = time.perf_counter()
        best.on_epoch_end(0, {"val_accuracy": 0.5})
        checkpoint.on_epoch_end(0)
        return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--faces", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", default="hejslet-large")
    options = parser.parse_args()
    recipe = find_recipe("hejslet")
    drawn = draw_sample(options.faces * 5 // 4 + 100).training
    faces = drawn[: options.faces // recipe.batch_size * recipe.batch_size]
    architecture = catalogue.find_architecture(options.model)
    precision, reason = devices.choose_precision(separable=architecture.separable)
    print(f"{options.model}, {len(faces)} faces, {devices.describe()}; the kit takes {precision}: {reason}")

    plain = contextlib.nullcontext
    plans = {
        "usual: float32, host augmentation": ("float32", None, HostBatches, plain),
        f"kit in {precision}, Keras' normalisation": (precision, True, Batches, plain),
        "kit in float32": ("float32", True, Batches, fused_normalisation),
        f"kit in {precision}, no augmentation": (precision, None, Batches, fused_normalisation),
        f"kit in {precision}": (precision, True, Batches, fused_normalisation),
    }
    ways = {
        way: (compiled(options.model, policy, augment, recipe), feed(faces, recipe.batch_size), context)
        for way, (policy, augment, feed, context) in plans.items()
    }
    speeds = best_speeds(ways, options.rounds)
    for way, speed in speeds.items():
        print(f"{way:40} {speed:8.0f} images/s  {speed / next(iter(speeds.values())):5.2f} x usual")

    measure_the_rest(faces, recipe, ways["kit in float32"][0])


def measure_the_rest(faces, recipe, model):
    """Print how fast batches are drawn with mixup, and what saving an epoch costs."""
    batches = Batches(faces, recipe.batch_size, mixup=0.2)
    start = time.perf_counter()
    for number in range(len(batches)):
        batches[number]
    print(f"{'the feed alone, with mixup':40} {len(faces) / (time.perf_counter() - start):8.0f} images/s")
    print(f"{'saving state and best model':40} {saving_seconds(model):8.2f} s an epoch")


if __name__ == "__main__":
    main()
