"""The command line: `python -m fer_kit COMMAND`."""

import argparse
import contextlib
import inspect
import io
import json
import os
import sys
from dataclasses import replace

from fer_kit import __version__
from fer_kit.data.emotions import USAGES
from fer_kit.data.usages import SHARE
from fer_kit.models.catalogue import find_architecture
from fer_kit.runtime.extras import extras_named
from fer_kit.runtime.names import command_line
from fer_kit.runtime.settings import PROFILES, choose_seed
from fer_kit.runtime.signals import as_interrupts
from fer_kit.runtime.stderr import plain_warnings, print_anywhere, start_keras
from fer_kit.training.recipes import RECIPES, find_recipe

INTERRUPTED = 130
"""The exit status after Ctrl-C, as shells have it."""


def main(arguments=None):
    """Run the command that `arguments` (by default the process's own) name; return the exit status.

    A mistake of the user's, such as a path that does not exist, is one line on stderr and status 2.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a letter that the terminal does not have is no error
            stream.reconfigure(errors="replace")
    about = "Facial expression recognition on FER-2013, from the command line."
    parser = new_parser("python -m fer_kit", about, COMMANDS)
    parser.add_argument("--version", action="version", version=f"fer-kit {__version__}")
    return run_command(parser.parse_args(arguments))


def run_command(options, program="fer_kit"):
    """Run `options.command(options)` and return the exit status, mistakes of the user's put into words.

    SIGTERM and SIGHUP end a command as Ctrl-C does.
    """
    print_anywhere()
    try:
        with command_line(), extras_named(), as_interrupts(), plain_warnings():
            return options.command(options) or 0
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, OSError, ImportError, MemoryError, ArithmeticError) as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{program}: stopped", file=sys.stderr)
        return INTERRUPTED


def new_parser(program, about, commands):
    """Return the argparse parser for `commands`, {function: its arguments}, as in `COMMANDS`.

    A command is called as its function is. The first line of the function's docstring stands in the list of
    commands, and all of it in the command's own help.
    """
    parser = argparse.ArgumentParser(prog=program, description=about)
    listed = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for function, arguments in commands.items():
        text = inspect.getdoc(function)
        command = listed.add_parser(function.__name__, help=text.partition(".")[0], description=text)
        command.set_defaults(command=function)
        for flags, settings in arguments:
            command.add_argument(*flags, **settings)
    return parser


def argument(*flags, **settings):
    """Return an entry of `COMMANDS`: what argparse's `add_argument` is to be given."""
    return flags, settings


# ---- the commands ----


def run(options):
    """Run notebooks and show everything on one page.

    Uses the data of --data, else FER_DATA, else data/, else the built-in sample. Without --only and a
    profile (--profile or FER_PROFILE) it runs six lessons in smoke, a tour of a few minutes; with a profile
    all of them: about ten minutes in smoke, hours in lab, hours to days in full. It says first how long they
    took elsewhere. Writes figures, notebooks as HTML, and one page with all of it.
    """
    from fer_kit.tools.run import run as run_notebooks

    return run_notebooks(
        options.only, options.data, options.profile, options.out, overwrite=options.overwrite
    )


def doctor(options):
    """Examine a dataset.

    Counts faces, finds duplicates, twins, blanks and signs of tampering, and says what each finding means and
    what to do. Exit status 1 for an error among the findings or in the files, 2 where there are none.
    """
    from fer_kit.data.doctor import examine_path

    try:
        report = examine_path(options.path, options.names)
    except ValueError as error:
        print(f"fer_kit: {error}", file=sys.stderr)
        return 1
    print(json.dumps(report.as_json(), indent=2) if options.json else report)
    return int(any(finding.severity == "error" for finding in report.findings))


def fetch(options):
    """Download FER-2013 from Kaggle and check that it is the original."""
    from fer_kit.data.fetch import fetch as fetch_archive

    print(fetch_archive(options.to))


def train(options):
    """Train a network by a recipe.

    Trains on Training, selects on PublicTest, and leaves a run record. If the dataset lacks a usage, part of
    Training is held out for it. Give the same command again to resume an interrupted training.
    """
    find_architecture(options.name)
    recipe = find_recipe(options.recipe)
    recipe = replace(recipe, without_twins=recipe.without_twins and not options.keep_twins)
    from fer_kit.data.loading import check_outside, load_faces
    from fer_kit.training.records import find_model

    for teacher in options.teacher or ():
        find_model(teacher)
    check_outside(options.out, options.data)
    faces = load_faces(options.data, **_reading(options), hold_out=options.hold_out or SHARE)
    _tell_notes(options, faces)
    seed = choose_seed(options.seed)
    start_keras()
    from fer_kit.training.loop import fit

    faces = _chosen_faces(options, faces, seed)
    chosen = {"epochs": options.epochs, "seed": seed, "retrain": options.retrain}
    if options.no_augment:
        chosen["augment"] = None
    if options.gaussian_init:
        chosen["gaussian_init"] = True
    run = fit(options.name, faces, recipe, options.out, teacher=options.teacher, **chosen)
    return 0 if run.finished else INTERRUPTED


