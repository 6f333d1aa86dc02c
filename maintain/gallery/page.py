"""`python -m maintain figures`: draw the figures of the reports anew and write the page that shows them.

Writes <id>.png and <id>.json, its sidecar, for each figure, and README.md. Nothing is trained or scored.
"""

import io
import json
import re
from collections import Counter

import cv2
import matplotlib.pyplot as plt
import numpy as np

from fer_kit.models import pretrained
from fer_kit.plots import base
from fer_kit.reports import CITATIONS, REPORTED
from fer_kit.runtime.files import check_free, read_json, replacing, write_json
from fer_kit.studies.reproduction import protocol_table, result_table
from fer_kit.training.recipes import RECIPES
from fer_kit.training.records import RECORDS, Run
from maintain.gallery.drawing import draw_all

MADE = "Made by `python -m maintain figures`"
"""By this a README.md is known as written here."""

HEAD = f"""# The reports, reproduced

{MADE} from the run records in `fer_kit/training/recorded`: all results of
the kit come from them, and only the reports' numbers, those of the literature and the notes are written by
hand. Each figure has a sidecar, `.json`, that says what it comes from: for a run its record, dataset,
seed and versions.
Faces in figures are drawn by the kit: FER-2013's own may not be passed on.

## Results on FER-2013

*Report* is the number as printed. *Chosen on* is scored as the reports did, on the faces that chose
the epoch (PublicTest). *PrivateTest* is scored once, at the end, with one view of each face; *low* and
*high* are its 95 % interval. *Twin-free* leaves out faces with a pixel-identical twin in Training; the
reports' networks learned from those twins, as published ones do, the kit's own (kit-...) did not.
*Calibration error* is how far confidence and accuracy lie apart. Several seeds are averaged, and so are
their intervals.
One score has a standard error of about 0.8 points, the difference of two about 1.1. For two networks on
the same faces use the paired test of lesson 09. A dash: not measured, or under *twin-free* not
comparable, because twins were looked for in more faces than the network learned from.
*kit-vote* averages the probabilities of the kit's strongest networks; how many, PublicTest chose.
The files kit-small and kit-compact that come with the kit are trainings of the rows kit-small-taught and
kit-compact-taught; captions about drawn faces mean these files.
In murphy's rows another network with ImageNet's weights stands in for InceptionV3, whose file has to be
downloaded; the row gives its name and the width of its pictures. murphy-dropdisgust tells six emotions
apart, on faces without disgust: no other row answers the same questions.
hejslet's numbers stand beside the records that are nearest to the report, which learned from 5,000 faces
of each emotion, copies among them. The rows above these learned from all faces, changed anew in each epoch.
"""

PROTOCOLS = """## Strict, in ten views, and as published

PrivateTest, of one seed each. *Strict*: without the twins of test faces in Training, one view of each face.
*Ten views*: the same network (where it comes with the kit, the shipped file), its answers averaged over
each face shifted and mirrored (`evaluate --augment ten-crop`); it was scored once more for this.
*Published*: as many papers do, the twins kept in Training (`train --keep-twins`) and ten views. A dash:
not measured. Only numbers of one column may be compared, and kit-transfer was pretrained on ImageNet. The
last two rows are from [arXiv 1612.02903](https://arxiv.org/abs/1612.02903).
"""

