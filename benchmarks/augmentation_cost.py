"""What augmentation inside the model costs a training step: `python benchmarks/augmentation_cost.py [MODEL]`.

The same model with its augmentation and without takes steps in turn on the same faces, so that whatever
else the machine does slows both alike. Shown are the medians and the ratio; wall time, images a second.
"""

import statistics
import sys
import time

import numpy as np

from fer_kit.data.sample.people import draw_sample
from fer_kit.models.zoo import build

BATCH, ROUNDS = 64, 25


def compiled(name, augment):
    model = build(name, augment=augment)
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def seconds(model, faces):
    start = time.perf_counter()
    model.train_on_batch(faces.x, faces.labels)
    return time.perf_counter() - start


def main(name="hejslet-large"):
    faces = draw_sample(2 * BATCH)[:BATCH]
    models = {"without": compiled(name, None), "inside": compiled(name, True)}
    taken = {key: [] for key in models}
    for turn in range(ROUNDS + 3):
        for key, model in models.items():
            step = seconds(model, faces)
            if turn >= 3:  # the first steps compile and warm up
                taken[key].append(step)
    for key, steps in taken.items():
        print(f"{name}, augmentation {key:8}: {BATCH / statistics.median(steps):7.1f} images/s")
    cost = statistics.median(np.array(taken["inside"]) / np.array(taken["without"])) - 1
    print(f"augmentation adds {cost:.1%} to a training step")


if __name__ == "__main__":
    main(*sys.argv[1:2])
