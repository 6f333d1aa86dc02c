"""Classical methods: HOG of all faces, LinearSVC by the kit's settings and its own, and all baselines.

    python benchmarks/classical.py [--data PATH] [--all]

Aims, for full FER-2013 on 2 cores: HOG of 35,887 faces in 60 s at most, all baselines fitted and scored
(with --all, in an empty folder and with an empty cache) in 15 minutes at most.
"""

import argparse
import os
import tempfile
import time

import numpy as np
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from fer_kit import load_faces
from fer_kit.studies.classical.baselines import SVM, fit_baselines
from fer_kit.studies.classical.descriptors import DESCRIPTORS, find_descriptor


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="the dataset; without it, what lies in data/, or the sample")
    parser.add_argument("--all", action="store_true", help="also fit and score every baseline")
    options = parser.parse_args()
    faces = load_faces(options.data)
    print(faces)
    describing(faces)
    svms(faces)
    if options.all:
        with tempfile.TemporaryDirectory() as folder:
            os.environ["FER_CACHE"] = f"{folder}/cache"
            _, seconds = timed(fit_baselines, faces, f"{folder}/records")
        print(f"all baselines, features included: {seconds / 60:.1f} min (aim 15)")


def describing(faces, share=20):
    """Seconds for all faces: HOG measured whole, the others and scikit-image's HOG on a part."""
    from skimage.feature import hog

    part = faces.images[::share]
    _, ours = timed(find_descriptor("hog").transform, faces.images)
    print(f"hog, all {len(faces):,} faces: {ours:.1f} s (aim 60)")
    _, theirs = timed(lambda: [hog(image, 9, (8, 8), (2, 2)) for image in part])
    print(f"the same with skimage.feature.hog: {share * theirs:.0f} s, {share * theirs / ours:.1f}x")
    for name in DESCRIPTORS:
        descriptor = find_descriptor(name).fit(part)
        _, seconds = timed(descriptor.transform, part)
        print(f"{name}: {1e6 * seconds / len(part):.0f} µs a face")


def svms(faces, count=4000):
    """LinearSVC by the kit's settings and by scikit-learn's: processor seconds, and whether they agree."""
    hog = find_descriptor("hog")
    some = faces.training.sample(count)
    scale = StandardScaler()
    X = scale.fit_transform(hog.transform(some.images))
    Q = scale.transform(hog.transform(faces.public_test.images))
    solvers = {
        "LinearSVC as the kit fits it": LinearSVC(C=1e-4, **SVM),
        "LinearSVC, primal": LinearSVC(C=1e-4, dual=False),
        "LinearSVC, dual": LinearSVC(C=1e-4, dual=True, random_state=0),
    }
    taken = {name: [] for name in solvers}
    for _ in range(3):
        for name, svm in solvers.items():
            begin = time.process_time()
            svm.fit(X, some.labels)
            taken[name].append(time.process_time() - begin)
    ours = next(iter(solvers))
    for name, svm in solvers.items():
        ratio = np.median(taken[name]) / np.median(taken[ours])
        same = np.mean(svm.predict(Q) == solvers[ours].predict(Q))
        print(f"{name}: {np.median(taken[name]):.2f} s, {ratio:.1f}x; {same:.1%} of predictions the same")


def timed(work, *given):
    """Return (result, wall-clock seconds) of a call."""
    begin = time.perf_counter()
    return work(*given), time.perf_counter() - begin


if __name__ == "__main__":
    main()