def _chosen_faces(options, faces, seed):
    """Return of the FaceSet what `train` was asked to learn from, and the test faces."""
    from fer_kit.data.balancing import balance
    from fer_kit.studies.data_size import take_sizes

    for name in options.drop or ():
        faces = faces.drop(name)
    if options.per_emotion:
        (faces,) = take_sizes(faces, [options.per_emotion], seed).values()
    if options.balance:
        faces = balance(faces.training, options.balance, seed).join(faces[faces.usage != "Training"])
    return faces


def evaluate(options):
    """Score a trained network.

    Scores a run or a model file on one usage of a dataset, or on any folder of faces sorted by emotion.
    PrivateTest is scored only when asked for, and a run keeps count of how often. For a test set that the
    dataset lacks, the faces that `train` held out with the same --hold-out are held out again.
    """
    options.allow_missing = True
    from fer_kit.training.records import find_model

    find_model(options.model)
    from fer_kit.data.loading import load_faces

    with contextlib.redirect_stdout(io.StringIO() if options.json else sys.stdout):  # JSON says it, too
        faces = load_faces(options.data, **_reading(options), hold_out=options.hold_out or 0)
        faces = _with_usage(faces, options.usage)
        _tell_notes(options, faces)
    start_keras()
    from fer_kit.evaluation.scoring import evaluate as score

    scores = score(options.model, faces, options.usage, options.augment, names=options.outputs)
    print(json.dumps(scores.as_json(), indent=2) if options.json else scores)


def export(options):
    """Write a network for a fast runtime.

    For LiteRT (.tflite) or ONNX Runtime (.onnx); its answers are compared with Keras' own.
    """
    from fer_kit.training.records import emotions_of, find_model, open_model

    find_model(options.model)
    start_keras()
    from fer_kit.models.exporting import export as write

    network, _ = open_model(options.model)
    names = emotions_of(options.model, network, options.outputs)
    path = write(network, options.to, options.out, options.overwrite, names)
    print(f"{path}, {path.stat().st_size / 1024:.0f} KiB: faces uint8 (N, 48, 48, 1) to probabilities")


def watch(options):
    """See faces and emotions in pictures, a video or the camera.

    Finds and follows faces and says what they show. Frames stay on this computer, and nothing is stored
    without --out: a picture or a folder of pictures, drawn on, or a video (.webm), and a table as .csv.
    """
    from fer_kit.models.pretrained import EXPORTED
    from fer_kit.training.records import find_model

    if not options.model.endswith(EXPORTED):
        find_model(options.model)
    from fer_kit.camera.detection import check_detector

    check_detector(options.detector)
    from fer_kit.tools.watch import watch as watch_source

    chosen = {"model": options.model, "detector": options.detector, "overwrite": options.overwrite}
    return watch_source(options.source, options.out, names=options.outputs, **chosen)


def labs(options):
    """Write the notebooks for students, without solutions.

    Each solution is replaced by a TODO cell with a stub; the checks stay. With --nbgrader, writes an nbgrader
    course with solutions, checks and points instead.
    """
    from fer_kit.tools.labs import write_labs
    from fer_kit.tools.marking import write_course

    write = write_course if options.nbgrader else write_labs
    out = options.out or ("course" if options.nbgrader else "my-labs")
    written = write(out, options.only, overwrite=options.overwrite)
    notebooks = [path for path in written if path.suffix == ".ipynb"]
    print(f"{len(notebooks)} lab{'' if len(notebooks) == 1 else 's'} in {out}")
    if options.nbgrader:
        print(f"Next: cd {out} && nbgrader generate_assignment {notebooks[0].parent.name}")


def mark(options):
    """Mark a folder of labs that students handed in.

    Runs each notebook in and below the folder with its lesson's checks and writes a table of points (csv). A
    submission is a program that runs as you: mark in a container without a network.
    """
    from fer_kit.tools.submissions import mark as mark_folder

    print(mark_folder(options.folder, options.out, overwrite=options.overwrite, minutes=options.minutes))


def _reading(options):
    """Return what `load_faces` takes from the options of READING."""
    return {name: getattr(options, name) for name in ("names", "allow_missing", "votes", "soft")}


def _with_usage(faces, usage):
    """Hold out the usage to score where the dataset lacks it; a plain folder is scored as a whole."""
    from fer_kit.data.usages import hold_out, missing_usages

    plain = usage is None and set(faces.usage.tolist()) == {"Training"}
    wanted = usage or "PublicTest"
    return hold_out(faces) if wanted in missing_usages(faces) and not plain else faces


def _tell_notes(options, faces):
    """Print what was converted, left out, held out or assumed; `load_faces` says it itself without a path."""
    if options.data is not None:
        for note in faces.notes:
            print("Note:", note)


def share(text):
    """Return a share between 0 and 1 from the command line."""
    number = float(text)
    if not 0 < number < 1:
        raise argparse.ArgumentTypeError(f"{text} does not lie between 0 and 1")
    return number


