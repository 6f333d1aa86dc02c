"""The browser's camera in a real Chromium with a made-up camera: in a bare page, in JupyterLab, as in Colab.

The camera plays the synthetic video, each frame marked with its number, so that the true box is known
for whatever picture stands in the page.
"""

import base64
import functools
import http.server
import inspect
import json
import re
import sys
import threading
import types

import numpy as np
import pytest
from chromium import (
    ALLOWED,
    CAMERA,
    PROGRAM,
    jupyterlab,
    launch,
    number_of,
    open_notebook,
    run_cell,
    write_film,
)

from fer_kit.camera.boxes import overlap
from fer_kit.camera.browser import SCRIPT
from fer_kit.camera.pipeline import FaceResult
from fer_kit.camera.sources import decode
from fer_kit.data.emotions import COLOURS, EMOTIONS

sync_api = pytest.importorskip("playwright.sync_api", reason="no playwright, which drives the browser")
pytestmark = pytest.mark.skipif(not PROGRAM, reason="no Chromium: apt-get install chromium")

FRAMES = 120
RECORD_STREAMS = """
window.tracks = [];
const ask = navigator.mediaDevices?.getUserMedia.bind(navigator.mediaDevices);
if (ask) navigator.mediaDevices.getUserMedia = async (wish) => {
  const stream = await ask(wish);
  window.tracks.push(...stream.getTracks());
  return stream;
};
window.liveTracks = () => window.tracks.filter((track) => track.readyState === "live").length;
"""


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """The file the made-up camera plays, and the true box of each of its frames."""
    path = tmp_path_factory.mktemp("film") / "film.mjpeg"
    return path, [boxes[0] for boxes in write_film(path, FRAMES)]


@pytest.fixture(scope="module")
def playwright():
    with sync_api.sync_playwright() as started:
        yield started


@pytest.fixture
def browser(playwright, film, request):
    """A Chromium; `request.param` are the flags that decide about its camera."""
    browser = launch(playwright, film[0], getattr(request, "param", (ALLOWED, CAMERA)))
    yield browser
    browser.close()


# ---- the script alone, in a bare page ----


