"""The commands for those who teach with the kit: `labs`, `badges`, `guide`."""


def add_commands(commands):
    """Add the three commands to argparse's `commands`."""
    add_labs(commands)
    add_badges(commands)
    add_guide(commands)


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


def add_badges(commands):
    """Add `badges`."""
    command = commands.add_parser(
        "badges",
        help="write the repository's address into all badges",
        description="Write the address under [project.urls] in pyproject.toml into every Colab badge and "
        "clone line. Change it there when you teach from a copy of your own, then run this.",
    )
    command.set_defaults(command=badges)


def badges(options):
    """Rewrite the badges and name the files that changed."""
    from fer_kit.tools.badges import write_badges

    changed = write_badges()
    print("\n".join(map(str, changed)) or "All badges and clone lines are right.")
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
    from fer_kit.tools.guide import write_guide

    print(write_guide(options.times))
    return 0
