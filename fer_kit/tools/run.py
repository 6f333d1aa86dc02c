"""Run every numbered notebook in order, on the data there is, and leave one page that shows what came out."""

import asyncio
import contextlib
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import nbformat
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError

from fer_kit.runtime import settings
from fer_kit.runtime.files import Written
from fer_kit.runtime.locks import locked
from fer_kit.tools.page import write_notebook, write_page
from fer_kit.tools.times import forecast, write_times

TOUR = "00,01,10,12,13,15"
"""The notebooks that run when nothing is asked for: each shows something, and together they take minutes."""

PAGES = ("index.html", "kernels.log", "times.json")
"""What a run writes beside the folders notebooks and figures."""


@dataclass
class Failure:
    """Where a notebook failed: the code cell's number, its first line, and the error, each as text."""

    cell: int
    line: str
    error: str

    def __str__(self):
        return f"cell {self.cell}: {self.line}\n{self.error}"


@dataclass
class Outcome:
    """What became of a notebook: `status` is `ok`, `FAILED`, `stopped` (Ctrl-C) or `not run`.

    `log` is what its kernel said outside of it, such as the last words of a crash.
    """

    path: Path
    notebook: nbformat.NotebookNode
    status: str = "not run"
    cells: int = 0
    seconds: float = 0.0
    failure: Failure | None = None
    log: bytes = b""


