"""`python -m fer_kit watch`: faces and emotions in pictures, a video or a camera, on screen or in files."""

import contextlib
import functools
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

import cv2
from tqdm import tqdm

from fer_kit.camera.annotation import annotate, video
from fer_kit.camera.detection import find_detector, installed_wheels
from fer_kit.camera.pipeline import FacePipeline
from fer_kit.camera.sources import frames
from fer_kit.camera.timeline import table
from fer_kit.models.pretrained import EXPORTED
from fer_kit.runtime.files import check_free
from fer_kit.runtime.stderr import start_keras
from fer_kit.training.records import open_model

PICTURE_SIDE = 1280
"""Longer side in pixels at which the detector looks at single pictures: groups have small faces."""


def watch(source, out=None, model="kit-small", detector="mtcnn", classify=None, overwrite=False):
    """Show who looks how in a source of `camera.frames`, print a summary, and return status 0.

    With `out`, a path that ends in .webm, the annotated video is written there and the table beside it, as
    .csv; without, nothing is stored. A window opens where OpenCV can open one; q or Escape close it, and
    Ctrl-C ends a camera too. `model` is as in `classifier`, `classify` a function in its place, as
    `FacePipeline` takes it; `detector` is a name for `find_detector`. With `overwrite`, video and table may
    be there already.

    Raises what `frames`, `annotation.video` and `FacePipeline` raise; files hold what was seen until then.
    Raises FileExistsError, before anything is looked at, for a video or table that is there, and for the
    source itself as `out`.
    """
    stream = frames(source)
    for path in (out, table_path(out)) if out else ():
        _check_output(path, source, overwrite)
    print(f"Watching {stream.name}. Frames stay on this computer{'' if out else ', and nothing is stored'}.")
    if _wants_window(stream, out) and not can_open_window():
        print(no_window())
    step = _stepper(stream, classify or classifier(model), detector)
    seen = defaultdict(Counter)
    with contextlib.ExitStack() as stack:
        outputs = [stack.enter_context(opened) for opened in _outputs(stream, out, overwrite)]
        stack.enter_context(contextlib.suppress(KeyboardInterrupt, Closed))  # both are ways to say: enough
        bar = stack.enter_context(tqdm(total=stream.count, unit="frame", file=sys.stderr, disable=None))
        for seconds, frame in stream:
            results = step(frame)
            for result in results:
                seen[result.id][result.emotion] += 1
            for write in outputs:
                write(seconds, frame, results)
            bar.set_postfix_str(_in_words(results), refresh=False)
            bar.update()
    print(summary(seen, stream.kind))
    if out:
        print(f"Written: {out} and {table_path(out)}")
    return 0


def classifier(model="kit-small"):
    """Return the function from faces uint8 (N, 48, 48) to probabilities (N, 7) of a model.

    `model` is what `records.open_model` takes, or a file that `export` wrote.
    """
    if Path(model).suffix not in EXPORTED:
        start_keras()
    from fer_kit.models.exporting import fast, load_exported

    return load_exported(model) if Path(model).suffix in EXPORTED else fast(open_model(model)[0])


def _stepper(stream, classify, detector):
    """Return the function from a frame to `FaceResult`s; pictures have nothing to do with one another."""
    if stream.kind != "pictures":
        return FacePipeline(classify, detector).step
    detector = find_detector(detector, PICTURE_SIDE)
    return lambda frame: FacePipeline(classify, detector, track=0, past=0).step(frame)


def _check_output(path, source, overwrite):
    """Refuse to write over the source, and over other files unless `overwrite`."""
    if Path(path).exists() and Path(source).exists() and Path(path).samefile(source):
        raise FileExistsError(f"{path} is what is watched; give another name for the video")
    check_free(path, overwrite)


def _outputs(stream, out, overwrite):
    """Yield context managers of functions that take (seconds, frame, results)."""
    if out:
        yield _video_and_table(out, stream.rate, overwrite)
    if _wants_window(stream, out) and can_open_window():
        yield _window(stream)


def _wants_window(stream, out):
    return stream.kind == "camera" or not out


def table_path(out):
    """Return the Path of the table that belongs to the video `out`."""
    return Path(out).with_suffix(".csv")


@contextlib.contextmanager
def _video_and_table(out, rate, overwrite):
    with video(out, rate, overwrite) as film, table(table_path(out), overwrite) as note:

        def write(seconds, frame, results):
            film(seconds, annotate(frame, results))
            note(seconds, results)

        yield write


class Closed(Exception):
    """The window was closed."""


@contextlib.contextmanager
def _window(stream):
    wait = 1000 if stream.kind == "pictures" else 1

    def show(seconds, frame, results):
        cv2.imshow("fer_kit", cv2.cvtColor(annotate(frame, results), cv2.COLOR_RGB2BGR))
        if cv2.waitKey(wait) in (ord("q"), 27):
            raise Closed

    try:
        yield show
    finally:
        cv2.destroyAllWindows()


@functools.cache
def can_open_window():
    """Return whether OpenCV can open a window here, asked in another process.

    The headless wheel raises, and one that has windows ends the whole process where there is no display.
    """
    code = "import cv2; cv2.namedWindow('fer_kit'); cv2.destroyAllWindows()"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


def no_window():
    """Return in words why no window opens, what to install, and how to see something all the same."""
    wheels = installed_wheels()
    without = [wheel for wheel in wheels if "headless" in wheel]
    why = "There is no display here to open a window on"
    if without:
        why = (
            f"No window opens: {' and '.join(without)} has none. For one `python -m pip uninstall -y "
            f"{' '.join(wheels)}`, then `python -m pip install 'opencv-contrib-python>=4.10,<5'`"
        )
    return f"{why}. --out FILE.webm writes what would be seen to a video."


def _in_words(results):
    return ", ".join(f"{r.id} {r.emotion} {max(r.probabilities):.0%}" for r in results) or "no face"


def summary(seen, kind):
    """Return in words how often each emotion was seen, from a dict of face id to Counter of emotions.

    In a video each face has a line of its own; ids mean nothing from one picture to the next.
    """
    if not seen:
        return "No face was seen."
    if kind == "pictures":
        seen = {"all": sum(seen.values(), Counter())}
    lines = []
    for face, counts in seen.items():
        shares = ", ".join(f"{name} {n / counts.total():.0%}" for name, n in counts.most_common())
        title = f"{counts.total()} faces" if face == "all" else f"face {face}, {counts.total()} frames"
        lines.append(f"{title}: {shares}")
    return "\n".join(lines)
