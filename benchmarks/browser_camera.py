"""The whole way in a real browser: frames per second in Chromium and JupyterLab (target: 10 with 3 faces).

    python benchmarks/browser_camera.py [--seconds 20] [--faces 1 3] [--model RUN]

A made-up camera plays the moving faces, 640x480, 30 frames per second; the pipeline is MTCNN, KCF and
kit-small, and the kernel notes when it answers. --seconds 180 shows whether memory stays flat. Without
--model kit-small is untrained, which takes as long. The first 3 s, in which all is loaded, do not count.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from chromium import jupyterlab, launch, open_notebook, run_cell, write_film  # noqa: E402

CELLS = """
import sys
import time
sys.path.append({here!r})
from memory import peak
from fer_kit.camera.browser import BrowserCamera
from fer_kit.models.exporting import fast
from fer_kit.camera.pipeline import FacePipeline
from fer_kit.tools.watch import classifier

model = {model!r}
if model:
    classify, _ = classifier(model)
else:
    from fer_kit import build
    classify = fast(build("kit-small"))
pipeline = FacePipeline(classify)
log = open("log.txt", "w", buffering=1)

def step(frame):
    start = time.perf_counter()
    results = pipeline.step(frame)
    now = time.perf_counter()
    print(now, now - start, len(results), peak(), file=log)
    return results

camera = BrowserCamera(step)
camera
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--faces", type=int, nargs="+", default=[1, 3])
    parser.add_argument("--model", help="a run folder or a .keras file")
    options = parser.parse_args()
    for faces in options.faces:
        with tempfile.TemporaryDirectory() as folder:
            report(faces, measure(Path(folder), faces, options))


def measure(folder, faces, options):
    """Return the kernel's notes on each frame (N, 4): time, seconds of the pipeline, faces, most MB."""
    from playwright.sync_api import sync_playwright

    write_film(folder / "film.mjpeg", 120, faces)
    model = str(Path(options.model).resolve()) if options.model else None
    with (
        jupyterlab(folder, CELLS.format(model=model, here=str(Path(__file__).parent))) as address,
        sync_playwright() as playwright,
    ):
        page = launch(playwright, folder / "film.mjpeg").new_page()
        open_notebook(page, address)
        run_cell(page, 0)
        page.get_by_role("button", name="Start", exact=True).click()
        page.get_by_text("frames/s").wait_for(timeout=120_000)
        page.wait_for_timeout(1000 * (options.seconds + 3))
        page.get_by_role("button", name="Stop", exact=True).click()
        return np.loadtxt(folder / "log.txt")


def report(faces, log):
    """Print rate, slowest frame and memory."""
    log = log[log[:, 0] > log[0, 0] + 3]
    times, gaps = log[:, 0], np.diff(log[:, 0])
    rate = len(gaps) / (times[-1] - times[0])
    print(f"{faces} faces ({log[:, 2].mean():.1f} seen), {len(log)} frames: {rate:.1f} frames/s")
    print(f"  longest wait for an answer {1000 * gaps.max():.0f} ms")
    print(f"  pipeline alone: mean {1000 * log[:, 1].mean():.1f} ms, worst {1000 * log[:, 1].max():.0f} ms")
    print(f"  most memory: {log[0, 3]:.0f} MB after 3 s, {log[-1, 3]:.0f} MB at the end")


if __name__ == "__main__":
    main()
