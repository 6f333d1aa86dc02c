"""The commands for whoever keeps the repository: records kept, figures drawn, weights shipped."""

from pathlib import Path


def add_commands(commands):
    """Add `keep`, `figures` and `ship` to the command line."""
    command = commands.add_parser(
        "keep",
        help="put a finished run's small files among the repository's records",
        description="Copy a finished run, without its model, to figures/records/NAME.",
    )
    command.add_argument("run", metavar="RUN", help="the folder of the run")
    command.add_argument("name", metavar="NAME", help="the name of the record")
    command.set_defaults(command=keep)
    command = commands.add_parser(
        "figures",
        help="draw the reports' figures from the run records",
        description="Draw every figure of the reports that the run records hold, each with a sidecar, and "
        "the page that shows them. Trains and scores nothing.",
    )
    command.add_argument("--out", metavar="DIR", type=Path, default="figures", help="default: figures")
    command.set_defaults(command=figures)
    command = commands.add_parser(
        "ship",
        help="put a finished run's model into the package, with its card",
        description="Store the best model of a run in half precision in fer_kit/weights and write its card.",
    )
    command.add_argument("run", metavar="RUN", help="the folder of the run")
    command.add_argument("name", metavar="NAME", help="the name to load it by")
    command.add_argument("--data", metavar="PATH", help="the dataset of the run (default: what `run` takes)")
    command.set_defaults(command=ship)


def keep(options):
    """Copy the record."""
    from fer_kit.records import Run
    from fer_kit.records import keep as keep_record

    print(keep_record(Run.open(options.run), options.name).folder)
    return 0


def figures(options):
    """Draw the figures."""
    from fer_kit.tools.figures import figures as draw

    print(f"{draw(options.out)} figures in {options.out}")
    return 0


def ship(options):
    """Store the weights and the card."""
    from fer_kit.dataset import load_faces
    from fer_kit.tools.ship import ship as ship_run

    print(ship_run(options.run, options.name, load_faces(options.data)))
    return 0