@dataclass(frozen=True)
class Setting:
    """What all notebooks of a run share: the dataset's name, its path, the profile's name, the folders.

    The page goes to `out`; lessons keep their runs below `root`.
    """

    source: str
    data: str
    profile: str
    out: Path
    root: Path

    @property
    def variables(self):
        """The environment variables that tell a kernel the same."""
        return {
            "FER_DATA": self.data,
            "FER_PROFILE": self.profile,
            "FER_OUT": str(self.root),
            "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        }


def run(only=None, data=None, profile=None, out=None, notebooks=None, overwrite=False):
    """Run the numbered notebooks, print a line for each, and show all on one page; return the exit status.

    A notebook that fails is named with its cell and error, the others still run.

    Args:
        only: The notebooks by number ("3", "03", "00,03", or a list). By default all, and without a profile
            either those of `TOUR`.
        data, profile: Stand for FER_DATA and FER_PROFILE; without any the profile is `smoke`.
        out: The folder of the page, index.html, and for FER_OUT. By default the page lies where the lessons
            keep their runs: in a folder for the dataset and the profile, see `settings.output_dir`.
        notebooks: The folder of the notebooks.
        overwrite: Replace files in `out` that no run wrote.

    Returns:
        0, 1 when a notebook failed, 130 after Ctrl-C.

    Raises:
        ValueError: For a number or profile that does not exist.
        FileExistsError: For files in `out` that would be replaced and that no run wrote.
        BlockingIOError: When another run writes into `out`.
        OSError: For a path that does not exist.
    """
    paths = find_notebooks(notebooks, only)
    asked = only or profile or settings.is_set("FER_PROFILE")
    tour = [] if asked else [path for path in paths if path.name[:2] in TOUR]
    paths = tour or paths
    setting = find_setting(data, profile, out)
    written = Written(setting.out, overwrite)
    written.check([*PAGES, *(f"notebooks/{path.name[:2]}.html" for path in paths)])
    print(f"Profile {setting.profile}: {settings.PROFILES[setting.profile].meaning}.")
    expected = forecast(paths, setting.profile)
    print(f"{expected}\n" if expected else "", flush=True)
    outcomes = [Outcome(path, nbformat.v4.new_notebook()) for path in paths]
    with locked(setting.out):
        written.write("kernels.log", b"")  # where nothing can be written, that is said before anything runs
        index = _run_all(outcomes, setting, written)
        write_times(outcomes, setting, written)
    print(f"\n{summary(outcomes)}")
    if tour:
        print("That was the tour. Every notebook: --profile smoke; in a class's length: --profile lab.")
    print(index)
    stopped = any(outcome.status == "stopped" for outcome in outcomes)
    return 130 if stopped else int(any(outcome.failure for outcome in outcomes))


def _run_all(outcomes, setting, written):
    """Run notebook after notebook, writing the page anew after each; return its Path."""
    began = time.monotonic()
    for count, outcome in enumerate(outcomes, 1):
        run_notebook(outcome, setting, Line(f"[{count}/{len(outcomes)}] {outcome.path.stem}"))
        write_notebook(outcome, written)
        written.write("kernels.log", b"".join(outcome.log for outcome in outcomes))
        index = write_page(outcomes, setting, time.monotonic() - began, written)
        if outcome.status == "stopped":
            break
    return index


def find_notebooks(folder=None, only=None):
    """Return the Paths of the numbered notebooks in `folder`, in order, all or those that `only` lists.

    Unless given, the folder is `notebooks/` here or beside the package; in a class's copy, which has none,
    it is `labs/`. Raises FileNotFoundError when there are none and ValueError for a number that no notebook
    has, or two have.
    """
    known = [root / name for name in ("notebooks", "labs") for root in (Path(), Path(__file__).parents[2])]
    folder = Path(folder or next(filter(Path.is_dir, known), known[0])).resolve()
    paths = sorted(folder.glob("[0-9][0-9]_*.ipynb"))
    if not paths:
        raise FileNotFoundError(f"no numbered notebooks in {folder}; start this in a copy of the repository")
    if only is not None:
        paths = _wanted(paths, only)
    for path, other in pairwise(paths):
        if path.name[:2] == other.name[:2]:
            both = f"{path.name} and {other.name}"
            raise ValueError(f"{folder} has {both} for notebook {path.name[:2]}; rename or move one of them")
    return paths


def _wanted(paths, only):
    """Return those of the notebooks whose numbers `only` lists."""
    wanted = str(only).split(",") if isinstance(only, (str, int)) else only
    wanted = [str(number).strip().rjust(2, "0") if str(number).strip() else "''" for number in wanted]
    numbers = {path.name[:2] for path in paths}
    unknown = [number for number in wanted if number not in numbers]
    if unknown:
        there = ", ".join(path.stem for path in paths)
        raise ValueError(f"no notebook {', '.join(unknown)}; there are {there}")
    return [path for path in paths if path.name[:2] in wanted]


def find_setting(data=None, profile=None, out=None):
    """Return the Setting of a run, with absolute paths, since kernels start in another folder."""
    from fer_kit.data.loading import check_outside, load_faces

    if profile is None:
        profile = settings.profile().name if settings.is_set("FER_PROFILE") else "smoke"
    elif profile not in settings.PROFILES:
        raise ValueError(f"no profile {profile!r}; there are {', '.join(settings.PROFILES)}")
    faces = load_faces(data)  # without `data` it says itself what it took
    if data:
        print(faces)
    path = data or settings.data_path()
    drawn = faces.source == "built-in sample"
    root = Path(out or settings.output_dir()).resolve()
    check_outside(root, path)
    page = root if out else settings.output_dir(faces, profile).resolve()
    source = f"{faces.source}, {len(faces):,} faces"
    return Setting(source, "sample" if drawn else str(Path(path).expanduser().resolve()), profile, page, root)


def run_notebook(outcome, setting, line):
    """Execute the notebook of `outcome` in a fresh kernel and write into `outcome` what became of it."""
    began = time.monotonic()
    source = "(before the first cell)"
    try:
        outcome.notebook = nbformat.read(outcome.path, as_version=4)
        client = new_client(outcome.notebook, outcome.path.parent, setting.variables)
        code = [i for i, c in enumerate(outcome.notebook.cells) if c.cell_type == "code" and c.source.strip()]
        with _kernel(client, outcome):
            for outcome.cells, index in enumerate(code, 1):
                source = outcome.notebook.cells[index].source
                line.show(f"cell {outcome.cells}/{len(code)} {time.monotonic() - began:.0f} s")
                client.execute_cell(outcome.notebook.cells[index], index)
            client.set_widgets_metadata()
        outcome.status = "ok"
    except KeyboardInterrupt:
        outcome.status = "stopped"
    except Exception as error:
        outcome.status = "FAILED"
        outcome.failure = Failure(outcome.cells, first_line(source), describe(error))
    outcome.seconds = time.monotonic() - began
    line.end(outcome)


@contextlib.contextmanager
def _kernel(client, outcome):
    """The kernel of a client, whose words outside of the notebook go into `outcome.log`."""
    with tempfile.TemporaryFile() as log:
        try:
            with client.setup_kernel(cleanup_kc=True, stdout=log, stderr=log):
                yield
        finally:
            log.seek(0)
            outcome.log = log.read()


def new_client(notebook, folder, variables, python=sys.executable):
    """Return a client that runs `notebook` in `folder`, by default in this Python, with `variables` set."""
    if sys.platform == "win32":  # its usual loop cannot wait for the sockets of a kernel
        asyncio.set_event_loop_policy(asyncio.WindowsSelectorEventLoopPolicy())
    manager = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=OnePython(variables, python))
    return NotebookClient(notebook, km=manager, timeout=None, resources={"metadata": {"path": str(folder)}})


