"""`python -m fer_kit watch`: faces and emotions in pictures, a video or a camera, on screen or in files."""

import contextlib
import functools
import itertools
import subprocess
import sys
from collections import Counter, defaultdict
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from fer_kit.camera.annotation import annotate, can_write, save_picture, video
from fer_kit.camera.detection import find_detector, installed_wheels
from fer_kit.camera.pipeline import FacePipeline
from fer_kit.camera.sources import frames
from fer_kit.camera.timeline import table
from fer_kit.data.emotions import EMOTIONS
from fer_kit.data.faceset import SIZE
from fer_kit.evaluation.scores import check_probabilities
from fer_kit.models.pretrained import EXPORTED
from fer_kit.runtime.files import check_free
from fer_kit.runtime.stderr import start_keras
from fer_kit.training.records import emotions_of, open_model

PICTURE_SIDE = 1280
"""Longer side in pixels at which the detector looks at single pictures: groups have small faces."""


def watch(source, out=None, model="kit-small", detector="mtcnn", classify=None, overwrite=False, names=None):
    """Show who looks how in a source of `camera.frames`, print a summary, and return status 0.

    A window opens where OpenCV can open one; q or Escape close it, and Ctrl-C ends a camera too.

    Args:
        source: As `frames` takes it.
        out: What is written: a video (.webm); for a picture also a picture (.jpg, .png), for pictures a
            folder, in which they keep their names. A table of what was seen lies beside it as .csv, or in
            the folder as faces.csv. Without `out` nothing is stored.
        model: As `classifier` takes it.
        detector: A name for `find_detector`.
        classify: A function in place of a model, as `FacePipeline` takes it.
        overwrite: Replace files that are there.
        names: The emotions of the outputs, in their order; needed when the model does not say them.

    Raises:
        ValueError: `out` does not suit the source, and as `classifier`.
        FileExistsError: Before anything is looked at, for a file that is there, unless `overwrite`, and for
            what is watched itself as `out`.
        Exception: What `frames`, `annotation.video` and `FacePipeline` raise; files hold what was seen until
            then, but a video for which there is no room on the disk is deleted.
    """
    stream = frames(source)
    out = out and _suitable(Path(out), stream, source, overwrite)
    print(f"Watching {stream.name}. Frames stay on this computer{'' if out else ', and nothing is stored'}.")
    if _wants_window(stream, out) and not can_open_window():
        print(no_window())
    if classify is None:
        classify, names = classifier(model, names)
    names = names or EMOTIONS
    step = _stepper(stream, partial(FacePipeline, classify, names=names), detector)
    seen = defaultdict(Counter)
    shown = iter(stream)
    first = list(itertools.islice(shown, 1))  # a camera that does not open leaves no files
    with contextlib.ExitStack() as stack:
        outputs = [stack.enter_context(opened) for opened in _outputs(stream, out, names, overwrite)]
        stack.enter_context(contextlib.suppress(KeyboardInterrupt, Closed))  # both are ways to say: enough
        bar = stack.enter_context(tqdm(total=stream.count, unit="frame", file=sys.stderr, disable=None))
        for seconds, frame in itertools.chain(first, shown):
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


def classifier(model="kit-small", names=None):
    """Return (a function from faces uint8 (N, 48, 48) to probabilities (N, K), the K emotions).

    Args:
        model: What `records.open_model` takes, or a file that `export` wrote.
        names: The emotions, for a model that does not say them.

    Raises:
        ValueError: Nobody says the emotions, the model does not take faces or return probabilities, or it
            expects other values than 0 to 255 (tried on drawn faces).
    """
    start_keras()
    if isinstance(model, (str, Path)) and Path(model).suffix in EXPORTED:
        return _exported(model, names)
    from fer_kit.data.sample.people import draw_sample
    from fer_kit.models.contract import check_from_elsewhere, check_names
    from fer_kit.models.exporting import fast

    network, run = open_model(model)
    names = check_names(network.name, emotions_of(model, network, names), network.output_shape[-1])
    if run is None:
        check_from_elsewhere(network, draw_sample(280))
    return fast(network), names


def _exported(path, names):
    from fer_kit.models.contract import agreed_names, check_names
    from fer_kit.models.exporting import labels_of, load_exported

    classify = load_exported(path)
    answers = classify(np.zeros((1, SIZE, SIZE), np.uint8))
    check_probabilities(answers, [f"a black picture, by {path},"])
    return classify, check_names(path, agreed_names(path, labels_of(path), names), answers.shape[1])


def _stepper(stream, pipeline, detector):
    """Return the function from a frame to `FaceResult`s; pictures have nothing to do with one another."""
    if stream.kind != "pictures":
        return pipeline(detector).step
    detector = find_detector(detector, PICTURE_SIDE)
    return lambda frame: pipeline(detector, track=0, past=0).step(frame)


def _suitable(out, stream, source, overwrite):
    """Return the Path `out`; refuse what does not suit the source, the source, and files that are there."""
    kinds = "a video (.webm)"
    if stream.files:
        kinds = f"{'a picture (.jpg, .png)' if len(stream.files) == 1 else 'a folder'} or {kinds}"
    one_of_many = _is_picture(out) and len(stream.files) != 1
    if one_of_many or not (out.suffix == ".webm" or (stream.files and (_is_picture(out) or _is_folder(out)))):
        raise ValueError(f"{out} does not suit {stream.name}: what was seen there is written as {kinds}")
    originals = [path for path in (*stream.files, Path(str(source))) if path.exists()]
    for path in (*_places(out, stream).values(), *(() if _is_folder(out) else (out,)), table_path(out)):
        if path.exists() and any(path.samefile(original) for original in originals):
            raise FileExistsError(f"{path} is what is watched; give another place")
        check_free(path, overwrite)
    return out


def _is_picture(out):
    return out.suffix != ".webm" and not out.is_dir() and can_write(out)


def _is_folder(out):
    return out.is_dir() or not out.suffix


def _places(out, stream):
    """Return {a picture's file: where it is written, drawn on}."""
    if _is_picture(out):
        return dict.fromkeys(stream.files, out)
    if not _is_folder(out):
        return {}
    names = [f.name if can_write(f) else f"{f.name}.png" for f in stream.files]
    return {file: out / name for file, name in zip(stream.files, names, strict=True)}


def _outputs(stream, out, names, overwrite):
    """Yield context managers of functions that take (seconds, frame, results)."""
    if out:
        yield _film_or_pictures(stream, out, overwrite)
        yield _table(stream, out, names, overwrite)
    if _wants_window(stream, out) and can_open_window():
        yield _window(stream)


def _wants_window(stream, out):
    return stream.kind == "camera" or not out


def table_path(out):
    """Return the Path of the table that belongs to a video, a picture or a folder of pictures."""
    return out / "faces.csv" if _is_folder(Path(out)) else Path(out).with_suffix(".csv")


@contextlib.contextmanager
def _film_or_pictures(stream, out, overwrite):
    places = _places(out, stream)
    if places:
        yield lambda seconds, frame, results: save_picture(
            places[stream.files[int(seconds)]], annotate(frame, results)
        )
        return
    with video(out, stream.rate, overwrite) as film:
        yield lambda seconds, frame, results: film(seconds, annotate(frame, results))


@contextlib.contextmanager
def _table(stream, out, names, overwrite):
    with table(table_path(out), names, bool(stream.files), overwrite) as note:

        def write(seconds, frame, results):
            file = (stream.files[int(seconds)].name,) if stream.files else ()
            note(seconds, results, *file)

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
            f'{" ".join(wheels)}`, then `python -m pip install "opencv-contrib-python<5"`'
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
