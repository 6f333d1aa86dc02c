"""The command line: `python -m fer_kit COMMAND`."""

import argparse
import contextlib
import json
import os
import sys

from fer_kit.data.emotions import USAGES
from fer_kit.runtime.settings import PROFILES
from fer_kit.training.recipes import RECIPES


def main(arguments=None):
    """Run the command that `arguments` (by default the process's own) name; return the exit status.

    A mistake of the user's, such as a path that does not exist, is one line on stderr and status 2.
    """
    return run_command(new_parser().parse_args(arguments))


def run_command(options, program="fer_kit"):
    """Run `options.command(options)` and return the exit status, mistakes of the user's put into words."""
    try:
        return options.command(options)
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, OSError, ImportError, MemoryError, ArithmeticError) as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{program}: stopped", file=sys.stderr)
        return 130


def new_parser():
    """Return the argparse parser with one subcommand for each thing the kit does."""
    parser = argparse.ArgumentParser(
        prog="python -m fer_kit",
        description="Facial expression recognition on FER-2013, from the command line.",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for add in (add_run, add_doctor, add_fetch, add_train, add_evaluate, add_export, add_watch, add_labs):
        add(commands)
    return parser


def add_run(commands):
    """Add `run`."""
    command = commands.add_parser(
        "run",
        help="run the notebooks and show everything on one page",
        description="Run every numbered notebook in order on the data found: --data, else FER_DATA, else "
        "data/, else the built-in sample. Writes figures, notebooks as HTML, and one page with all of it.",
    )
    command.add_argument("--only", metavar="NN", help="notebooks by number, such as 03 or 00,03")
    command.add_argument("--profile", choices=PROFILES, help=_profiles())
    command.add_argument("--data", metavar="PATH", help="the dataset: archive, folder, csv, or 'sample'")
    command.add_argument("--out", metavar="DIR", help="where everything is written (default: output)")
    command.set_defaults(command=run)


def run(options):
    """Run the notebooks; status 1 when one failed."""
    from fer_kit.tools.run import run as run_notebooks

    return run_notebooks(options.only, options.data, options.profile, options.out)


def add_doctor(commands):
    """Add `doctor`."""
    command = commands.add_parser(
        "doctor",
        help="examine a dataset",
        description="Count, find duplicates, twins, blanks and signs of tampering in a dataset, say what "
        "each finding means and what to do. Exit status 1 when there is an error among the findings.",
    )
    command.add_argument("path", metavar="PATH", help="the dataset: archive, folder, csv, or 'sample'")
    command.add_argument("--json", action="store_true", help="print the report as JSON")
    command.set_defaults(command=doctor)


def doctor(options):
    """Print the doctor's report; status 1 when a finding is an error."""
    from fer_kit.data.doctor import examine_path

    report = examine_path(options.path)
    print(json.dumps(report.as_json(), indent=2) if options.json else report)
    return int(any(finding.severity == "error" for finding in report.findings))


def add_fetch(commands):
    """Add `fetch`."""
    command = commands.add_parser(
        "fetch",
        help="download FER-2013",
        description="Download FER-2013 from Kaggle and check that it is the original.",
    )
    command.add_argument(
        "--to", metavar="DIR", default="data", help="the folder to put it in (default: data)"
    )
    command.set_defaults(command=fetch)


def fetch(options):
    """Download FER-2013."""
    from fer_kit.data.fetch import fetch as fetch_archive

    print(fetch_archive(options.to))
    return 0


def add_train(commands):
    """Add `train`."""
    command = commands.add_parser(
        "train",
        help="train a network by a recipe",
        description="Train a network on Training, selecting on PublicTest, and leave a run record. The same "
        "command given again goes on where training was interrupted.",
    )
    command.add_argument("name", metavar="NAME", help="the network, such as hejslet-light or kit-small")
    command.add_argument("--recipe", required=True, help=f"how to train: {', '.join(RECIPES)}")
    command.add_argument("--data", metavar="PATH", help="the dataset (default: what `run` takes)")
    command.add_argument("--epochs", type=_count, metavar="N", help="at most so many (default: the recipe's)")
    command.add_argument("--seed", type=int, default=0, metavar="N", help="of all randomness (default: 0)")
    command.add_argument("--drop", metavar="EMOTION", help="train without an emotion, such as disgust")
    command.add_argument("--per-emotion", type=_count, metavar="N", help="learn from so many faces of each")
    command.add_argument("--no-augment", action="store_true", help="show the faces as they are")
    several = "what a recipe with a teacher learns from; again for each further one"
    command.add_argument("--teacher", action="append", metavar="MODEL", help=several)
    command.add_argument("--out", required=True, metavar="RUN", help="the folder of the run record")
    command.add_argument("--retrain", action="store_true", help="begin anew although the run is finished")
    command.set_defaults(command=train)


def train(options):
    """Train; `fit` prints how it goes and how it ended."""
    from fer_kit.data.loading import load_faces
    from fer_kit.studies.data_size import take_sizes
    from fer_kit.training.loop import fit

    faces = load_faces(options.data)
    if options.drop:
        faces = faces.drop(options.drop)
    if options.per_emotion:
        (faces,) = take_sizes(faces, [options.per_emotion], options.seed).values()
    chosen = {"epochs": options.epochs, "seed": options.seed, "retrain": options.retrain}
    if options.no_augment:
        chosen["augment"] = None
    fit(options.name, faces, options.recipe, options.out, teacher=options.teacher, **chosen)
    return 0


def add_evaluate(commands):
    """Add `evaluate`."""
    command = commands.add_parser(
        "evaluate",
        help="score a trained network",
        description="Score a run or a model file on one usage of a dataset, or on any folder of faces by "
        "emotion. PrivateTest is scored only when asked for, and a run keeps count of how often.",
    )
    command.add_argument("model", metavar="MODEL", help="a run folder, a .keras file or a shipped name")
    command.add_argument("--data", metavar="PATH", help="the dataset (default: what `run` takes)")
    command.add_argument("--usage", choices=[*USAGES, "all"], help="which faces (default: PublicTest)")
    command.add_argument("--augment", choices=["flip", "ten-crop"], help="average over several views")
    command.add_argument("--json", action="store_true", help="print all scores as JSON")
    command.set_defaults(command=evaluate)


def evaluate(options):
    """Print the scores."""
    from fer_kit.data.loading import load_faces
    from fer_kit.evaluation.scoring import evaluate as score

    with contextlib.redirect_stdout(sys.stderr):  # so that stdout holds the scores alone
        faces = load_faces(options.data, allow_missing=True)
    scores = score(options.model, faces, options.usage, options.augment)
    print(json.dumps(scores.as_json(), indent=2) if options.json else scores)
    return 0


def add_export(commands):
    """Add `export`."""
    command = commands.add_parser(
        "export",
        help="write a network for a fast runtime",
        description="Write a network for LiteRT (.tflite) or ONNX Runtime (.onnx), and compare its answers "
        "with Keras' own.",
    )
    command.add_argument("model", metavar="MODEL", help="a run folder, a .keras file or a shipped name")
    command.add_argument("--to", required=True, choices=["litert", "onnx"], help="the runtime")
    command.add_argument("--out", metavar="FILE", help="default: the network's name, in this folder")
    command.set_defaults(command=export)


def export(options):
    """Export, and say what was written."""
    from fer_kit.models.exporting import export as write
    from fer_kit.training.records import open_model

    path = write(open_model(options.model)[0], options.to, options.out)
    print(f"{path}, {path.stat().st_size / 1024:.0f} KiB: faces uint8 (N, 48, 48, 1) to probabilities")
    return 0


def add_watch(commands):
    """Add `watch`."""
    command = commands.add_parser(
        "watch",
        help="see faces and emotions in pictures, a video or the camera",
        description="Find and follow faces and say what they show. Frames stay on this computer, and nothing "
        "is stored without --out.",
    )
    command.add_argument("source", metavar="SOURCE", help="a picture, a folder, a video, 0 (camera) or demo")
    command.add_argument("--out", metavar="OUT.webm", help="write the annotated video, and a table as .csv")
    command.add_argument(
        "--model", default="kit-small", help="a run folder, a model file, or a shipped model"
    )
    command.add_argument("--detector", default="mtcnn", help="mtcnn (default), haar or haar-alt2")
    command.set_defaults(command=watch)


def watch(options):
    """Watch, and print a summary."""
    from fer_kit.tools.watch import watch as watch_source

    return watch_source(options.source, options.out, options.model, options.detector)


def add_labs(commands):
    """Add `labs`."""
    command = commands.add_parser(
        "labs",
        help="write the notebooks for students, without solutions",
        description="Write the numbered notebooks as labs: a TODO cell in place of every solution, the "
        "checks kept. With --nbgrader, write an nbgrader course with solutions, checks and points instead.",
    )
    command.add_argument("--out", required=True, metavar="DIR", help="the folder to write to")
    command.add_argument("--only", metavar="NN", help="notebooks by number, such as 03 or 00,03")
    command.add_argument("--nbgrader", action="store_true", help="for nbgrader's generate_assignment")
    command.set_defaults(command=labs)


def labs(options):
    """Write labs or an nbgrader course, and say how many."""
    from fer_kit.tools.labs import write_labs
    from fer_kit.tools.marking import write_course

    write = write_course if options.nbgrader else write_labs
    notebooks = [path for path in write(options.out, options.only) if path.suffix == ".ipynb"]
    print(f"{len(notebooks)} lab{'s' * (len(notebooks) != 1)} in {options.out}")
    if options.nbgrader:
        print(f"Next: cd {options.out} && nbgrader generate_assignment {notebooks[0].parent.name}")
    return 0


def _count(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number


def _profiles():
    return "; ".join(f"{profile.name}: {profile.meaning}" for profile in PROFILES.values())
