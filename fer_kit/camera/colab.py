"""The browser's camera in Google Colab, frame by frame, in an ordinary loop.

    camera = ColabCamera()
    for seconds, frame in camera:
        camera.show(pipeline.step(frame))

Colab's kernel cannot answer a widget while a cell runs, but a running cell can ask the page for a frame and
wait for it (google.colab.output.eval_js). The page is the one of JupyterLab: browser.js.
"""

import base64
import json
import time

from fer_kit.camera.browser import SCRIPT, in_words
from fer_kit.camera.sources import decode
from fer_kit.data.emotions import COLOURS

OPEN = """(async () => {
  const file = URL.createObjectURL(new Blob([SCRIPT], { type: "text/javascript" }));
  const { pull } = await import(file);
  const place = document.body.appendChild(document.createElement("div"));
  globalThis.ferKitCamera = pull(place, COLOURS);
  await ferKitCamera.start();
})()"""
"""What the page runs first, with the texts of SCRIPT and COLOURS put in."""


class ColabCamera:
    """Frames of the camera in the page, as long as nobody presses Stop: (seconds since the start, frame).

    A frame is uint8 RGB (H, W, 3). Leaving the loop, by an exception too, releases the camera. Raises
    ImportError outside of Colab, and OSError in the words of the page when there is no camera, it is not
    allowed, or it goes away.
    """

    def __init__(self):
        try:
            from google.colab import output
        except ImportError as error:
            message = "this is not Google Colab; in JupyterLab take camera.BrowserCamera"
            raise ImportError(message) from error
        self._run = output.eval_js
        self._answer = None

    def show(self, faces):
        """Have the page draw the faces, as `FacePipeline.step` returns them, on the last frame."""
        self._answer |= {"faces": in_words(faces)}

    def __iter__(self):
        script = json.dumps(SCRIPT.read_text(encoding="utf-8"))
        self._run(OPEN.replace("SCRIPT", script).replace("COLOURS", json.dumps(COLOURS)))
        start = time.monotonic()
        self._answer = None
        try:
            while "jpeg" in (sent := self._run(f"ferKitCamera.next({json.dumps(self._answer)})")):
                self._answer = {"run": sent["run"], "id": sent["id"], "faces": [], "error": ""}
                yield time.monotonic() - start, decode(base64.b64decode(sent["jpeg"]))
        finally:
            self._run("ferKitCamera.close()")
        if sent["failed"]:
            raise OSError(sent["why"])
