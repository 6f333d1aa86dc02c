"""`python -m maintain murphy`: murphy's experiments and kit-transfer, with ImageNet's weights.

InceptionV3's weights have to be downloaded; those of EfficientNet-Lite0 come in a package, so that anybody
can repeat these rows. Each run says so: its model is called EfficientNetLite0. An interrupted call resumes.
"""

from dataclasses import replace
from pathlib import Path

import pandas as pd

from fer_kit.data.augment import augment_disgust, augment_face
from fer_kit.data.balancing import with_copies
from fer_kit.evaluation import evaluate
from fer_kit.models import load_backbone
from fer_kit.runtime.files import write_csv
from fer_kit.studies.common import go_on
from fer_kit.studies.data_size import take_sizes
from fer_kit.studies.drop_emotion import recorded_drop
from fer_kit.studies.imbalance import treat
from fer_kit.training import fine_tune, train_head
from fer_kit.training.recipes import find_recipe
from fer_kit.training.records import RECORDS, Run

BACKBONE = "EfficientNetLite0"
FROZEN = 224
"""Side in pixels of the frozen stage: murphy's."""
TUNED = 112
"""Side of the fine-tuned stage, in which an epoch takes the backbone forth and back for every face."""
WHOLE = 96
"""Side for kit-transfer, which trains all layers: twice that of a face."""
HEADS = (
    "murphy-base",
    "class-weights",
    "rare-x10",
    "without-disgust",
    "750-per-emotion",
    "2500-per-emotion",
    "batch-16",
    "batch-64",
    "dropout-0.6",
    "plateau",
)
"""The experiments on the frozen backbone, see `heads`."""
RECORDED = {"murphy-base": "murphy-base", "without-disgust": "murphy-dropdisgust"}
"""Where those have their records that are no studies."""
BY_SEED = "heads.csv"
"""What the heads reached with several seeds, among the records."""


def murphy(faces, out):
    """Train and score all rows on a FaceSet; each has a folder below `out`."""
    out = Path(out)
    backbone = train_heads(faces, out)
    own_protocol(backbone, faces, out / "split")
    small = load_backbone(BACKBONE, TUNED, "package")
    base = train_head(small, faces, out / f"murphy-base-{TUNED}")
    _score(base, faces)
    for name, change in {"mild-copies": augment_face, "strong-copies": augment_disgust}.items():
        run = train_head(small, with_copies(faces, 1, change=change), out / f"{name}-{TUNED}")
        _score(run, faces)
    for name, recipe in tunings().items():
        run = fine_tune(base, faces, out / name, recipe=recipe)
        _score(run, faces)
    kit_transfer(faces, out)


def train_heads(faces, out, seed=None):
    """Train and score the heads on the frozen backbone, a minute or two each, and return the backbone."""
    backbone = load_backbone(BACKBONE, FROZEN, "package")
    for name, shown, options in heads(faces):
        run = train_head(backbone, shown, Path(out) / name, seed=seed, **options)
        _score(run, shown)
    return backbone


def _score(run, faces):
    if go_on(run).score("PrivateTest") is None:
        evaluate(run, faces, "PrivateTest")


def keep_heads(folders, records=RECORDS):
    """Write what the heads reached, a row for each experiment and seed; return the Path of that record.

    Seed 0 is read from the records, the others from `folders` of `train_heads`. Raises FileNotFoundError for
    a run that is missing, ValueError for one that is not scored or was selected on other faces than seed 0's,
    and for a seed that is there twice.
    """
    kept = {name: records / RECORDED.get(name, f"studies/murphy-{name}") for name in HEADS}
    rows = {}
    for paths in (kept, *({name: Path(folder) / name for name in HEADS} for folder in folders)):
        runs = {name: Run.open(path) for name, path in paths.items()}
        for name, run in runs.items():
            if run.config["selected on"] != Run(kept[name]).config["selected on"]:
                raise ValueError(
                    f"{run.folder} was selected on other faces than {kept[name]}; give FER-2013's"
                )
            key = name, run.config["seed"]
            if key in rows:
                raise ValueError(
                    f"{run.folder} has seed {key[1]}, which is there already; train another seed"
                )
            rows[key] = _head_row(name, run, runs["murphy-base"])
    path = records / BY_SEED
    write_csv(path, pd.DataFrame(rows.values()).round(5), index=False)
    return path


def _head_row(name, run, base):
    tested = run.score("PrivateTest")
    if tested is None:
        raise ValueError(f"{run.folder} has no PrivateTest score; give `python -m maintain heads` once more")
    row = {"experiment": name, "seed": run.config["seed"], "PublicTest": run.best_accuracy}
    row |= {"PrivateTest": tested["accuracy"], "macro-F1": tested["macro_f1"]}
    if name == "without-disgust":
        drop = recorded_drop(base, run)  # on PublicTest
        row |= {"reported": drop.reported, "trained without": drop.parts["trained without"]}
    return row


def heads(faces):
    """Yield (name, the faces, the options of `train_head`) of each run on the frozen backbone."""
    recipe = find_recipe("murphy-base")
    yield "murphy-base", faces, {}
    for method in ("class weights", "rare x10"):
        shown, changed = treat(method, faces, recipe)
        yield method.replace(" ", "-"), shown, {"recipe": changed}
    yield "without-disgust", faces.drop("disgust"), {}
    for name, part in list(take_sizes(faces).items())[:-1]:  # the last one is all faces
        yield name.replace(" ", "-"), part, {}
    for size in (16, 64):
        yield f"batch-{size}", faces, {"recipe": replace(recipe, batch_size=size)}
    yield "dropout-0.6", faces, {"dropout": 0.6}
    yield "plateau", faces, {"recipe": replace(recipe, schedule="plateau", plateau_patience=3)}


def own_protocol(backbone, faces, out):
    """Train on four fifths of Training, select on the last, test on both test sets once, as murphy did."""
    rest, held = faces.training.split(0.2)
    run = go_on(train_head(backbone, rest, out, validation=held))
    if not any(numbers.get("usage") == "all" for numbers in run.metrics["scores"].values()):
        evaluate(run, faces[faces.usage != "Training"], "all", twins_from=rest)


def kit_transfer(faces, out):
    """Train all layers of the backbone by the kit's own recipe, from a head at the same size."""
    backbone = load_backbone(BACKBONE, WHOLE, "package")
    layers = len(backbone.network.layers)
    base = go_on(train_head(backbone, faces, out / f"murphy-base-{WHOLE}"))
    options = {"dropout": 0.3, "normalisation": True}
    run = fine_tune(base, faces, out / "kit-transfer", layers, "kit-transfer", **options)
    _score(run, faces)


def tunings():
    """Return {name: recipe} of the fine-tuned stage."""
    recipe = find_recipe("murphy-finetune")
    return {
        f"murphy-finetune-{TUNED}": recipe,
        f"murphy-finetune-{TUNED}-class-weights": replace(recipe, class_weight="balanced"),
    }