DIARY = """## Notes on the kit's own records

- **How averaged weights are scored.** `ema` averages weights, and the average needs batch statistics of
  its own. They are those of unchanged faces, except in records that started before 28 November 2026, 04:30
  (provenance.json): {older}.
  These were scored with statistics of augmented faces and with dropout. The two kinds cannot be compared,
  so this page does not tell whether *light* or *strong* augmentation is better.
- **A network that never learned.** `studies/vgg-never-learned` is zhao's VGG by zhao's recipe on a GPU
  with JAX: from the first epoch on it gives all faces one emotion. Two steps of Adam had made its dense
  layers, which nothing normalises, confident and wrong, and where probabilities are clipped at 1e-7
  such mistakes have no gradient. With the kit's own cross-entropy (`fer_kit/training/losses.py`) it
  learns on both backends.
- **Profile lab, all faces.** `murphy-finetune` and `kit-transfer` were trained without a profile being
  set, so figures say *profile lab*. They learned from all Training faces (the second without twins).
- **Copies of faces.** `balanced-large`, `balanced-light`, `murphy-112-pixels-mild-copies` and lesson 07's
  *mild x10* learned from copies that were turned about a point half a pixel off the middle, zoomed to
  whole pixels (0.95 became 0.94) and half a grey level too dark. `augment_face` now does what it says, so
  these copies come out a little differently when the runs are made again.
- **Losses with smoothed labels** (kit-best, kit-compact, kit-transfer) are those of the smoothed labels, also
  on PublicTest. They lie higher, by 0.2 to 0.3 there, and cannot be compared with those of other recipes.
- **Contrast.** `hejslet-large`, `hejslet-light`, `murphy-finetune` and `kit-transfer` (not its seed 1)
  learned from faces whose contrast rose by up to a tenth and never fell: that is what one number means to
  Keras' `RandomContrast`. The *hejslet* layers now take 0.9 to 1.1 times, as the report does, so these
  runs come out a little differently when they are made again. With *strong* it still only rises, by up to
  a fifth.
- **Once is a hint.** Most rows were trained once. Where there are two seeds they differ on PublicTest by
  up to 0.9 points, and by 1.3 where the second was trained on other hardware (lesson 05). On PrivateTest
  those of kit-transfer differ by 1.6 points; between them the augmentation had changed as well
  (*Contrast*).
"""

MEASURED_ANEW = "2026-11-28T04:30"
"""When training began to measure the statistics of averaged weights on unchanged faces."""

SAME = 0.05
"""Pictures look the same when their pixels, 0-1, differ by less than this in the mean over each letter."""

RESULTS = r"(?s)(<!-- results: .*? -->\n).*?(<!-- end of results -->)"
"""The marks in the repository's README between which the results stand."""

HUMAN = "65 (60 to 70)"
"""Goodfellow et al. 2013, "Challenges in representation learning: a report on three contests"."""

COLUMNS = {"report": "{:.2%}"}
COLUMNS |= dict.fromkeys(("chosen on", "PrivateTest", "low", "high", "twin-free"), "{:.1%}")
COLUMNS |= {"macro-F1": "{:.3f}", "calibration error": "{:.3f}", "epochs": "{:.0f}", "seeds": "{:.0f}"}


def figures(out, records=RECORDS, overwrite=False):
    """Draw all figures into the folder `out`, write its README.md, and return how many there are.

    A README.md beside the folder gets the results between its two marks. Raises FileExistsError, unless
    `overwrite`, for a picture without the sidecar of a figure, and for a README.md of somebody's.
    """
    page = out / "README.md"
    if page.exists() and MADE not in page.read_text(encoding="utf-8"):
        check_free(page, overwrite)
    front = out.resolve().parent / "README.md"
    before = front.read_text(encoding="utf-8", errors="surrogateescape") if front.exists() else ""
    base.use_style()
    shown = []
    used = Counter()
    for drawn in draw_all(records):
        stem = drawn.report_id or "results"
        used[stem] += 1
        stem += f"-{used[stem]}" if used[stem] > 1 else ""
        about = {"report_id": drawn.report_id, "caption": drawn.caption} | drawn.made_from
        _write(drawn.figure, about, out / f"{stem}.png", overwrite)
        shown.append((stem, drawn))
    with replacing(page) as file:
        table = result_table(records)
        results = [HEAD, result_rows(table), "", _notes(table, records), ""]
        protocols = [PROTOCOLS, protocol_rows(records), ""]
        file.write("\n".join([*results, *protocols, _diary(records), *_gallery(shown)]).encode())
    if re.search(RESULTS, before):
        text = re.sub(RESULTS, lambda marks: f"{marks[1]}{front_page(out, table)}{marks[2]}", before)
        with replacing(front) as file:
            file.write(text.encode(errors="surrogateescape"))
    elif before:
        print(f"{front} has no place for results between <!-- results: --> and <!-- end of results -->")
    return len(shown)


