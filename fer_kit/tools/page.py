"""Write what a run left: every notebook as HTML, its figures as files, and one page that shows it all."""

import base64
import platform
import re
from dataclasses import dataclass
from pathlib import Path

import jinja2

from fer_kit.reports import FIGURE_TYPE, REPORTED, RESULT_TYPE
from fer_kit.runtime.versions import versions

TEMPLATE = Path(__file__).with_name("page.html")

TEMPLATE_OF_A_NOTEBOOK = """{% extends "lab/index.html.j2" %}
{% block html_head_css %}
<style>@media print {
  .jp-Notebook pre { white-space: pre-wrap; overflow-wrap: anywhere; }
  .jp-Notebook .jp-RenderedHTMLCommon table { font-size: 7pt; }
  .jp-Notebook .jp-RenderedHTMLCommon :is(th, td) { padding: 0.3em 0.35em; }
}</style>
{% endblock %}
{% block data_png scoped %}
{% set alt = output | get_metadata("alt", "image/png") or "" %}
{{ super() | replace("<img ", '<img alt="' ~ (alt | escape_html) ~ '" ') }}
{% endblock %}"""
"""nbconvert's own, which leaves out the alt text of figures, and in print the ends of long lines and rows."""


def write_notebook(outcome, written):
    """Write an executed notebook to notebooks/NN.html and its figures to figures/NN-*.png.

    `written` is the `Written` of the folder. Figures that an earlier run left there of the same notebook are
    removed. Raises FileExistsError for a file of such a name that no run wrote.
    """
    from nbconvert import HTMLExporter

    number = outcome.path.name[:2]
    pictures, _ = gather(outcome.notebook, number)
    fresh = {f"figures/{picture.file}": picture.png for picture in pictures}
    written.keep_only(f"figures/{number}-*.png", fresh)
    for name, png in fresh.items():
        written.write(name, png)
    resources = {"metadata": {"name": title_of(outcome.notebook, outcome.path.stem)}}
    loader = jinja2.DictLoader({"notebook.html.j2": TEMPLATE_OF_A_NOTEBOOK})
    exporter = HTMLExporter(template_file="notebook.html.j2", extra_loaders=[loader])
    text, _ = exporter.from_notebook_node(outcome.notebook, resources=resources)
    text = re.sub(r'href="([0-9]{2})_\w+\.ipynb(#[^"]*)?"', r'href="\1.html\2"', text)
    written.write(f"notebooks/{number}.html", text.encode())


def write_page(outcomes, setting, seconds, written):
    """Write index.html for the outcomes so far into the folder of the `Written` and return its Path."""
    rows = []
    pictures = []
    results = []
    for outcome in outcomes:
        number = outcome.path.name[:2]
        shown, measured = gather(outcome.notebook, number)
        pictures += shown
        results += measured
        title = title_of(outcome.notebook, outcome.path.stem)
        rows.append({"number": number, "title": title, "outcome": outcome, "figures": len(shown)})
    text = render(rows, pictures, results, setting, seconds)
    written.write("index.html", text.encode())
    return written.folder / "index.html"


def render(rows, pictures, results, setting, seconds):
    """Return the page as HTML text."""
    order = list(REPORTED)
    shown = {result.report_id for result in results} | {picture.report_id for picture in pictures}
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        rows=rows,
        results=sorted(results, key=lambda r: order.index(r.report_id)),
        of_reports=sorted((p for p in pictures if p.report_id), key=lambda p: order.index(p.report_id)),
        others=[p for p in pictures if not p.report_id],
        missing=[report_id for report_id in order if report_id not in shown],
        reported=REPORTED,
        setting=setting,
        warning=warning(setting),
        versions=versions_in_words(),
        duration=duration,
        seconds=seconds,
    )


def warning(setting):
    """Return why this run's numbers are not to be held against the reports', "" when they may be."""
    reasons = []
    if setting.data == "sample":
        reasons.append("The faces are the built-in sample, drawn by the kit, not FER-2013.")
    if setting.profile == "smoke":
        reasons.append("Profile smoke only checks that everything runs.")
    return " ".join([*reasons, "The numbers below mean nothing beside the reports'."]) if reasons else ""


def versions_in_words():
    """Return the versions of Python and of the packages that decide a result, as text."""
    return ", ".join([f"Python {platform.python_version()}", *map(" ".join, versions().items())])


def duration(seconds):
    """Return a time in seconds as text: `8.2 s`, `3 min 20 s`, `2 h 05 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


# ---- what a notebook shows ----


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
    pictures = []
    results = []
    names = set()
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
