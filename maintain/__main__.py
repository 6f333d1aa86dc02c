"""`python -m maintain COMMAND`: for whoever keeps the repository. Start it in the repository's folder."""

import os
import sys
from pathlib import Path

from fer_kit.runtime.stderr import start_keras
from fer_kit.tools.cli import DATA, OVERWRITE, argument, new_parser, run_command


def main(arguments=None):
    """Run the command that `arguments` (by default the process's own) name; return the exit status."""
    parser = new_parser("python -m maintain", "Keep the repository up to date.", COMMANDS)
    return run_command(parser.parse_args(arguments), "maintain")


def keep(options):
    """Put a finished run's small files among the records that come with the kit.

    Copies the run, without its model, to fer_kit/training/recorded/NAME. A folder with a study of
    hyper-parameters goes to recorded/tuning/NAME.
    """
    from fer_kit.training import Run
    from maintain.ship import keep as keep_run
    from maintain.ship import keep_study

    if any(Path(options.run).glob("trial-*")):
        print(keep_study(options.run, options.name, overwrite=options.overwrite))
    else:
        print(keep_run(Run.open(options.run), options.name, overwrite=options.overwrite).folder)


def figures(options):
    """Draw the reports' figures from the run records.

    Every figure of the reports that the run records hold, each with a sidecar, and the page that shows them.
    Trains and scores nothing. A picture that was made of the same and looks the same is left alone.
    """
    start_keras()
    from maintain.gallery.page import figures as draw

    os.environ["FER_PROFILE"] = "full"  # stands on every figure, whatever is set where it is drawn
    print(f"{draw(options.out, overwrite=options.overwrite)} figures in {options.out}")


def guide(options):
    """Write what was measured into the instructor guide, and the lessons' answers onto one page.

    Keeps the times.json that `run` leaves and the scores of what lessons trained in `lab`, then writes them
    and the scores of the recorded runs as tables into notebooks/INSTRUCTORS.md, the answers into
    teaching/ANSWERS.md, and the sizes of the package's rooms into ARCHITECTURE.md.
    """
    from maintain.guide import write_guide

    print(write_guide(options.measured))


def ship(options):
    """Put a finished run's model into the package, with its card.

    Stores the best model of a run in half precision in fer_kit/models/weights.
    """
    start_keras()
    from fer_kit.data import load_faces
    from maintain.ship import ship as ship_run

    print(ship_run(options.run, options.name, load_faces(options.data), overwrite=options.overwrite))


def views(options):
    """Score a shipped network in ten views of each face, and add that to its record.

    Once only: PrivateTest is among the faces.
    """
    start_keras()
    from fer_kit.data import load_faces
    from fer_kit.models.pretrained import card
    from maintain.ship import add_views

    card(options.name)  # a wrong name is told before the faces are read
    print(add_views(options.name, load_faces(options.data)).folder)


def signatures(options):
    """Make FER-2013's signatures anew.

    They are how the kit knows the faces of FER-2013: hashes and measures, no images.
    """
    from fer_kit.data import load_faces
    from fer_kit.data.doctor.signatures import REFERENCE, Signatures

    faces = load_faces(options.data, cache=False)
    if len(faces) != len(Signatures.load().labels):
        raise ValueError(f"signatures are FER-2013's; give it with --data, not {faces.source}")
    Signatures.of(faces).save()
    print(f"{REFERENCE}: {len(faces):,} faces, {REFERENCE.stat().st_size / 1000:,.0f} kB")


def badges(_options):
    """Write the repository's address into all badges.

    The address under [project.urls] in pyproject.toml goes into every badge of Colab and Kaggle, every clone
    line and the citation. Change it there when you teach from a copy of your own, then run this.
    """
    from maintain.badges import write_badges

    changed = write_badges()
    print("\n".join(map(str, changed)) or "All badges and clone lines are right.")


def animation(options):
    """Make the moving picture of the README anew.

    Lets the demo run over a public-domain portrait and drawn people, and writes a GIF of it.
    """
    start_keras()
    from maintain.animation import animation as make

    seen = make(options.out, options.overwrite)
    print(f"{options.out}, {options.out.stat().st_size / 1024:.0f} KiB: {seen}")


def murphy(options):
    """Train murphy's experiments and kit-transfer on a backbone with ImageNet's weights.

    One run record each, scored once; a call that was interrupted resumes. Takes hours without a GPU.
    """
    start_keras()
    from fer_kit.data import load_faces
    from maintain.murphy import murphy as train_all

    train_all(load_faces(options.data), options.out)