def _diary(records):
    """The notes, with the names of the records that they are about."""
    runs = [Run(path.parent) for path in sorted(records.rglob("provenance.json"))]
    averaged = [run for run in runs if run.config["recipe"].get("ema")]
    older = [run.folder for run in averaged if run.provenance.get("started", "") < MEASURED_ANEW]
    return DIARY.format(older=", ".join(f"`{folder.relative_to(records).as_posix()}`" for folder in older))


def _write(figure, about, path, overwrite):
    """Write a figure with its sidecar, unless those that are there were made of the same and look the same.

    Another version of matplotlib writes other bytes, and moves the edges of letters a little.
    """
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=90, bbox_inches="tight", metadata={"Software": None})
    sidecar = path.with_suffix(".json")
    if not _is_sidecar(sidecar):
        check_free(path, overwrite)
        check_free(sidecar, overwrite)
    if path.exists() and sidecar.exists() and read_json(sidecar) == json.loads(json.dumps(about)):
        drawn.seek(0)
        new = plt.imread(drawn)
        old = plt.imread(path)
        if new.shape == old.shape and cv2.blur(np.abs(new - old), (9, 9)).max() < SAME:
            return
    with replacing(path) as file:
        file.write(drawn.getvalue())
    write_json(sidecar, about)


def _is_sidecar(path):
    """Whether a file says of the picture beside it that it was drawn here."""
    try:
        return "report_id" in read_json(path)
    except (OSError, ValueError, TypeError):
        return False


def front_page(out, table):
    """Return what the repository's README shows of the results: four rows that need no explanation."""
    if table.PrivateTest.isna().all():
        return ""
    card = pretrained.card("kit-small")
    scored = table.dropna(subset=["PrivateTest", "chosen on"])
    networks = scored[~scored.index.str.startswith("kit-vote")]
    best = networks.loc[networks["chosen on"].idxmax()]
    shipped = card["PrivateTest"]
    small = f"**kit-small** as it comes with the kit ({card['cost']['parameters']:,} parameters)"
    rows = {
        small: _in_hundred(shipped["accuracy"], *shipped["interval"]),
        f"**{best.name}**, the strongest single network": _in_hundred(best.PrivateTest, best.low, best.high),
        **_best_of_the_reports(networks.dropna(subset=["report"])),
        "people, as reported (Goodfellow et al. 2013)": HUMAN,
    }
    lines = ["", "| | of 100 test faces, recognised |", "|---|---|"]
    lines += [f"| {name} | {right} |" for name, right in rows.items()]
    page = f"[All networks, figures and records]({out.name}/README.md)."
    notes = "In brackets: the 95 % interval, for people as reported. The networks' faces are PrivateTest's. "
    notes += f"{_mean_over_seeds(card, table)}{_others_shipped()}{page}"
    return "\n".join([*lines, "", notes, "", ""])


def _best_of_the_reports(networks):
    """A row of `front_page` for the network with the highest score in a report, where one is recorded."""
    if networks.empty:
        return {}
    best = networks.loc[networks["report"].idxmax()]
    printed = f"{best.name}, a report's network trained by the kit (its report has {100 * best.report:.1f}, "
    return {
        f"{printed}on faces that also chose the network)": _in_hundred(best.PrivateTest, best.low, best.high)
    }