@pytest.fixture(scope="module")
def site():
    """The port of a small web server for the kit's own folder."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

        def do_GET(self):
            if self.path != "/":
                return super().do_GET()
            self.send_response(200)
            self.end_headers()
            return self.wfile.write(b"<title>a page</title><body></body>")

    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, directory=SCRIPT.parent)
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()


def bare_page(browser, site, host="localhost"):
    """A page with a connected camera `camera` that is not started; its frames go to the list `sent`."""
    page = browser.new_page()
    page.add_init_script(RECORD_STREAMS)
    page.goto(f"http://{host}:{site}/")
    page.evaluate(
        """async (colours) => {
            const { connect } = await import("/browser.js");
            window.sent = [];
            window.camera = connect(document.body, colours, { send: (frame) => sent.push(frame) });
        }""",
        COLOURS,
    )
    return page


def status(page):
    return page.locator("[role=status]").inner_text()


def wait_for(page, condition, seconds=20):
    page.wait_for_function(condition, timeout=1000 * seconds)


@pytest.mark.parametrize(
    ("browser", "host", "told"),
    [
        ((CAMERA, "--deny-permission-prompts"), "localhost", "not allowed to use the camera"),
        ((ALLOWED,), "localhost", "No camera was found"),
        ((ALLOWED, CAMERA), "lab.example", "plain http from lab.example"),
    ],
    indirect=["browser"],
    ids=["denied", "none", "insecure"],
)
def test_why_there_is_no_camera_is_told_in_words(browser, site, host, told):
    page = bare_page(browser, site, host)
    page.get_by_role("button", name="Start").click()
    page.get_by_text(told).wait_for(timeout=10_000)
    assert page.get_by_role("button", name="Start").is_visible()
    assert page.evaluate("sent.length") == 0


def test_two_frames_are_in_flight_and_the_stream_outlives_a_lost_answer(browser, site):
    page = bare_page(browser, site)
    page.evaluate(
        "window.skip = 0; performance.now = (now => () => now() + skip)(performance.now.bind(performance))"
    )
    page.get_by_role("button", name="Start").click()
    wait_for(page, "sent.length === 2")
    page.wait_for_timeout(300)
    assert page.evaluate("sent.length") == 2, "a third frame was sent before an answer"
    frame = decode(base64.b64decode(page.evaluate("sent[0].jpeg")))
    assert frame.shape == (480, 640, 3) and number_of(frame) < FRAMES
    page.evaluate("skip = 61_000")
    page.get_by_text("No answer for 60 s").wait_for(timeout=5000)
    wait_for(page, "sent.length === 4")


ANSWERS = {
    "an emotion without a colour": [
        {"box": [9, 9, 80, 90], "emotion": "contempt", "probabilities": [0.5] * 7}
    ],
    "another number of emotions": [{"box": [9, 9, 80, 90], "emotion": "calm", "probabilities": [0.4, 0.6]}],
    "no probabilities": [{"box": [9, 9, 80, 90], "emotion": "happy"}],
    "no box": [{"emotion": "happy", "probabilities": [1.0] * 7}],
    "no list": None,
}


def test_no_answer_holds_up_the_stream(browser, site):
    page = bare_page(browser, site)
    page.get_by_role("button", name="Start").click()
    for number, (name, faces) in enumerate(ANSWERS.items()):
        wait_for(page, f"sent.length >= {number + 2}")
        answer = {"faces": [{"id": 1, **face} for face in faces] if faces else faces, "error": ""}
        page.evaluate("([n, answer]) => camera.answer({ ...sent[n], ...answer })", [number, answer])
        wait_for(page, f"sent.length >= {number + 3}", seconds=5)
        assert ("cannot be drawn" in status(page)) == name.startswith("no "), name


def test_answers_after_stop_are_dropped_and_the_camera_is_released(browser, site):
    page = bare_page(browser, site)
    page.get_by_role("button", name="Start").click()
    wait_for(page, "sent.length === 2")
    assert page.evaluate("liveTracks()") == 1
    page.get_by_role("button", name="Stop").click()
    page.evaluate("camera.answer({ ...sent[0], faces: [], error: '' })")
    assert status(page) == "Stopped. The camera is released."
    assert not page.locator("canvas").is_visible()
    assert page.evaluate("liveTracks()") == 0


def test_a_stop_while_the_browser_still_asks_releases_the_camera_too(browser, site):
    page = bare_page(browser, site)
    page.evaluate("camera.start(); camera.stop()")
    wait_for(page, "tracks.length === 1 && liveTracks() === 0")
    assert not page.evaluate("camera.running()")


def test_a_camera_that_vanishes_is_told_and_can_be_started_again(browser, site):
    page = bare_page(browser, site)
    page.get_by_role("button", name="Start").click()
    wait_for(page, "sent.length === 2")
    page.evaluate("tracks[0].dispatchEvent(new Event('ended'))")
    assert "The camera went away" in status(page)
    page.get_by_role("button", name="Start").click()
    wait_for(page, "sent.length === 4")


def test_a_cell_that_is_cleared_releases_the_camera(browser, site):
    page = bare_page(browser, site)
    page.get_by_role("button", name="Start").click()
    wait_for(page, "sent.length === 2")
    page.evaluate("document.body.remove()")
    wait_for(page, "liveTracks() === 0")


# ---- in JupyterLab, with a real kernel ----

SETUP = f"""
import json
from fer_kit.camera.browser import BrowserCamera
from fer_kit.data.emotions import EMOTIONS
from fer_kit.camera.pipeline import FacePipeline

{inspect.getsource(number_of)}

def classify(faces):
    return [[float(emotion == "happy") for emotion in EMOTIONS] for _ in faces]

def step(frame):
    results = pipeline.step(frame)
    with open("seen.jsonl", "a") as file:
        file.write(json.dumps([number_of(frame), [result.box for result in results]]) + "\\n")
    return results
"""
SHOW = """
pipeline = FacePipeline(classify, "haar-alt2")
camera = BrowserCamera(step)
camera
"""
FAIL = """
pipeline.classify = lambda faces: int("three")
"""
SEEN = re.compile(r"frames/s, face \d+ happy")


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A JupyterLab of its own with these cells: its address and its folder."""
    pytest.importorskip("jupyterlab")
    pytest.importorskip("anywidget")
    folder = tmp_path_factory.mktemp("lab")
    with jupyterlab(folder, SETUP, SHOW, FAIL) as address:
        yield address, folder


def picture_in(page):
    """What stands on the canvas, as uint8 RGB (H, W, 3)."""
    url = page.locator("canvas").evaluate("canvas => canvas.toDataURL('image/png')")
    return decode(base64.b64decode(url.partition(",")[2]))


