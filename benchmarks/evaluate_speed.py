"""How much longer `evaluate` takes than a bare `model.predict`: the target is at most 10 %.

    python benchmarks/evaluate_speed.py [MODEL] [--data PATH]

Scores the 3,589 PrivateTest faces with an untrained network, all of `Scores.as_json` included (twins,
intervals, calibration), and predicts the same faces bare, by turns, so that a busy machine slows both;
processor time hardly notices other work. The first call of each, which compiles, is not counted.
"""

import argparse
import time

import numpy as np

from fer_kit import build, evaluate, load_faces


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", default="kit-small", help="a name of models.MODELS")
    parser.add_argument("--data", help="the dataset; without it, what lies in data/, or the sample")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    faces, model = load_faces(options.data), build(options.model)
    test = faces.private_test.x

    def bare(batch_size):
        return lambda: model.predict(test, batch_size=batch_size, verbose=0)

    ways = {
        "evaluate": lambda: evaluate(model, faces, "PrivateTest").as_json(),
        "model.predict, batches of 256": bare(256),
        "model.predict, batches of 32 (Keras' default)": bare(32),
    }
    taken = {name: [] for name in ways}
    for _ in range(options.rounds + 1):
        for name, way in ways.items():
            start = time.perf_counter(), time.process_time()
            way()
            taken[name].append((time.perf_counter() - start[0], time.process_time() - start[1]))
    report(options.model, len(test), {name: np.array(times[1:]) for name, times in taken.items()})


def report(model, count, taken):
    """Print medians of each way, and evaluate's median ratio to it within a round."""
    ours = taken["evaluate"]
    print(f"{model}, {count:,} faces, {len(ours)} rounds: seconds of wall clock | of processor")
    for name, times in taken.items():
        (wall, cpu), (wall_ratio, cpu_ratio) = np.median(times, 0), np.median(ours / times, 0)
        print(f"{wall:6.2f} | {cpu:6.2f}  {name}; evaluate takes {wall_ratio:.2f}x | {cpu_ratio:.2f}x of it")


if __name__ == "__main__":
    main()
