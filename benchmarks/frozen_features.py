"""murphy's frozen stage: 30 epochs on cached features beside one pass of the backbone, and beside the loop.

    python benchmarks/frozen_features.py [--backbone InceptionV3] [--size 224] [--faces 2048]

All three work on the same faces of the built-in sample in one process, with random weights (which cost as
much as trained ones): one pass of the backbone over the faces, with nothing else; the whole frozen stage
through `transfer.train_head`, extraction, 30 epochs, records and all; and `training.fit` with the frozen
backbone in the loop, for a few epochs, of which the fastest counts for each of the 30. Only the ratios mean
anything.
"""

import argparse
import contextlib
import io
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import keras

from fer_kit.data.sample.people import draw_sample
from fer_kit.models.backbones import classifier, feature_extractor, load_backbone
from fer_kit.models.layers import precision_of
from fer_kit.runtime import devices
from fer_kit.training.loop import fit
from fer_kit.training.recipes import RECIPES
from fer_kit.training.transfer import train_head

EPOCHS = 30
RECIPE = replace(RECIPES["murphy-base"], epochs=EPOCHS, early_stopping=None)


def one_pass(backbone, faces, batch_size=64):
    """Return the seconds of one pass over `faces`, once the model has been compiled by a first batch."""
    model = feature_extractor(backbone)
    model.compile(jit_compile=False if keras.backend.backend() == "tensorflow" else "auto")
    model.predict_on_batch(faces.x[:batch_size])
    start = time.perf_counter()
    for first in range(0, len(faces) // batch_size * batch_size, batch_size):
        model.predict_on_batch(faces.x[first : first + batch_size])
    return (time.perf_counter() - start) / (len(faces) // batch_size * batch_size) * len(faces)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backbone", default="InceptionV3")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--faces", type=int, default=2048)
    parser.add_argument("--loop-epochs", type=int, default=2)
    options = parser.parse_args()
    drawn = draw_sample(options.faces * 5 // 4 + 400)
    faces = drawn.training.sample(options.faces).join(drawn.public_test.sample(options.faces // 8))
    backbone = load_backbone(options.backbone, options.size, weights=None)
    print(f"{backbone}; {faces}; {devices.describe()} in {precision_of(backbone.network)}")

    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        alone = one_pass(backbone, faces)
        start = time.perf_counter()
        train_head(backbone, faces, Path(folder) / "cached", RECIPE, cache=folder)
        cached = time.perf_counter() - start
        loop = fit(classifier(backbone), faces, RECIPE, Path(folder) / "loop", epochs=options.loop_epochs)
        looped = EPOCHS * loop.history.seconds.min()
    ways = {"one pass of the backbone": alone, f"{EPOCHS} epochs on cached features": cached}
    for way, seconds in {**ways, f"{EPOCHS} epochs with it in the loop": looped}.items():
        print(f"{way:34} {seconds:8.1f} s  {seconds / alone:6.2f} x one pass")
    print(f"bar: {cached / alone:.2f} <= 1.3")


if __name__ == "__main__":
    main()
