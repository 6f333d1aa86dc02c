"""Feeding a 224x224 network: the kit's uint8 48x48 faces beside decoding and resizing on the CPU; memory.

    python benchmarks/transfer_pipeline.py [--faces 2048] [--memory-size 75] [--backbone InceptionV3]

First the pipelines alone, without any network, batches of 32: images/s, and the processor's time for each
image. The usual way is murphy's: `tf.data` reads a JPEG file, decodes it, resizes it to 224x224, makes it
RGB and scales it, on all cores. Then the peak memory (VmHWM, Linux) of extracting features of as many faces
as FER-2013 has, in a process of its own at a small size, and of a few batches at 224. Memory does not grow
with the number of faces but for their own pixels: see both, or give --memory-size 224 and wait.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BATCH, ALL_FACES = 32, 35_887


def write_files(faces, folder):
    import cv2

    files = [str(Path(folder) / f"{number}.jpg") for number in range(len(faces))]
    for file, image in zip(files, faces.images, strict=True):
        cv2.imwrite(file, image)
    return files


def usual(files, labels):
    """Return the usual pipeline: everything on the host, 224x224x3 float32 to the device."""
    import tensorflow as tf

    def read(file, label):
        picture = tf.io.decode_jpeg(tf.io.read_file(file), channels=3)
        return tf.image.resize(picture, (224, 224)) / 255.0, label

    data = tf.data.Dataset.from_tensor_slices((files, labels)).shuffle(len(files))
    return data.map(read, tf.data.AUTOTUNE).batch(BATCH).prefetch(tf.data.AUTOTUNE)


def measure(feed, count, rounds=3):
    """Return (images/s, processor microseconds per image) of the fastest of some passes over `feed`."""
    taken = []
    for _ in range(rounds + 1):
        start, work = time.perf_counter(), time.process_time()
        for _ in feed():
            pass
        taken.append((time.perf_counter() - start, time.process_time() - work))
    seconds, work = min(taken[1:])
    return count / seconds, work / count * 1e6


def compare_pipelines(count):
    from fer_kit.data.sample.people import draw_sample
    from fer_kit.training.batches import Batches

    faces = draw_sample(count * 5 // 4 + 100).training.sample(count)
    batches = Batches(faces, BATCH)
    with tempfile.TemporaryDirectory() as folder:
        files = write_files(faces, folder)
        ways = {
            "usual: decode, resize to 224x224x3": lambda: usual(files, faces.labels),
            "kit: uint8 48x48, resized on the device": lambda: (batches[i] for i in range(len(batches))),
        }
        results = {way: measure(feed, len(faces)) for way, feed in ways.items()}
    slow = next(iter(results.values()))
    for way, (speed, work) in results.items():
        print(f"{way:42} {speed:9.0f} images/s  {work:8.1f} us of processor time an image", end="")
        print(f"  {speed / slow[0]:6.1f} x the images/s, {slow[1] / work:6.1f} x less work")


EXTRACTION = """
import sys, tempfile
import numpy as np
from fer_kit.models.backbones import load_backbone
from fer_kit.data.faceset import FaceSet
from fer_kit.training.features import extract
name, size, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
images = np.random.default_rng(0).integers(0, 256, (count, 48, 48), np.uint8)
faces = FaceSet(images, np.zeros(count, int), "Training", source="noise")
with tempfile.TemporaryDirectory() as folder:
    features = extract(faces, load_backbone(name, size, weights=None), folder)
    features.sum()
print(open("/proc/self/status").read())
"""


def peak_memory(backbone, size, count):
    """Return the peak MB of a process that extracts `count` faces' features; NaN where there is no /proc."""
    if sys.platform != "linux":
        return float("nan")
    command = [sys.executable, "-c", EXTRACTION, backbone, str(size), str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(re.search(r"VmHWM:\s+(\d+) kB", done.stdout)[1]) / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--faces", type=int, default=2048)
    parser.add_argument("--memory-size", type=int, default=75)
    parser.add_argument("--backbone", default="InceptionV3")
    options = parser.parse_args()
    compare_pipelines(options.faces)
    for size, count in ((options.memory_size, ALL_FACES), (224, 256)):
        peak = peak_memory(options.backbone, size, count)
        print(f"features of {count:6,} faces, {options.backbone} at {size}: peak {peak:6.0f} MB (bar 2,000)")


if __name__ == "__main__":
    main()
