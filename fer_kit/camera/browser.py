"""The browser's camera in JupyterLab: frames come to Python, and what it sees in them is drawn in the page.

    camera = BrowserCamera(pipeline.step)
    camera                                   # as the last line of a cell: shows it, with a Start button

The other half of this module is browser.js, which draws and tells people what went wrong.
"""

import base64
import math
import threading
import traceback
from pathlib import Path

from fer_kit.camera.sources import decode
from fer_kit.data.emotions import COLOURS, colours_of

SCRIPT = Path(__file__).with_suffix(".js")


class BrowserCamera:
    """A camera in the page. `step` is called for every frame and tells who is to be seen in it.

    `step` takes a frame, uint8 RGB (H, W, 3), and returns faces with `id`, `box`, `emotion` and
    `probabilities`, as `FacePipeline.step` does. What it raises is shown in the page, and the stream goes on;
    `error` holds the last exception, for its whole traceback. `answered` counts frames. One kernel has one
    camera: a new one closes the one before. Raises ImportError, with what to install, without anywidget.
    """

    _open = None

    def __init__(self, step):
        self.step = step
        self.answered = 0
        self.error = None
        self._lock = threading.Lock()  # ipykernel 7 answers in a thread of its own, beside a busy cell
        if BrowserCamera._open:
            BrowserCamera._open.close()
        self.widget = _new_widget()
        self.widget.on_msg(self.answer)
        BrowserCamera._open = self

    def close(self):
        """Stop the camera and take it out of the page."""
        self.widget.close()

    def _repr_mimebundle_(self, **options):
        return self.widget._repr_mimebundle_(**options)

    def answer(self, widget, message, buffers=()):
        """Answer a frame {run, id, jpeg} of the page through `widget.send`: {run, id, faces, error}.

        It answers whatever happens, because the page sends a third frame only after the first is answered.
        """
        answer = {"run": message.get("run"), "id": message.get("id"), "faces": [], "error": ""}
        try:
            with self._lock:
                faces = self.step(decode(base64.b64decode(message["jpeg"])))
                answer["faces"] = in_words(faces)
        except Exception as error:
            self.error = error
            answer["error"] = explain(error)
        except KeyboardInterrupt:
            answer["error"] = "Interrupted in the kernel"
            raise
        finally:
            self.answered += 1
            widget.send(answer)


def in_words(faces):
    """Return faces as plain lists and numbers, as JSON can carry them.

    Raises ValueError when a probability is not a number.
    """
    plain = [
        {
            "id": int(face.id),
            "box": [int(n) for n in face.box],
            "emotion": str(face.emotion),
            "probabilities": [float(p) for p in face.probabilities],
            "colours": [list(pair) for pair in colours_of(face.names).items()],
        }
        for face in faces
    ]
    for face in plain:
        if not all(map(math.isfinite, face["probabilities"])):
            raise ValueError(
                f"face {face['id']} has probabilities that are NaN or infinite: {face['probabilities']}"
            )
    return plain


def explain(error):
    """Return an exception in one line: its type, its message, and the line of the function that raised it."""
    place = traceback.extract_tb((error.__cause__ or error).__traceback__)[-1]
    where = f"line {place.lineno} of {place.name}"
    return f"{type(error).__name__}: {error} ({where}). The whole traceback: raise camera.error"


def _new_widget():
    try:
        import anywidget
        import traitlets
    except ImportError as error:
        message = 'the camera in JupyterLab needs anywidget: pip install "fer-kit[camera]"'
        raise ImportError(message) from error

    class Widget(anywidget.AnyWidget):
        _esm = SCRIPT.read_text(encoding="utf-8")
        colours = traitlets.Dict(COLOURS).tag(sync=True)

    return Widget()