def _mean_over_seeds(card, table):
    """Return a sentence on the seeds of the network that is shipped, or "" where none is recorded."""
    mean = table.PrivateTest.get(card["recipe"], np.nan)
    if not np.isfinite(mean):
        return ""
    shipped = f"kit-small as it comes with the kit is one training by the recipe {card['recipe']}"
    return f"{shipped}; the mean of its recorded trainings is {100 * mean:.1f}. "


def _others_shipped():
    """A sentence on each other network whose weights come with the kit."""
    cards = [pretrained.card(name) for name in pretrained.shipped() if name != "kit-small"]
    sentences = (
        f"{card['name']} comes with it, too ({card['cost']['parameters']:,} parameters, "
        f"{100 * card['PrivateTest']['accuracy']:.1f}). "
        for card in cards
    )
    return f"{''.join(sentences)}The other networks come as records only. "


def _in_hundred(share, low, high):
    return f"{100 * share:.1f} ({100 * low:.0f} to {100 * high:.0f})"


def _notes(table, records):
    """Say which networks were trained for less than their recipe, and which ones vote."""
    record = table.record.dropna()
    votes = record.index.str.startswith("kit-vote")
    recipes = {name: Run(records / folder).config["recipe"] for name, folder in record[~votes].items()}
    full = {name: RECIPES[recipe["name"]].epochs for name, recipe in recipes.items()}
    done = {name: recipe["epochs"] for name, recipe in recipes.items() if recipe["epochs"] < full[name]}
    short = [f"{name} ({n} of {full[name]} epochs)" for name, n in done.items()]
    notes = [f"Trained for fewer epochs than the recipe asks: {', '.join(short)}."] if short else []
    if any(name.startswith("kit-transfer") for name in record.index):
        notes.append(
            "kit-transfer was pretrained on ImageNet, which is extra data, so kit-vote leaves it out."
        )
    with_more = "kit-vote with kit-transfer"
    if with_more in record:
        shares = [f"{100 * table['chosen on'][name]:.1f}" for name in (with_more, "kit-vote")]
        notes.append(
            "On PublicTest, which chooses, the vote with it has {} %, without it {} %.".format(*shares)
        )
    for name, folders in record[votes].items():
        names = folders.split(" + ")
        notes.append(f"{name}: the mean answer of {len(names)} networks, from {names[0]} to {names[-1]}.")
    return " ".join(notes)


def result_rows(table):
    """Return a `result_table` in Markdown."""
    lines = [f"| | {' | '.join(COLUMNS)} |", "|---" * (len(COLUMNS) + 1) + "|"]
    for name, row in table.iterrows():
        cells = [
            form.format(row[c]) if row.get(c, np.nan) == row.get(c) else "–" for c, form in COLUMNS.items()
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def protocol_rows(records):
    """Return `protocol_table` in Markdown."""
    table = protocol_table(records)
    lines = [f"| | {' | '.join(table.columns)} |", "|---|---:|---:|---:|"]
    for name, row in table.iterrows():
        cells = [f"{100 * share:.1f}%" if share == share else "–" for share in row]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _gallery(shown):
    """Lines of Markdown: each figure under its report, then the items that have none."""
    for report in ("", "zhao", "choudhari", "hejslet", "murphy", "kit"):
        mine = [(stem, d) for stem, d in shown if d.report_id.partition("-")[0] == report]
        if mine and report:
            yield f"## {report}\n"
            if report in CITATIONS:
                yield f"{CITATIONS[report]}.\n"
        for stem, drawn in mine:
            name = f"{drawn.report_id}: " if drawn.report_id else ""
            what = f"**{drawn.report_id}**: " if name else ""
            if drawn.report_id in REPORTED:
                what += f"{REPORTED[drawn.report_id].what}. "
            yield f"{what}{drawn.caption}\n\n![{name}{drawn.caption}]({stem}.png)\n"

    have = {drawn.report_id for _, drawn in shown}
    missing = [name for name in REPORTED if name not in have]
    yield "## Shown in the notebooks, not here\n"
    yield ", ".join(missing) + ".\n"
