"""`python -m maintain COMMAND`: for whoever keeps the repository. Start it in the repository's folder."""

import argparse
import sys
from pathlib import Path

from fer_kit.tools.cli import run_command


def main(arguments=None):
    """Run the command that `arguments` (by default the process's own) name; return the exit status."""
    return run_command(new_parser().parse_args(arguments), "maintain")


def new_parser():
    """Return the argparse parser with one subcommand for each thing that maintainers do."""
    parser = argparse.ArgumentParser(prog="python -m maintain", description="Keep the repository up to date.")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for add in (add_keep, add_figures, add_guide, add_ship, add_badges):
        add(commands)
    return parser


def add_keep(commands):
    """Add `keep`."""
    command = commands.add_parser(
        "keep",
        help="put a finished run's small files among the records that come with the kit",
        description="Copy a finished run, without its model, to fer_kit/training/recorded/NAME.",
    )
    command.add_argument("run", metavar="RUN", help="the folder of the run")
    command.add_argument("name", metavar="NAME", help="the name of the record")
    command.set_defaults(command=keep)


def keep(options):
    """Copy the record."""
    from fer_kit.training import Run
    from maintain.ship import keep as keep_run

    print(keep_run(Run.open(options.run), options.name).folder)
    return 0


def add_figures(commands):
    """Add `figures`."""
    command = commands.add_parser(
        "figures",
        help="draw the reports' figures from the run records",
        description="Draw every figure of the reports that the run records hold, each with a sidecar, and "
        "the page that shows them. Trains and scores nothing.",
    )
    command.add_argument("--out", metavar="DIR", type=Path, default="figures", help="default: figures")
    command.set_defaults(command=figures)


def figures(options):
    """Draw the figures."""
    from maintain.figures import figures as draw

    print(f"{draw(options.out)} figures in {options.out}")
    return 0


def add_guide(commands):
    """Add `guide`."""
    command = commands.add_parser(
        "guide",
        help="write what was measured into the instructor guide",
        description="Keep the times.json that `run` leaves, then write the minutes of each lesson and the "
        "scores of the recorded runs as tables into notebooks/INSTRUCTORS.md.",
    )
    command.add_argument("times", nargs="*", metavar="FILE", help="a times.json that `run` left")
    command.set_defaults(command=guide)


def guide(options):
    """Redraw the tables and name the guide."""
    from maintain.guide import write_guide

    print(write_guide(options.times))
    return 0


def add_ship(commands):
    """Add `ship`."""
    command = commands.add_parser(
        "ship",
        help="put a finished run's model into the package, with its card",
        description="Store the best model of a run in half precision in fer_kit/models/weights, with its "
        "card.",
    )
    command.add_argument("run", metavar="RUN", help="the folder of the run")
    command.add_argument("name", metavar="NAME", help="the name to load it by")
    command.add_argument("--data", metavar="PATH", help="the dataset of the run (default: what is found)")
    command.set_defaults(command=ship)


def ship(options):
    """Store the weights and the card."""
    from fer_kit.data import load_faces
    from maintain.ship import ship as ship_run

    print(ship_run(options.run, options.name, load_faces(options.data)))
    return 0


def add_badges(commands):
    """Add `badges`."""
    command = commands.add_parser(
        "badges",
        help="write the repository's address into all badges",
        description="Write the address under [project.urls] in pyproject.toml into every Colab badge and "
        "clone line. Change it there when you teach from a copy of your own, then run this.",
    )
    command.set_defaults(command=badges)


def badges(_options):
    """Rewrite the badges and name the files that changed."""
    from maintain.badges import write_badges

    changed = write_badges()
    print("\n".join(map(str, changed)) or "All badges and clone lines are right.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
