"""A real Chromium with a made-up camera and a real JupyterLab, for the browser tests and their benchmark."""

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import cv2
import nbformat

from fer_kit.camera.demo import moving_faces

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP lab.example 127.0.0.1",  # a name that is not localhost: no camera over http
]
ALLOWED, CAMERA = "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"


def launch(playwright, film, flags=(ALLOWED, CAMERA)):
    """Start a Chromium whose camera, if `flags` give it one, plays `film` again and again."""
    plays = [f"--use-file-for-fake-video-capture={film}"] * (CAMERA in flags)
    return playwright.chromium.launch(executable_path=PROGRAM, args=[*FLAGS, *flags, *plays])


def write_film(path, frames, faces=1):
    """Write the synthetic video as the camera's film; return the true boxes, a list per frame.

    Each frame bears its number, so that it can be told which one stands in a page.
    """
    boxes = []
    with path.open("wb") as file:
        for number, (frame, truth) in enumerate(moving_faces(frames, faces)):
            for bit in range(10):
                frame[464:480, 16 * bit : 16 * bit + 16] = 255 * (number >> bit & 1)
            file.write(cv2.imencode(".jpg", frame[..., ::-1])[1].tobytes())
            boxes.append(truth)
    return boxes


def number_of(frame):
    """The number that is written as ten black or white squares into the lower left corner of a frame."""
    return sum(int(frame[464:480, 16 * bit : 16 * bit + 16].mean() > 128) << bit for bit in range(10))


@contextlib.contextmanager
def jupyterlab(folder, *cells):
    """Start a JupyterLab in an empty folder with a notebook of these code cells; give its address."""
    cells = [nbformat.v4.new_code_cell(text.strip()) for text in cells]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    nbformat.write(notebook, folder / "camera.ipynb")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    options = f"--no-browser --allow-root --ip=127.0.0.1 --port={port} --IdentityProvider.token={token}"
    command = [sys.executable, "-m", "jupyterlab", *options.split(), "--LabApp.expose_app_in_browser=True"]
    own = {name: str(folder / name) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")}
    log = folder / "lab.log"
    with log.open("wb") as file:
        server = subprocess.Popen(command, cwd=folder, env=os.environ | own, stdout=file, stderr=file)
    try:
        _wait_for(f"http://localhost:{port}/api/status?token={token}", server, log)
        yield f"http://localhost:{port}/lab/tree/camera.ipynb?token={token}"
    finally:
        server.terminate()
        server.wait(30)


def _wait_for(address, server, log, seconds=90):
    end = time.monotonic() + seconds
    while time.monotonic() < end and server.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()}")


def open_notebook(page, address):
    """Open the notebook of `jupyterlab` in a page."""
    page.goto(address)
    page.wait_for_function("window.jupyterapp?.shell?.currentWidget?.sessionContext", timeout=90_000)


def run_cell(page, index):
    """Run one cell of the open notebook and wait until it is done."""
    page.evaluate(
        """async (index) => {
            const notebook = jupyterapp.shell.currentWidget;
            await notebook.context.ready;
            await notebook.sessionContext.ready;
            notebook.content.activeCellIndex = index;
            notebook.content.deselectAll();
            await jupyterapp.commands.execute("notebook:run-cell");
        }""",
        index,
    )
