"""How long each notebook took on which hardware: recorded by `run`, a table in the instructor guide."""

import re

from fer_kit.runtime.files import read_json, write_json
from fer_kit.session import HARDWARE_TYPE


def write_times(outcomes, setting):
    """Write `times.json` into a run's folder: seconds per notebook that ran to its end, and on what."""
    record = {
        "profile": setting.profile,
        "hardware": hardware(outcomes),
        "source": setting.source,
        "seconds": {o.path.stem: round(o.seconds, 1) for o in outcomes if o.status == "ok"},
    }
    write_json(setting.out / "times.json", record)


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


def keep_times(path, folder):
    """Add the record at `path` to that of the same profile and hardware in `folder`; new minutes win."""
    record = read_times(path)
    words = re.findall(r"[a-z0-9]+", f"{record['profile']} {record['hardware']}".lower())
    kept = folder / f"{'-'.join(words)}.json"
    before = read_times(kept) if kept.exists() else {}
    if before.get("source") == record["source"]:
        record["seconds"] = before["seconds"] | record["seconds"]
    write_json(kept, record)


def minutes_table(folder, lessons):
    """Return a Markdown table of the records in `folder`: a row for each of the `lessons` (Paths)."""
    records = [read_times(path) for path in sorted(folder.glob("*.json"))]
    if not records:
        return "No run has been recorded yet."
    heads = [f"`{record['profile']}`, {record['hardware']}" for record in records]
    lines = [["lesson", *heads], ["---"] + ["---:"] * len(records)]
    for path in lessons:
        times = [in_minutes(record["seconds"].get(path.stem)) for record in records]
        lines.append([f"[{path.name[:2]}]({path.name})", *times])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def in_minutes(seconds):
    """Return seconds as minutes in text: `< 1`, `12`, and a dash for None, where nothing was measured."""
    if seconds is None:
        return "–"
    return "< 1" if seconds < 60 else f"{seconds / 60:.0f}"