def count(text):
    """Return a whole number of at least 1 from the command line."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number


def listed(text):
    """Return the words of a list with commas from the command line, a tuple of str."""
    return tuple(word.strip() for word in text.split(","))


# ---- what they take ----

ONLY = argument("--only", action="extend", type=listed, metavar="NN", help="notebooks, such as 03 or 00,03")
DATA = argument("--data", metavar="PATH", help="the dataset: archive, folder, csv, or 'sample'")
MODEL = argument("model", metavar="MODEL", help="a run folder, a .keras file or a shipped name")
OVERWRITE = argument("--overwrite", action="store_true", help="replace existing files")
OUTPUTS = argument("--outputs", type=listed, metavar="A,B,...", help="the emotions, in the order of outputs")
PROFILE_HELP = "; ".join(f"{profile.name}: {profile.meaning}" for profile in PROFILES.values())
SOURCE_HELP = "a picture, a folder, a video, 0 (camera), a camera's address (rtsp://...) or demo"
DROP_HELP = "train without an emotion, such as disgust; repeat the option for more"
TWINS_HELP = "learn from copies of test faces too, as many papers do"
BALANCE_HELP = "learn from N faces of each emotion: some left out, or altered copies added (hejslet)"
TEACHER_HELP = "a network to learn from, for recipes with a teacher; repeat the option for more"

READING = [
    argument(
        "--names", type=listed, metavar="A,B,...", help="the emotions of folders that are numbers, in order"
    ),
    argument("--allow-missing", action="store_true", help="accept usages that lack an emotion"),
    argument(
        "--hold-out", type=share, metavar="SHARE", help="part of Training for a missing usage (default: 0.1)"
    ),
    argument(
        "--votes", metavar="FILE", help="FER+'s fer2013new.csv: labels are what most of ten people chose"
    ),
    argument("--soft", action="store_true", help="with --votes: learn from the shares of the votes"),
]

COMMANDS = {
    run: [
        ONLY,
        argument("--profile", choices=PROFILES, help=PROFILE_HELP),
        DATA,
        argument("--out", metavar="DIR", help="where everything is written (default: below output)"),
        OVERWRITE,
    ],
    doctor: [
        argument("path", metavar="PATH", help="the dataset: archive, folder, csv, or 'sample'"),
        argument("--json", action="store_true", help="print the report as JSON"),
        READING[0],
    ],
    fetch: [
        argument("--to", metavar="DIR", default="data", help="the folder to put it in (default: data)"),
    ],
    train: [
        argument("name", metavar="NAME", help="the network, such as hejslet-light or kit-small"),
        argument("--recipe", required=True, help=f"how to train: {', '.join(RECIPES)}"),
        DATA,
        *READING,
        argument("--epochs", type=count, metavar="N", help="at most N epochs (default: the recipe's)"),
        argument("--seed", type=int, metavar="N", help="the random seed (default: FER_SEED, else 0)"),
        argument("--drop", action="append", metavar="EMOTION", help=DROP_HELP),
        argument("--per-emotion", type=count, metavar="N", help="learn from at most N faces of each emotion"),
        argument("--balance", type=count, metavar="N", help=BALANCE_HELP),
        argument("--no-augment", action="store_true", help="train without augmentation"),
        argument("--gaussian-init", action="store_true", help="first weights from N(0, 0.04) (zhao)"),
        argument("--keep-twins", action="store_true", help=TWINS_HELP),
        argument("--teacher", action="append", metavar="MODEL", help=TEACHER_HELP),
        argument("--out", required=True, metavar="RUN", help="the folder of the run record"),
        argument("--retrain", action="store_true", help="train again even if the run is finished"),
    ],
    evaluate: [
        MODEL,
        OUTPUTS,
        DATA,
        *READING,
        argument("--usage", choices=[*USAGES, "all"], help="default: PublicTest, of a plain folder all"),
        argument("--augment", choices=["flip", "ten-crop"], help="average over several views"),
        argument("--json", action="store_true", help="print all scores as JSON"),
    ],
    export: [
        MODEL,
        argument("--to", required=True, choices=["litert", "onnx"], help="the runtime"),
        argument("--out", metavar="FILE", help="default: the network's name, in this folder"),
        OVERWRITE,
        OUTPUTS,
    ],
    watch: [
        argument("source", metavar="SOURCE", help=SOURCE_HELP),
        argument("--out", metavar="OUT", help="a video (.webm), a picture or a folder, with a table"),
        OVERWRITE,
        argument("--model", default="kit-small", help="a run folder, a model file, or a shipped model"),
        argument("--detector", default="mtcnn", help="mtcnn (default), haar or haar-alt2"),
        OUTPUTS,
    ],
    labs: [
        argument("--out", metavar="DIR", help="the folder (default: my-labs; with --nbgrader: course)"),
        ONLY,
        OVERWRITE,
        argument("--nbgrader", action="store_true", help="for nbgrader's generate_assignment"),
    ],
    mark: [
        argument("folder", metavar="FOLDER", help="where the labs lie, in sub-folders or not"),
        argument("--out", metavar="FILE", help="the table (default: marks.csv in the folder)"),
        OVERWRITE,
        argument("--minutes", type=count, default=30, metavar="N", help="for one cell at most (default: 30)"),
    ],
}
