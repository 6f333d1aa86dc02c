"""Write what was measured into the guides.

INSTRUCTORS.md gets minutes per lesson and what trained networks reach, ARCHITECTURE.md the rooms' sizes, and
teaching/ANSWERS.md the answers that the lessons give and the labs leave out.
"""

import re
from pathlib import Path

from fer_kit.runtime.files import read_json, replacing, write_json
from fer_kit.studies import tuning
from fer_kit.studies.reproduction import result_table
from fer_kit.tools.labs import has_tag, read, with_exercises
from fer_kit.tools.run import find_notebooks
from fer_kit.tools.times import read_times
from fer_kit.training.records import RECORDS, Run
from maintain.badges import repository

ANSWERS = """# Answers

Answers to the questions in the lessons' text and to the open exercises. The lessons show them folded, or as
solutions; the labs leave them out. Written by `python -m maintain guide`."""

LESSONS = {
    "zhao": "05",
    "choudhari": "04",
    "hejslet": "04",
    "murphy": "06",
    "kit": "05",
    "kit-transfer": "06",
    "kit-vote": "15",
    "murphy-dropdisgust": "07",
}
"""The lesson in which networks are trained, by their id or the first word of it."""


ENOUGH = 1000
"""Faces that a run has to learn from to be kept: lessons show on fewer how something works."""


CONFIRMING = ("08_tuning/tuned", "08_tuning/plain")
"""Runs that confirm what a search has found: each search has another winner, so they have no range."""


BEST = ", best trial"
"""What follows the name of a search: of its trials the best one counts."""


def write_guide(measured=(), root=None):
    """Redraw the tables of notebooks/INSTRUCTORS.md of the repository at `root` and return its Path.

    ARCHITECTURE.md, where there is one, gets the sizes of the package's rooms, and teaching/ANSWERS.md is
    written. Of `measured` (Paths), a `times.json` is kept in figures/times first, and what lessons trained in
    a folder in figures/lab.json. Raises FileNotFoundError for a path where nothing is, ValueError for a file
    that is no record of times and for a guide without a place for a table.
    """
    root = Path(root or repository())
    for path in map(Path, measured):
        if not path.exists():
            raise FileNotFoundError(f"there is no {path}; give a times.json or a folder that `run` wrote")
        if path.is_dir():
            keep_runs(path, root / "figures" / "lab.json")
        else:
            keep_times(path, root / "figures" / "times")
    guide = root / "notebooks" / "INSTRUCTORS.md"
    _redraw(guide, tables(root))
    architecture = root / "ARCHITECTURE.md"
    if architecture.exists():
        _redraw(architecture, {"sizes": sizes_table(root / "fer_kit")})
    with replacing(root / "teaching" / "ANSWERS.md") as file:
        file.write(answers_page(find_notebooks(root / "notebooks")).encode())
    return guide


def _redraw(path, drawn):
    try:
        text = with_tables(path.read_text(encoding="utf-8"), drawn)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    with replacing(path) as file:
        file.write(text.encode())


def tables(root):
    """Return {name: Markdown table} of what the records in a repository's figures/ hold."""
    return {
        "minutes": minutes_table(root / "figures" / "times", find_notebooks(root / "notebooks")),
        "results": results_table(RECORDS),
        "lab": lab_table(root / "figures" / "lab.json"),
    }


def keep_times(path, folder):
    """Add the record at `path` to that of the same profile, machine and data in `folder`; new minutes win."""
    record = read_times(path)
    place = f"{record['profile']} {record['hardware']} {_other_data(record)}"
    words = re.findall(r"[a-z0-9]+", place.lower())
    kept = folder / f"{'-'.join(words)}.json"
    before = read_times(kept) if kept.exists() else {}
    if before.get("source") == record["source"]:
        record["seconds"] = before["seconds"] | record["seconds"]
    write_json(kept, record)


