"""`python -m maintain methods` and `riddle`: what two studies of lesson 07 give in `lab`, by seed."""

from pathlib import Path

import pandas as pd

from fer_kit.evaluation.scores import recorded_scores
from fer_kit.runtime import settings
from fer_kit.runtime.files import write_csv
from fer_kit.studies import gap, imbalance
from fer_kit.studies.common import PLAIN
from fer_kit.training.records import RECORDS, Run
from maintain.guide import counts

NAMES = {PLAIN if name == "none" else name.replace(" ", "-"): name for name in imbalance.METHODS}
"""The method by the folder of its run."""


def faces_of_lab(faces):
    """Return the faces that a lesson has in `lab`. Raises ValueError for faces that are not FER-2013's."""
    if faces.source != "fer2013.zip":
        raise ValueError(f"records are made on FER-2013; give --data fer2013.zip, not {faces.source}")
    return faces.per_usage(settings.PROFILES["lab"].faces)


def train_methods(faces, out, seed):
    """Train lesson 07's network by every method, as the lesson does in `lab`, below the Path `out`."""
    some = faces_of_lab(faces)
    epochs = settings.PROFILES["lab"].epochs
    folder = out / "07" / f"seed-{seed}"
    imbalance.compare_methods("kit-small", some, "kit-quick", folder, seed=seed, epochs=epochs)


def keep_riddle(faces, out, seed, records=RECORDS):
    """Make every mistake of lesson 07's last study with a seed, below the Path `out`; keep the table.

    Rows of this seed in the record are replaced. Returns the record's Path. Raises ValueError for faces that
    are not FER-2013's.
    """
    faces = faces_of_lab(faces)
    some = faces.training.sample(1500).join(faces.public_test).drop("disgust")
    folder = out / "07" / f"seed-{seed}" / "riddle"
    causes = gap.study_gap(gap.memorises, some, "zhao", folder, seed=seed, epochs=40).reset_index()
    causes.insert(1, "seed", seed)
    before = gap.recorded(records)
    if before:
        causes = pd.concat([before[0][before[0].seed != seed], causes]).sort_values("seed", kind="stable")
    path = Path(records) / gap.RECORD
    write_csv(path, causes.round(4), index=False)
    return path


def keep_methods(folders, records=RECORDS):
    """Add the runs of lesson 07 below `folders`, in `lab` on FER-2013, to the record; return its Path.

    A run of a method and seed that are recorded takes their place. A seed is kept when all methods have it,
    so that they are compared on the same seeds. Raises ValueError where there is no run, no such seed, or two
    runs of one method and seed.
    """
    rows = {}
    for path in sorted(found for folder in folders for found in Path(folder).rglob("provenance.json")):
        run = Run(path.parent)
        if run.folder.name in NAMES and "07" in run.folder.parts and counts(run, "07"):
            facts = run.provenance
            about = {"method": NAMES[run.folder.name], "seed": facts["seed"]}
            if (about["method"], about["seed"]) in rows:
                again = f"{run.folder} is a second run of {about['method']} with seed {about['seed']}"
                raise ValueError(f"{again}; give the folder of one")
            shares = {"images": facts["trained_on"]["faces"]} | imbalance.numbers(recorded_scores(run))
            rows[about["method"], about["seed"]] = about | shares
    where = " or ".join(map(str, folders))
    if not rows:
        raise ValueError(f"{where} holds no finished run of lesson 07's methods in `lab` on fer2013.zip")
    before = imbalance.recorded(records)
    for row in before[0].to_dict("records") if before else []:
        rows.setdefault((row["method"], row["seed"]), row)
    every = pd.Series([seed for name, seed in rows if name in imbalance.METHODS]).value_counts()
    seeds = sorted(every.index[every == len(NAMES)])
    if not seeds:
        raise ValueError(f"{where} holds no seed with all methods of lesson 07, run in `lab` on fer2013.zip")
    table = pd.DataFrame([rows[name, seed] for name in NAMES.values() for seed in seeds])
    path = Path(records) / imbalance.RECORD
    write_csv(path, table.round(4), index=False)
    return path
