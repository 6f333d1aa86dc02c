"""`python -m maintain animation`: the moving picture at the top of the README, made by the demo itself.

A public-domain portrait and two people that the kit draws, whose faces go from one emotion to the next;
boxes, labels and bars are what the shipped kit-small says of them. Nobody's picture but NASA's is needed.
"""

import cv2
import numpy as np
from PIL import Image

from fer_kit.camera.annotation import annotate
from fer_kit.camera.demo import portrait
from fer_kit.camera.detection import find_detector
from fer_kit.camera.pipeline import FacePipeline
from fer_kit.data.sample.people import draw_people
from fer_kit.models.exporting import fast
from fer_kit.models.pretrained import load_pretrained
from fer_kit.runtime.files import check_free, replacing

WIDTH = 948
HEIGHT = 190
LANE = 316
"""Pixels for each of the three people: a face, and beside it the bars of its seven probabilities."""
FACE = 128
WALL = (222, 226, 230)
RATE = 10
"""Frames a second."""
PEOPLE = {27: ("happy", "sad", "surprise"), 45: ("surprise", "happy", "sad")}
"""Drawn people, by their seeds, and the emotions that each shows in turn."""
COLOURS = 160


def frames(seconds_each=1.6):
    """Yield the frames of the animation before anything is drawn on them, uint8 RGB (190, 948, 3)."""
    steps = round(RATE * seconds_each)
    head = cv2.resize(portrait()[20:220, 120:320], (FACE, FACE), interpolation=cv2.INTER_AREA)
    turns = len(next(iter(PEOPLE.values())))
    for turn in range(turns):
        for step in range(steps):
            frame = np.full((HEIGHT, WIDTH, 3), WALL, np.uint8)
            sway = round(5 * np.sin(2 * np.pi * (turn * steps + step) / (turns * steps)))
            _lay(frame, head, 0, sway)
            strength = min(1.0, 2.4 * np.sin(np.pi * (step + 0.5) / steps))
            for place, (seed, emotions) in enumerate(PEOPLE.items(), 1):
                face = draw_people(emotions[turn], 1, seed, 1.2 * strength)[0]
                large = cv2.resize(face, (FACE, FACE), interpolation=cv2.INTER_CUBIC)
                _lay(frame, cv2.cvtColor(large, cv2.COLOR_GRAY2RGB), place)
            yield frame


def _lay(frame, picture, place, sway=0):
    left = place * LANE + 6 + sway
    frame[30 : 30 + FACE, left : left + FACE] = picture


def animation(path, overwrite=False):
    """Write the animation to `path`, a .gif, and return how often each emotion was seen, as a dict.

    Raises FileExistsError for a file that is there, unless `overwrite`, and ValueError for another ending.
    """
    if path.suffix != ".gif":
        raise ValueError(f"{path}: the animation is a .gif")
    check_free(path, overwrite)
    pipeline = FacePipeline(fast(load_pretrained("kit-small")), find_detector("mtcnn", longest=WIDTH))
    drawn = []
    seen = {}
    for frame in frames():
        results = pipeline.step(frame)
        for result in results:
            seen[result.emotion] = seen.get(result.emotion, 0) + 1
        drawn.append(Image.fromarray(annotate(frame, results)))
    several = np.vstack([np.asarray(page) for page in drawn[:: len(drawn) // 6]])
    palette = Image.fromarray(several).quantize(COLOURS, dither=Image.Dither.NONE)
    pages = [page.quantize(palette=palette, dither=Image.Dither.NONE) for page in drawn]
    with replacing(path) as file:
        pages[0].save(file, "GIF", save_all=True, append_images=pages[1:], duration=1000 // RATE, loop=0)
    return seen