class OnePython(KernelSpecManager):
    """Gives the kernel of the Python at a path, whatever kernels are installed on the machine."""

    def __init__(self, variables, python):
        super().__init__()
        self.python = python
        self.variables = {name: value.replace("$", "$$") for name, value in variables.items()}

    def get_kernel_spec(self, kernel_name):
        """Return the KernelSpec, whatever `kernel_name` is."""
        argv = [self.python, "-m", "ipykernel_launcher", "-f", "{connection_file}", "--log-level=50"]
        return KernelSpec(argv=argv, display_name="Python 3", language="python", env=self.variables)


class Line:
    """One line of progress: rewritten in a terminal, begun and completed in a log file.

    What was there is covered with spaces: some terminals of Windows print the codes that would erase it.
    """

    def __init__(self, title):
        self.title = f"{title:<44}"
        self.live = sys.stdout.isatty()
        self.longest = 0
        print(self.title, end="", flush=True)

    def show(self, state):
        """Show how far it is, in a terminal."""
        if self.live:
            self.longest = max(self.longest, len(state))
            print(f"\r{self.title} {state:<{self.longest}}", end="", flush=True)

    def end(self, outcome):
        """Complete the line with the outcome, and say below it where and why it failed."""
        cells = f"{outcome.cells} cell{'' if outcome.cells == 1 else 's'}"
        ended = f"{outcome.status:<8}{cells:>9} {outcome.seconds:7.1f} s"
        print(f"\r{self.title} {ended:<{self.longest}}" if self.live else f" {ended}")
        if outcome.failure:
            print("    " + str(outcome.failure).replace("\n", "\n    "), flush=True)


def first_line(source):
    """Return the first line of a cell that is neither empty nor a comment."""
    lines = [line.strip() for line in source.splitlines() if line.strip()]
    return next((line for line in lines if not line.startswith("#")), lines[0] if lines else "")


def describe(error):
    """Return an error as one short text for the progress line and the page."""
    if isinstance(error, CellExecutionError):
        return f"{error.ename}: {error.evalue}".strip()
    if isinstance(error, DeadKernelError):
        return "the kernel died, most often for want of memory; kernels.log beside the page may tell"
    return f"{type(error).__name__}: {error}"


def summary(outcomes):
    """Return the closing sentences: how many notebooks ran, and which failed where."""
    good = sum(outcome.status == "ok" for outcome in outcomes)
    lines = [f"{good} of {len(outcomes)} notebooks ran to their end."]
    for outcome in outcomes:
        if outcome.failure:
            first = f"{outcome.failure.error}".splitlines()[0]
            lines.append(f"FAILED {outcome.path.stem}, cell {outcome.failure.cell}: {first}")
    left = [outcome.path.stem for outcome in outcomes if outcome.status in ("stopped", "not run")]
    if left:
        lines.append(f"Stopped before the end of {', '.join(left)}.")
    return "\n".join(lines)