def is_drawn(picture, box, emotion="happy"):
    """Whether the box's four sides have the emotion's colour in their middle."""
    x, y, width, height = box
    colour = np.array(list(bytes.fromhex(COLOURS[emotion][1:])), int)
    middles = [
        (y + height // 2, x),
        (y + height // 2, x + width),
        (y + height, x + width // 2),
        (y, x + width // 2),
    ]
    return all(np.abs(picture[min(r, 479), min(c, 639)] - colour).max() < 40 for r, c in middles)


def test_in_jupyterlab(browser, lab, film):
    """One test, as a page and a kernel take their time: answers, boxes, errors, Stop, and running again."""
    address, folder = lab
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    page.add_init_script(RECORD_STREAMS)
    open_notebook(page, address)
    run_cell(page, 0)
    run_cell(page, 1)

    page.get_by_role("button", name="Start", exact=True).click()
    page.get_by_text(SEEN).wait_for(timeout=60_000)
    page.wait_for_timeout(1500)
    pictures = [picture_in(page) for _ in range(5)]
    seen = [json.loads(line) for line in (folder / "seen.jsonl").read_text().splitlines()]
    assert len(seen) >= 5, "hardly any frame was answered"
    for picture in pictures:
        number = number_of(picture)  # the film begins anew after its end, so a number may come more than once
        boxes = [box for one, found in seen for box in found if one == number and is_drawn(picture, box)]
        assert boxes, f"frame {number}: no box where the kernel saw the face"
        assert overlap(boxes[0], film[1][number]) > 0.5, f"frame {number}: the box is not on the face"

    run_cell(page, 2)
    page.get_by_text("classify gets faces").wait_for(timeout=10_000)
    assert "invalid literal for int" in status(page)

    run_cell(page, 1)
    page.get_by_role("button", name="Start", exact=True).wait_for()
    assert page.locator("canvas").count() == 1, "running the cell again left the old view"
    wait_for(page, "tracks.length === 1 && liveTracks() === 0")

    page.get_by_role("button", name="Start", exact=True).click()
    page.get_by_text(SEEN).wait_for(timeout=60_000)  # the old view's last frame may have taken the first id
    page.get_by_role("button", name="Stop", exact=True).click()
    wait_for(page, "tracks.length === 2 && liveTracks() === 0")
    assert status(page) == "Stopped. The camera is released."


# ---- in Colab, whose eval_js is stood in for by a bare page ----


@pytest.fixture
def colab(browser, site, monkeypatch):
    """A page and a module google.colab whose eval_js runs JavaScript in it, as Colab's does."""
    page = browser.new_page()
    page.add_init_script(RECORD_STREAMS)
    page.goto(f"http://localhost:{site}/")
    google, module = types.ModuleType("google"), types.ModuleType("google.colab")
    module.output = types.SimpleNamespace(eval_js=page.evaluate)
    monkeypatch.setitem(sys.modules, "google", google)
    monkeypatch.setitem(sys.modules, "google.colab", module)
    return page


def face(box=(100, 120, 80, 90)):
    probabilities = np.eye(len(EMOTIONS), dtype=np.float32)[EMOTIONS.index("happy")]
    return FaceResult(1, box, "happy", probabilities)


def test_colab_gives_frames_in_a_loop_and_draws_the_answers(colab):
    from fer_kit.camera.colab import ColabCamera

    camera, times, numbers = ColabCamera(), [], []
    for seconds, frame in camera:
        times.append(seconds)
        numbers.append(number_of(frame))
        camera.show([face()])
        if len(times) == 6:
            colab.get_by_role("button", name="Stop").click()
        elif len(times) == 5:
            drawn = picture_in(colab)
        colab.wait_for_timeout(500)
    assert len(set(numbers)) > 3 and times == sorted(times)  # a busy machine's camera may show one twice
    assert is_drawn(drawn, face().box)
    assert colab.evaluate("liveTracks()") == 0
    assert status(colab) == "Stopped. The camera is released."


def test_colab_releases_the_camera_when_the_loop_is_left(colab):
    from fer_kit.camera.colab import ColabCamera

    def look():
        for _ in ColabCamera():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        look()
    assert colab.evaluate("tracks.length") == 1
    assert colab.evaluate("liveTracks()") == 0


@pytest.mark.parametrize("browser", [(ALLOWED,)], indirect=True, ids=["none"])
def test_colab_without_a_camera_says_so(colab):
    from fer_kit.camera.colab import ColabCamera

    with pytest.raises(OSError, match="No camera was found"):
        next(iter(ColabCamera()))


def test_outside_of_colab_the_other_camera_is_named(monkeypatch):
    from fer_kit.camera.colab import ColabCamera

    monkeypatch.setitem(sys.modules, "google.colab", None)
    with pytest.raises(ImportError, match="BrowserCamera"):
        ColabCamera()
