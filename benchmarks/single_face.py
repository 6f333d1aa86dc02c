"""How long one face takes, by the way it is classified: the target is 0.15 ms a face through LiteRT.

    python benchmarks/single_face.py [MODEL] [--rounds N]

MODEL is a name of models.MODELS (untrained: weights do not change the time), a run folder or a .keras file.
All ways answer the same batches of 1 and of 8 faces, ten calls a turn, so that a busy machine slows all of
them. Printed are the median and the slowest call in milliseconds, milliseconds per face, and how many times
as long as LiteRT each way takes. The bar is for batches of 8 of kit-small; zhao reports 0.22 ms.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from fer_kit import build
from fer_kit.models import MODELS
from fer_kit.models.exporting import SUFFIXES, difference, export, fast, load_exported
from fer_kit.training.records import open_model

BAR = 0.15
TURN = 10


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", default="kit-small")
    parser.add_argument("--rounds", type=int, default=100)
    options = parser.parse_args()
    model = build(options.model) if options.model in MODELS else open_model(options.model)[0]
    ways = make_ways(model)
    for batch in (1, 8):
        faces = np.random.default_rng(0).integers(0, 256, (batch, 48, 48), np.uint8)
        report(batch, measure(ways, faces, options.rounds), model.name)


def make_ways(model):
    """Return {name: function of faces uint8 (N, 48, 48)}; what is not installed is left out, and said."""
    compiled = fast(model)
    ways = {
        "model.predict": lambda faces: model.predict(faces[..., None], verbose=0),
        "model(x, training=False)": lambda faces: np.asarray(model(faces[..., None], training=False)),
        "predict_on_batch": lambda faces: model.predict_on_batch(faces[..., None]),
        "compiled (fast)": compiled,
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, to in (("ONNX Runtime", "onnx"), ("LiteRT", "litert")):
            try:
                path = export(model, to, Path(folder) / f"model{SUFFIXES[to]}")
                ways[name] = load_exported(path)
                print(f"{name} differs from the compiled function by {difference(compiled, ways[name]):.1g}")
            except ImportError as error:
                print(f"without {name}: {error}")
    return ways


def measure(ways, faces, rounds):
    """Return {name: milliseconds}, one for each call; the first turn of each way is not counted."""
    taken = {name: [] for name in ways}
    for _ in range(-(-rounds // TURN) + 1):
        for name, way in ways.items():
            for _ in range(TURN):
                start = time.perf_counter()
                way(faces)
                taken[name].append(1000 * (time.perf_counter() - start))
    return {name: np.array(times[TURN:]) for name, times in taken.items()}


def report(batch, taken, model):
    """Print one line per way, and whether LiteRT stays under the bar."""
    best = np.median(taken["LiteRT"]) if "LiteRT" in taken else np.nan
    print(f"\n{model}, batches of {batch}: median ms a call | slowest | ms a face | times LiteRT")
    for name, times in taken.items():
        median = np.median(times)
        print(f"{median:8.3f} | {times.max():8.3f} | {median / batch:7.3f} | {median / best:6.1f}  {name}")
    if batch == 8 and "LiteRT" in taken:
        verdict = "reached" if best / batch <= BAR else "MISSED"
        print(f"LiteRT takes {best / batch:.3f} ms a face; the bar of {BAR} ms is {verdict}")


if __name__ == "__main__":
    main()
