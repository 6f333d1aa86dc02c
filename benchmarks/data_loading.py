"""Loading FER-2013 beside the usual ways, in one run: `python benchmarks/data_loading.py fer2013.zip`.

Writes the unpacked folders and a full-size csv into a temporary folder. Each way is run three times in a
row and the best time is shown (the first run warms the disk cache); the two slowest are run once.
"""

import os
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd

from fer_kit.data.doctor import examine
from fer_kit.data.loading import load_faces
from fer_kit.data.sample.people import draw_sample


def usual_folders(folder):
    import keras

    batches = []
    for part in ("train", "test"):
        data = keras.utils.image_dataset_from_directory(
            folder / part, color_mode="grayscale", image_size=(48, 48), batch_size=64, verbose=False
        )
        batches += [(images.numpy(), labels.numpy()) for images, labels in data]
    return [np.concatenate(column) for column in zip(*batches, strict=True)]


def usual_split(path):
    table = pd.read_csv(path)
    return np.array([row.split() for row in table["pixels"]], dtype=np.uint8)


def usual_fromstring(path):
    table = pd.read_csv(path)
    return np.stack([np.fromstring(row, dtype=np.uint8, sep=" ") for row in table["pixels"]])


def write_csv(faces, path):
    with path.open("w") as out:
        out.write("emotion,pixels,Usage\n")
        for image, label, usage in zip(faces.images, faces.labels, faces.usage, strict=True):
            out.write(f"{label},{' '.join(map(str, image.ravel().tolist()))},{usage}\n")


def seconds(work, *arguments, times=3):
    best = np.inf
    for _ in range(times):
        start = time.perf_counter()
        work(*arguments)
        best = min(best, time.perf_counter() - start)
    return best


def peak_megabytes(path):
    """Peak memory of a fresh process that reads `path` without the cache; NaN where there is no /proc."""
    if sys.platform != "linux":
        return float("nan")
    code = f"from fer_kit.data.loading import load_faces; load_faces({str(path)!r}, cache=False); "
    code += "print(open('/proc/self/status').read().partition('VmHWM:')[2].split()[0])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return int(done.stdout) / 1024


def main(archive):
    with tempfile.TemporaryDirectory() as place:
        folder, csv = Path(place) / "fer2013", Path(place) / "fer2013.csv"
        zipfile.ZipFile(archive).extractall(folder)
        os.environ["FER_CACHE"] = f"{place}/cache"
        faces = load_faces(archive)
        write_csv(faces, csv)
        load_faces(csv)
        rows = [
            ("archive, load_faces", seconds(lambda: load_faces(archive, cache=False))),
            ("archive, second open", seconds(lambda: load_faces(archive))),
            ("folders, load_faces", seconds(lambda: load_faces(folder))),
            ("folders, image_dataset_from_directory", seconds(usual_folders, folder)),
            ("csv, load_faces", seconds(lambda: load_faces(csv, cache=False))),
            ("csv, second open", seconds(lambda: load_faces(csv))),
            ("csv, pandas and fromstring", seconds(usual_fromstring, csv)),
            ("csv, pandas and split", seconds(usual_split, csv, times=1)),
            ("doctor, whole dataset", seconds(lambda: examine(load_faces(archive)), times=1)),
            ("sample", seconds(draw_sample)),
        ]
        for name, value in rows:
            print(f"{name:40} {value:7.2f} s")
        took = dict(rows)
        folders = took["folders, image_dataset_from_directory"] / took["archive, load_faces"]
        split = took["csv, pandas and split"] / took["csv, load_faces"]
        fromstring = took["csv, pandas and fromstring"] / took["csv, load_faces"]
        print(f"archive against image_dataset_from_directory: {folders:.1f}x")
        print(f"csv against split {split:.1f}x, against fromstring {fromstring:.1f}x")
        print(f"csv, peak memory of the process {peak_megabytes(csv):.0f} MB")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(f"usage: python {sys.argv[0]} fer2013.zip")
    main(Path(sys.argv[1]))