def keep_runs(folder, kept):
    """Add the runs of lessons below `folder`, in `lab` on FER-2013, to the JSON `kept` by run and seed.

    Of a search that is over its best trial counts. Lessons 14 and 18 ask what FER-2013 has no labels for:
    their runs are kept whatever the faces. Raises ValueError when there is no run, or one that is damaged.
    """
    record = read_json(kept) if kept.exists() else {}
    found = {}
    for path in sorted(folder.resolve().rglob("provenance.json")):
        run = Run(path.parent)
        name = run_name(path.parent)
        if name and counts(run, name):
            source = run.provenance["dataset"]["source"]
            key = name if source == "fer2013.zip" else f"{name} ({source})", str(run.provenance["seed"])
            if key in found and not name.endswith(BEST):
                raise ValueError(
                    f"{folder} holds two runs {key[0]} with seed {key[1]}; give the folder of one"
                )
            found[key] = max(found.get(key, 0), run.best_accuracy)
    if not found:
        raise ValueError(f"{folder} holds no finished run of a lesson in `lab` on fer2013.zip")
    for (name, seed), accuracy in found.items():
        record.setdefault(name, {})[seed] = accuracy
    write_json(kept, record)


def counts(run, name):
    """Whether a run of a lesson is finished, of `lab`, and on enough faces of its question."""
    facts = run.provenance
    known = facts["dataset"]["source"] == "fer2013.zip" or name.startswith(("14/", "18/"))
    enough = facts.get("trained_on", {}).get("faces", 0) >= ENOUGH
    kept = known and enough and facts["profile"] == "lab" and run.finished
    return kept and (not name.endswith(BEST) or _is_over(run.folder.parent))


def _is_over(study):
    """Whether no trial of a study (Path) is still to end: one that comes could be the best."""
    return not set(tuning.table(study).state) & {"running", "queued"}


def run_name(folder):
    """Return the name of the run in a folder (Path), without profile, data and seed.

    That of `output/fer2013-9d0f2abe/lab/07/kit-quick/seed-1/plain` is `07/kit-quick/plain`. It is ""
    where the profile is another one, and for a run that confirms a search.
    """
    parts = folder.as_posix().split("/")
    labs = [k for k, part in enumerate(parts) if re.fullmatch(r"lab(-seed-\d+)?", part)]
    inside = parts[labs[-1] + 1 :] if labs else []
    name = "/".join(part for part in inside if not re.fullmatch(r"seed-\d+", part))
    name = re.sub(r"-seed-?\d+$|-with-[0-9a-f]{8}$", "", name)
    return "" if name in CONFIRMING else re.sub(r"/trial-.*", BEST, name)


def lab_table(kept):
    """Return a Markdown table of `keep_runs`' file: lowest and highest accuracy over the seeds."""
    if not kept.exists():
        return "No run has been recorded yet."
    lines = ["| lesson | run | seeds | lowest | highest |", "|---|---|---:|---:|---:|"]
    runs = [(_lesson(name), name, scores) for name, scores in read_json(kept).items() if scores]
    for lesson, name, scores in sorted(runs):
        low, high = percent(min(scores.values())), percent(max(scores.values()))
        lines.append(f"| {lesson} | {name} | {len(scores)} | {low} | {high} |")
    return "\n".join(lines)


def _lesson(name):
    """The lesson of a run or a row: its name begins with the lesson's number or with a key of `LESSONS`."""
    if name[:2].isdigit():
        return name[:2]
    item = name.partition(" ")[0]
    return LESSONS.get(item) or LESSONS.get(item.partition("-")[0], "–")


def minutes_table(folder, lessons):
    """Return a Markdown table of the records in `folder`: a row for each of the `lessons` (Paths)."""
    records = [read_times(path) for path in sorted(folder.glob("*.json"))]
    if not records:
        return "No run has been recorded yet."
    heads = [f"`{r['profile']}`, {r['hardware']}{_other_data(r)}" for r in records]
    lines = [["lesson", *heads], ["---"] + ["---:"] * len(records)]
    for path in lessons:
        times = [in_minutes(record["seconds"].get(path.stem)) for record in records]
        lines.append([f"[{path.name[:2]}]({path.name})", *times])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _other_data(record):
    """What follows the hardware in a record of times that was not made on FER-2013."""
    source = record["source"].partition(",")[0]
    return "" if source.startswith("fer2013") else f", {source}"


