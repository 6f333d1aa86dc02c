"""Take out of an executed notebook what it shows: its figures, and its results beside the reports'."""

import base64
import re
from dataclasses import dataclass

from fer_kit.reports import FIGURE_TYPE, RESULT_TYPE


@dataclass(frozen=True)
class Picture:
    """A figure: its PNG bytes, file name, report id ("" for none), caption, and link to its cell."""

    png: bytes
    file: str
    report_id: str
    caption: str
    link: str


@dataclass(frozen=True)
class Result:
    """A number beside a report's: what `fer_kit.reports.show_item` was given, and a link to its cell."""

    report_id: str
    value: str
    note: str
    source: str
    profile: str
    section: str
    link: str


def gather(notebook, number):
    """Return (Pictures, Results) of an executed notebook whose `number` ("03") begins all file names.

    A picture is named by its report id or, without one, by the heading above it. Alt text is put
    into the notebook's outputs where there was none. A picture shown twice by one cell counts once.
    """
    pictures, results, names = [], [], set()
    for cell, section, output in _outputs(notebook):
        link = f"notebooks/{number}.html#cell-id={cell.get('id', '')}"
        data = output.get("data", {})
        if RESULT_TYPE in data:
            fields = dict(data[RESULT_TYPE])
            results.append(Result(fields.pop("id"), section=section, link=link, **fields))
        if "image/png" in data:
            shown = data.get(FIGURE_TYPE, {"id": "", "caption": section})
            output.metadata.setdefault("image/png", {}).setdefault("alt", shown["caption"])
            file = _new_name(f"{number}-{shown['id'] or _slug(section)}", names)
            png = base64.b64decode(data["image/png"])
            pictures.append(Picture(png, file, shown["id"], shown["caption"], link))
    return pictures, results


def title_of(notebook, fallback=""):
    """Return the first heading of a notebook, or `fallback`."""
    headings = (_heading(cell) for cell in notebook.cells if cell.cell_type == "markdown")
    return next((heading for heading in headings if heading), fallback)


def _outputs(notebook):
    """Yield (cell, heading above it, output) for every output, leaving out a picture's second showing."""
    section = ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            section = _heading(cell) or section
            continue
        seen = set()
        for output in cell.get("outputs", []):
            png = output.get("data", {}).get("image/png")
            if png is None or png not in seen:
                yield cell, section, output
            seen.add(png)


def _heading(cell):
    """Return the last heading in a markdown cell as plain text, "" when it has none."""
    found = re.findall(r"^#+\s+(.+?)\s*$", cell.source, flags=re.MULTILINE)
    return re.sub(r"[*`]|\$", "", found[-1]) if found else ""


def _slug(text):
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60] or "figure"


def _new_name(stem, names):
    """Return `stem.png`, or with -2, -3.. behind the stem when `names` has it, and put it into `names`."""
    count = 1
    while (name := f"{stem}-{count}.png" if count > 1 else f"{stem}.png") in names:
        count += 1
    names.add(name)
    return name