def heads(options):
    """Train murphy's experiments on the frozen backbone with another seed, and score them once.

    Ten heads, a minute or two each; the backbone's features come first and take longer. The copies and parts
    of the faces that some of them learn from are the same with every seed.
    """
    start_keras()
    from fer_kit.data import load_faces
    from maintain.murphy import train_heads

    train_heads(load_faces(options.data), options.out, options.seed)


def spread(options):
    """Keep what murphy's experiments reached with several seeds.

    From folders that `heads` wrote, each with a seed of its own.
    """
    from maintain.murphy import keep_heads

    print(keep_heads(options.folders))


def tracking(_options):
    """Measure how fast lesson 12's pipeline is here, and keep it.

    On a made-up video, for zhao-track: frames a second, the worst frame, milliseconds for a face.
    """
    start_keras()
    from maintain.tracking import keep_speed

    print(keep_speed())


def site(options):
    """Build the site: lessons, labs, guide, figures and the API as pages to read, and a deck a lesson.

    Executes the lessons that changed, on drawn faces; the first time that takes a quarter of an hour.
    """
    from maintain.site import site as build

    print(build(options.out))


def methods(options):
    """Train lesson 07's methods for rare emotions with a seed, and keep what they reach.

    As in the profile lab, in which the lesson itself trains four of the seven.
    """
    os.environ["FER_PROFILE"] = "lab"
    start_keras()
    from fer_kit.data import load_faces
    from maintain.methods import keep_methods, train_methods

    train_methods(load_faces(options.data), options.out, options.seed)
    print(keep_methods([options.out]))


def riddle(options):
    """Make every mistake that could explain murphy's nineteen points with a seed, and keep what each gives.

    As in lesson 07 in the profile lab; the 1,500 faces are the same with every seed.
    """
    os.environ["FER_PROFILE"] = "lab"
    start_keras()
    from fer_kit.data import load_faces
    from maintain.methods import keep_riddle

    print(keep_riddle(load_faces(options.data), options.out, options.seed))


def classroom(options):
    """Write what students need, without solutions.

    A copy of the repository with labs in place of lessons, to be published under an address of its own.
    """
    from maintain.classroom import classroom as write

    print(write(options.out))


def setups(options):
    """Rehearse the kit on other set-ups.

    Runs the setup cell, lessons and commands there, in smoke, and prints a table: versions, what was changed,
    the shipped network's score on the drawn sample, seconds of each lesson.
    """
    from maintain.setups import setups as rehearse

    print(rehearse(options.setup, options.out.resolve()))


SEED = argument("--seed", metavar="N", type=int, required=True, help="the random seed")
RUN = argument("run", metavar="RUN", help="the folder of the run")

COMMANDS = {
    keep: [RUN, argument("name", metavar="NAME", help="the name of the record"), OVERWRITE],
    figures: [
        argument("--out", metavar="DIR", type=Path, default="figures", help="default: figures"),
        OVERWRITE,
    ],
    guide: [argument("measured", nargs="*", metavar="PATH", help="`run`'s times.json, or a folder of runs")],
    ship: [RUN, argument("name", metavar="NAME", help="the name to load it by"), DATA, OVERWRITE],
    views: [argument("name", metavar="NAME", help="a network that comes with the kit"), DATA],
    signatures: [DATA],
    badges: [],
    setups: [
        argument("setup", metavar="SETUP", nargs="+", help="NAME=PYTHON, or colab or kaggle: built here"),
        argument("--out", metavar="DIR", type=Path, required=True, help="where look-alikes and runs go"),
    ],
    site: [argument("--out", metavar="DIR", type=Path, required=True, help="where the site goes")],
    methods: [
        DATA,
        argument("--out", metavar="DIR", type=Path, required=True, help="where the runs go"),
        SEED,
    ],
    riddle: [
        DATA,
        argument("--out", metavar="DIR", type=Path, required=True, help="where the runs go"),
        SEED,
    ],
    classroom: [argument("--out", metavar="DIR", type=Path, required=True, help="where the copy goes")],
    murphy: [DATA, argument("--out", metavar="DIR", type=Path, required=True, help="where the runs go")],
    tracking: [],
    heads: [
        DATA,
        argument("--out", metavar="DIR", type=Path, required=True, help="where the runs go"),
        SEED,
    ],
    spread: [argument("folders", nargs="+", metavar="FOLDER", help="what `heads` wrote")],
    animation: [
        argument("--out", metavar="FILE", type=Path, default="figures/demo.gif", help="%(default)s"),
        OVERWRITE,
    ],
}

if __name__ == "__main__":
    sys.exit(main())