def in_minutes(seconds):
    """Return seconds as minutes in text: `< 1`, `12`, and a dash for None, where nothing was measured."""
    if seconds is None:
        return "–"
    return "< 1" if seconds < 60 else f"{seconds / 60:.0f}"


def sizes_table(package):
    """Return a Markdown table: for each room of the package at the Path `package` its modules and lines."""
    lengths = {}
    for path in sorted(package.rglob("*.py")):
        room = path.relative_to(package).parts[0].removesuffix(".py")
        lengths.setdefault(room, []).append(len(path.read_text(encoding="utf-8").splitlines()))
    rows = ["| | modules | lines, about |", "|---|---:|---:|"]
    rows += [f"| {room} | {len(lines)} | {_about(lines):,} |" for room, lines in lengths.items()]
    every = [count for lines in lengths.values() for count in lines]
    return "\n".join([*rows, f"| **all** | {len(every)} | {_about(every):,} |"])


def _about(lines):
    return max(100, round(sum(lines), -2))


def results_table(records):
    """Return a Markdown table of the recorded runs on the real FER-2013, in percent, and the reports'."""
    lines = ["| network | lesson | report | PublicTest | PrivateTest (95 %) | twin-free | epochs |"]
    lines.append("|---|---|---:|---:|---:|---:|---:|")
    found = result_table(records)
    if found.PrivateTest.isna().all():
        return "No run has been recorded yet."
    for report_id, row in found.dropna(subset=["PrivateTest"]).iterrows():
        interval = f"{percent(row['PrivateTest'])} ({percent(row['low'])} to {percent(row['high'])})"
        cells = [report_id, _lesson(report_id), percent(row["report"])]
        epochs = f"{row['epochs']:.0f}" if row["epochs"] == row["epochs"] else "–"
        cells += [percent(row["chosen on"]), interval, percent(row["twin-free"]), epochs]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def answers_page(lessons):
    """Return a page of the answers to questions of the prose and to open exercises of `lessons` (Paths)."""
    page = [ANSWERS]
    for path in lessons:
        notebook = read(path)
        page.append(f"## [{notebook.cells[0].source.splitlines()[0][2:]}](../notebooks/{path.name})")
        asked = ""
        for cell, exercise in with_exercises(notebook):
            if has_tag(cell, "reply") or (has_tag(cell, "solution") and cell.cell_type == "markdown"):
                text = exercise.cells[0].source if exercise and exercise.number else asked
                title, _, task = text.partition("\n")
                answer = re.sub(r"</?details>|<summary>.*?</summary>", "", cell.source).strip()
                quoted = "\n".join(f"> {line}".rstrip() for line in answer.splitlines())
                page += filter(None, (f"**{title.lstrip('# ')}**", task.strip(), quoted))
            elif cell.cell_type == "markdown" and not has_tag(cell, "hint"):
                asked = question_in(cell.source)
    text = "\n\n".join(page) + "\n"
    return re.sub(r"\]\((?!https?:|#|\.\./)", "](../notebooks/", text)


def question_in(text):
    """Return the last paragraph of a text that asks something, on one line, without its marks."""
    text = re.sub("^> ", "", text, flags=re.MULTILINE)
    paragraphs = [paragraph for paragraph in text.split("\n\n") if "?" in paragraph]
    return re.sub(r"\*\*|\s+", lambda found: " " if found[0].isspace() else "", (paragraphs or [text])[-1])


def percent(share):
    """Return a share, 0-1, in percent with one decimal, and a dash for NaN."""
    return f"{100 * share:.1f}" if share == share else "–"


def with_tables(text, drawn):
    """Return a guide's text with the tables `drawn`, {name: Markdown}, each between its two marks."""
    for name, table in drawn.items():
        begin = f"<!-- begin {name}: `python -m maintain guide` writes this -->"
        end = f"<!-- end {name} -->"
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not (found and closed):
            raise ValueError(f"there is no place for a table: put {begin} and {end} on lines of their own")
        text = f"{before}{begin}\n\n{table}\n\n{end}{after}"
    return text
