"""How long the notebooks take: what a run leaves of it, and what earlier runs tell before one begins."""

import json

from fer_kit.runtime.files import read_json
from fer_kit.session import HARDWARE_TYPE
from fer_kit.tools.page import duration
from fer_kit.training.records import RECORDS, Run


def write_times(outcomes, setting, written):
    """Write `times.json` into a run's folder: seconds per notebook that ran to its end, and on what."""
    record = {
        "profile": setting.profile,
        "hardware": hardware(outcomes),
        "source": setting.source,
        "seconds": {o.path.stem: round(o.seconds, 1) for o in outcomes if o.status == "ok"},
    }
    written.write("times.json", (json.dumps(record, indent=2) + "\n").encode())


def hardware(outcomes):
    """Return the name of what the notebooks computed on, from the data in their setup cells' outputs."""
    cells = [cell for outcome in outcomes for cell in outcome.notebook.cells]
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    found = [output["data"][HARDWARE_TYPE] for output in outputs if HARDWARE_TYPE in output.get("data", {})]
    return found[0]["name"] if found else "unknown hardware"


def read_times(path):
    """Return a record of times as a dict. Raises ValueError, naming the file, when it is none."""
    record = read_json(path)
    missing = {"profile", "hardware", "source", "seconds"} - set(record)
    if missing:
        raise ValueError(f"{path} lacks {', '.join(sorted(missing))}; give a times.json that `run` wrote")
    return record


def forecast(paths, profile):
    """Return in words how long notebooks took before in a profile, "" where nothing was recorded.

    `paths` are the notebooks' Paths; the records lie in figures/times of their repository, and of several
    for a notebook the longest counts. `full` has no such record: its trainings have.
    """
    if profile == "full":
        return f"Nobody has timed all of it. The trainings recorded on a CPU took {_trainings()} together."
    folder = paths[0].parents[1] / "figures" / "times"
    records = [read_times(path) for path in sorted(folder.glob("*.json"))]
    records = [record for record in records if record["profile"] == profile]
    timed = {}
    machines = set()
    for path in paths:
        known = [record for record in records if path.stem in record["seconds"]]
        if known:
            slowest = max(known, key=lambda record: record["seconds"][path.stem])
            timed[path.stem] = slowest["seconds"][path.stem]
            machines.add(slowest["hardware"])
    if not timed:
        return ""
    several = "This notebook" if len(timed) == 1 else f"These {len(timed)} notebooks"
    untimed = len(paths) - len(timed)
    rest = f" {untimed} more were never timed." if untimed else ""
    took = duration(sum(timed.values()))
    return f"{several} took {took} on {' and '.join(sorted(machines))}.{rest}"


def _trainings():
    """Return in words how long all recorded trainings on a CPU took."""
    seconds = 0.0
    for config in RECORDS.glob("*/config.json"):
        run = Run(config.parent)
        if "CPU" in run.provenance["device"]:
            seconds += run.history.seconds.sum()
    return duration(seconds)
