"""Frames per second from a video file to drawn emotions, and MTCNN against the package's own default.

    python benchmarks/faces.py [MODEL] [--minutes 3]

Targets at 640x480 on two cores: 100 frames/s with one face and 60 with three, for all of it (read, detect
every sixth frame, KCF, classify, smooth, draw); MTCNN at least four times as fast as its eager default and
finding every face that this finds; tracked boxes that overlap those detected in the same frame by 0.85;
and memory that stays flat in a long run. The ways of each comparison take turns frame by frame, so that a
busy machine slows them alike: trust the ratios. MODEL is a run folder, by default an untrained kit-small.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from fer_kit import build
from fer_kit.camera.annotation import draw_faces, video
from fer_kit.camera.boxes import overlap
from fer_kit.camera.demo import moving_faces
from fer_kit.camera.detection import find_detector, plain_mtcnn
from fer_kit.camera.pipeline import FacePipeline
from fer_kit.camera.sources import frames
from fer_kit.camera.tracking import FaceTracker
from fer_kit.models.exporting import export, fast, load_exported
from fer_kit.runtime.stderr import quiet
from fer_kit.training.records import Run

WARM = 12  # frames that are not counted: compilation, first tracks
PAGE = 4096


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", help="a run folder; by default an untrained kit-small")
    parser.add_argument("--frames", type=int, default=240, help="frames of each video")
    parser.add_argument("--minutes", type=float, default=3, help="length of the run that must not grow")
    options = parser.parse_args()
    with quiet():
        model = Run.open(options.model).model() if options.model else build("kit-small")
        detector = find_detector("mtcnn")
    compare_detectors(detector)
    compare_overlap(detector)
    with tempfile.TemporaryDirectory() as folder:
        for count in (1, 3):
            path = Path(folder) / f"{count}.webm"
            with video(path) as write:
                for number, (frame, _) in enumerate(moving_faces(WARM + options.frames, count, speed=5)):
                    write(number / 25, frame)
            compare_pipelines(path, count, ways(model, detector, Path(folder)))
    if options.minutes:
        watch_memory(FacePipeline(fast(model), detector), round(options.minutes * 60 * 25))


def ways(model, detector, folder):
    """Return {name: FacePipeline}: the kit's way first, then what each of its parts is worth."""
    litert = load_exported(export(model, "litert", folder / "model.tflite", overwrite=True))
    return {
        "MTCNN, KCF, LiteRT": FacePipeline(litert, detector),
        "compiled Keras in place of LiteRT": FacePipeline(fast(model), detector),
        "without tracking": FacePipeline(litert, detector, track=0),
    }


def compare_detectors(detector):
    """Print milliseconds a frame and faces found, ours and the package's default, taking turns."""
    with quiet():
        eager = plain_mtcnn()
    taken, found, missed = [], [], 0
    for number, (frame, truth) in enumerate(moving_faces(30, 3, speed=10)):
        start = time.perf_counter()
        ours = [face.box for face in detector(frame)]
        middle = time.perf_counter()
        theirs = [face["box"] for face in eager.detect_faces(frame)]
        missed += sum(max((overlap(box, b) for b in ours), default=0) < 0.5 for box in theirs)
        found.append((len(truth), len(ours), len(theirs)))
        if number >= 5:
            taken.append((middle - start, time.perf_counter() - middle))
    (mine, other), ratio = 1e3 * np.median(taken, 0), np.median(np.divide(*np.array(taken).T[::-1]))
    faces, here, there = np.sum(found, 0)
    print(f"MTCNN: {mine:.1f} ms a frame, by default {other:.1f} ms: {ratio:.1f}x as fast")
    print(f"       {faces} faces; found {here}, by default {there}; {missed} of those missed")


def compare_overlap(detector):
    """Print how far tracked boxes overlap what the detector finds in the same frame."""
    for count, speed in ((1, 3), (1, 10), (3, 3), (3, 10)):
        tracker, overlaps = FaceTracker(detector), []
        for frame, _ in moving_faces(48, count, speed):
            tracked = [face.box for face in tracker.update(frame) if not face.detected]
            if tracked:
                found = [face.box for face in detector(frame)]
                overlaps += [max((overlap(box, f) for f in found), default=0) for box in tracked]
        mean, low = np.mean(overlaps), np.quantile(overlaps, 0.05)
        print(f"KCF: {count} face(s), {speed:2} pixels a frame: overlap {mean:.3f}, 5 % below {low:.3f}")


def compare_pipelines(path, count, pipelines):
    """Print frames per second and the worst frame of each pipeline on a video file, taking turns."""
    taken = {name: [] for name in pipelines}
    readers = {name: iter(frames(path)) for name in pipelines}
    for number in range(frames(path).count):
        for name, pipeline in pipelines.items():
            start = time.perf_counter()
            _, frame = next(readers[name])
            draw_faces(frame, pipeline.step(frame))
            if number >= WARM:
                taken[name].append(time.perf_counter() - start)
    first = np.array(next(iter(taken.values())))
    print(f"{count} face(s), 640x480: frames/s in the mean | worst frame | 95 % within")
    for name, seconds in taken.items():
        seconds = np.array(seconds)
        rate, worst, most = 1 / seconds.mean(), 1e3 * seconds.max(), 1e3 * np.quantile(seconds, 0.95)
        times = seconds.sum() / first.sum()
        print(f"{rate:6.1f} | {worst:5.0f} ms | {most:4.0f} ms  {name}; the first is {times:.2f}x as fast")


def watch_memory(pipeline, count):
    """Print the memory after a tenth of a long run and at its end, with faces that come and go."""
    marks = {}
    for number in range(count):
        if number % 250 == 0:
            scene = moving_faces(250, 3, speed=6, covered=(60, 90), dark=(120, 123), cut=160, seed=number)
        frame, _ = next(scene)
        draw_faces(frame, pipeline.step(frame))
        if number in (count // 10, count - 1):
            marks[number] = memory()
    (soon, early), (end, late) = marks.items()
    print(f"memory: {early:.0f} MB after {soon} frames, {late:.0f} MB after {end} ({late - early:+.0f} MB)")


def memory():
    """Return the memory in use in MB, NaN where there is no /proc."""
    if sys.platform != "linux":
        return float("nan")
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE / 2**20


if __name__ == "__main__":
    main()
