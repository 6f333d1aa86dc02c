"""The built-in sample: drawn faces with FER-2013's imbalance and its defects, for when there is no data.

The defects are there for the doctor to find: wrong labels, pixel-identical copies, twins across usages
and blank images. `true_labels` tells what each face really shows, so that a search for them can be scored.
`draw_hair_sample` draws a stand-in for UTKFace: faces with short or long hair.
"""

import numbers

import numpy as np

from fer_kit.data.emotions import EMOTIONS, OFFICIAL_COUNTS, USAGES
from fer_kit.data.faceset import FaceSet, Note
from fer_kit.data.sample.drawing import draw_faces
from fer_kit.data.sample.expressions import ACTION_UNITS, PROTOTYPES, express, prototype_table
from fer_kit.runtime.names import unknown

WRONG = 0.035  # share of wrong labels
COPIES = 0.02  # of copies within Training; FER-2013 has 5 %
TWINS = 0.08  # of test faces with a Training twin; FER-2013 has 8 %
CONFLICTS = 0.002  # of copies under another label; FER-2013 has 0.2 %
BLANKS = 0.001  # of blank images; FER-2013 has 0.04 %

CONFUSED_WITH = {
    "angry": ("disgust", "sad", "neutral"),
    "disgust": ("angry", "angry", "sad"),
    "fear": ("surprise", "surprise", "sad"),
    "happy": ("neutral", "surprise", "neutral"),
    "sad": ("neutral", "neutral", "fear"),
    "surprise": ("fear", "fear", "happy"),
    "neutral": ("sad", "sad", "angry"),
}
"""What people mistake each emotion for: wrong labels and mixed expressions follow it."""

EVENLY = {
    # head, hair and clothes
    "skin": (0.35, 0.95),
    "wide": (13.8, 16.6),
    "top": (20, 22.5),
    "chin": (18.5, 21),
    "jaw": (0.08, 0.28),
    "square": (0.1, 0.45),
    "neck": (7.5, 11),
    "volume": (0.8, 3.2),
    "flare": (0, 0.15),
    "hairline": (-18, -13),
    "temple": (2, 8),
    "burns": (-6, 3),
    "fringe": (0.2, 1),
    "gleam": (0.1, 0.6),
    "cloth": (0.05, 0.9),
    "collar": (23, 27),
    "collar_v": (0, 0.7),
    "age": (0, 0.4),
    "gaunt": (0, 0.9),
    # eyes, nose and mouth
    "eye_x": (6.8, 8.2),
    "eye_y": (-4.8, -3.4),
    "eye_wide": (3.4, 4.3),
    "iris": (1.7, 2.1),
    "iris_tone": (0.05, 0.35),
    "white": (0.8, 1),
    "lash": (0.5, 0.9),
    "bag": (0, 0.25),
    "brow_thick": (0.6, 1.3),
    "brow_dark": (0.45, 0.85),
    "bridge": (0.8, 2.0),
    "nose_wide": (2.7, 4),
    "nose_y": (4.2, 5.6),
    "lips": (0.7, 1.25),
    "lip_dark": (0.18, 0.5),
    "gloss": (0, 0.07),
    "mouth_size": (0.95, 1.15),
    # light, background and camera
    "ambient": (0.25, 0.5),
    "shine": (0, 0.3),
    "back": (0.03, 0.95),
    "back_rough": (0, 0.08),
    "scale": (1.0, 1.24),
    "blur": (0.1, 0.8),
    "noise": (2, 16),
    "contrast": (0, 1.2),
}
"""Lowest and highest value of what varies evenly from person to person and from picture to picture."""

AROUND = {
    "yaw": (0, 1.7),
    "pitch": (0, 0.8),
    "roll": (0, 0.09),
    "shift_x": (0, 1.2),
    "shift_y": (0, 1),
    "gaze_x": (0, 0.6),
    "gaze_y": (0, 0.2),
    "slant": (0.06, 0.07),
    "smirk": (0, 0.25),
    "brow_y": (0, 0.5),
    "part": (0, 2.5),
    "light_x": (0, 0.42),
    "light_y": (-0.4, 0.2),
    "back_slope": (0, 0.005),
    "back_fall": (0, 0.004),
}
"""Mean and standard deviation of what varies around a middle."""

HAIR = ("short hair", "long hair")
DARK = 0.15
"""Share of the faces with dark skin: a dataset that has few of somebody, on purpose."""


def draw_sample(faces=3589, seed=0):
    """Draw faces in FER-2013's proportions, with its defects.

    Args:
        faces: how many, at least 21: one for each emotion in each usage.
        seed: the same seed draws the same faces.

    Returns:
        A FaceSet whose `files` are names like `sample/Training_00017`.

    Raises:
        ValueError: `faces` is below 21, or no whole number.
    """
    plan = _plan(faces, seed)
    rng = np.random.default_rng([seed, 1])
    fields = random_people(faces, rng)
    express(fields, _expressions(plan["truth"], rng))
    images = draw_faces(fields, seed)[plan["drawn"]]
    blank = np.flatnonzero(plan["blank"])
    images[blank] = rng.permutation(256)[np.arange(len(blank)) % 256, None, None]
    about = "drawn by the kit; some labels are wrong on purpose, fer_kit.data.sample knows them"
    notes = (Note("about", about),)
    source = "built-in sample"
    return FaceSet(images, plan["labels"], plan["usage"], files=_files(plan), source=source, notes=notes)


def true_labels(faces=3589, seed=0):
    """Return int64 (N,): the emotion that each face of `draw_sample(faces, seed)` shows, -1 for a blank.

    About 4 % differ from the sample's `labels`: those labels are wrong.
    """
    plan = _plan(faces, seed)
    return np.where(plan["blank"], -1, plan["truth"])


def describe_sample(faces=3589, seed=0):
    """Return the `files` and `usage` of `draw_sample(faces, seed)`, str (N,), and what each face shows.

    That is the action units in the order of `ACTION_UNITS`, float (N, 17); NaN for a blank image.
    """
    plan = _plan(faces, seed)
    rng = np.random.default_rng([seed, 1])
    random_people(faces, rng)  # as in draw_sample, which takes them from the same generator first
    units = _expressions(plan["truth"], rng)[plan["drawn"]]
    units[plan["blank"]] = np.nan
    return _files(plan), plan["usage"], units


def draw_people(shown, count=1, seed=0, intensity=1.0, alike=None):
    """Return faces of `count` people who all show the same, uint8 (count, 48, 48).

    The same seed is the same people and the same photographs whatever they show, and whatever is `alike`.

    Args:
        shown: An emotion's name, for the first of its `PROTOTYPES`, or the action units that move and how
            strongly, {unit: 0 to about 1.3}, such as {6: 0.8, 12: 1}; {} is a neutral face.
        count: How many people.
        seed: Who they are, and in which light.
        intensity: What all strengths are multiplied by.
        alike: What all people have in common besides, {name of `EVENLY` or `AROUND`: value}, such as
            {"skin": 0.4}, {"age": 0.4} (lines, 0 for none) or {"roll": 0.3} (a tilt in radians).

    Raises:
        ValueError: For an emotion that is not one of the seven, a unit that is not in `ACTION_UNITS`, a
            name in `alike` that faces do not have, or a `count` that is not a whole number from 1.
    """
    if isinstance(shown, str):
        if shown not in EMOTIONS:
            raise ValueError(unknown("emotion", shown, EMOTIONS))
        shown = PROTOTYPES[shown][0]
    strange = [unit for unit in shown if unit not in ACTION_UNITS]
    if strange:
        raise ValueError(f"drawn faces have no action unit {strange[0]!r}; they have {list(ACTION_UNITS)}")
    _check_count(count, "people")
    fields = random_people(count, np.random.default_rng([seed, 2]), alike)
    fields |= {"hand": np.zeros(count), "shades": np.zeros(count)}
    units = np.array([[intensity * shown.get(unit, 0) for unit in ACTION_UNITS]] * count, dtype=float)
    express(fields, units)
    return draw_faces(fields, seed)


def draw_hair_sample(faces=3000, seed=0):
    """Return a FaceSet of `faces` drawn faces whose labels are 0, short hair, or 1, long hair.

    The same ones for the same `seed`, all of usage Training, each of another person. Drawn faces have no
    gender, and nothing here pretends that they have. Skin is smooth or lined, dark or light, as `files` say
    (`drawn/lined_dark_00017`); dark is rare. Raises ValueError unless `faces` is a whole number from 1.
    """
    _check_count(faces, "faces")
    rng = np.random.default_rng([seed, 20])
    crowd = random_people(3 * faces + 100, rng)
    dark = np.flatnonzero(crowd["skin"] < 0.5)[: round(DARK * faces)]
    light = np.flatnonzero(crowd["skin"] > 0.65)[: faces - len(dark)]
    chosen = rng.permutation(np.concatenate([dark, light]))
    fields = {name: values[chosen] for name, values in crowd.items()}
    shown = rng.integers(0, len(EMOTIONS), faces), rng.integers(0, 3, faces)
    express(fields, prototype_table()[shown] * rng.uniform(0.2, 1.0, (faces, 1)))
    lines = np.where(fields["age"] > 0.2, "lined", "smooth")
    skins = np.where(fields["skin"] < 0.5, "dark", "light")
    files = [f"drawn/{line}_{skin}_{i:05d}" for i, (line, skin) in enumerate(zip(lines, skins, strict=True))]
    return FaceSet(
        draw_faces(fields, seed),
        (fields["ears"] == 0).astype(int),  # long hair covers the ears
        "Training",
        HAIR,
        np.array(files),
        "drawn faces with short or long hair",
        (Note("about", "drawn by the kit in place of UTKFace; the labels are hair, not gender"),),
    )


def _check_count(count, things, least=1):
    """Raise ValueError unless `count` is a whole number from `least`."""
    if not isinstance(count, numbers.Integral) or count < least:
        raise ValueError(f"cannot draw {count!r} {things}; give a whole number from {least}")


def _counts(faces):
    """Faces per usage and emotion, int (3, 7), in FER-2013's proportions and at least one in each."""
    official = np.array([OFFICIAL_COUNTS[u] for u in USAGES])
    _check_count(faces, "faces", official.size)
    share = official / official.sum() * faces
    counts = np.maximum(share.astype(int), 1)
    while counts.sum() < faces:
        counts.flat[np.argmax(share - counts)] += 1
    while counts.sum() > faces:
        counts.flat[np.argmax(np.where(counts > 1, counts - share, -np.inf))] -= 1
    return counts


def _plan(faces, seed):
    """Who is in the sample: `usage` and `labels`; `truth`, the emotions shown; `drawn`, whose picture
    each face has (its own, or that of a twin); `blank`, whether it has none. All (N,)."""
    rng = np.random.default_rng([seed, 0])
    counts = _counts(faces)
    usage = np.repeat(USAGES, counts.sum(axis=1))
    labels = np.concatenate([rng.permutation(np.repeat(np.arange(len(EMOTIONS)), row)) for row in counts])
    truth = labels.copy()
    wrong = rng.random(faces) < WRONG
    truth[wrong] = _mistake(labels[wrong], rng)
    training = rng.permutation(np.flatnonzero(usage == "Training"))
    tests = rng.permutation(np.flatnonzero(usage != "Training"))
    ends = np.cumsum([max(1, round(share * faces)) for share in (BLANKS, CONFLICTS, COPIES)])
    blanks, conflicts, copies, sources = np.split(training, ends)
    twins = tests[: round(TWINS * len(tests))]
    drawn = np.arange(faces)
    for row in np.concatenate([conflicts, copies, twins]):
        alike = labels[sources] == labels[row]
        fitting = sources[~alike if row in conflicts else alike]
        drawn[row] = rng.choice(fitting) if len(fitting) else row
    blank = np.isin(np.arange(faces), blanks)
    return {"usage": usage, "labels": labels, "truth": truth[drawn], "drawn": drawn, "blank": blank}


def _files(plan):
    return np.array([f"sample/{u}_{i:05d}" for i, u in enumerate(plan["usage"])])


def _mistake(labels, rng):
    """Return, for each of `labels` (N,), an emotion that people mistake it for."""
    table = np.array([[EMOTIONS.index(e) for e in CONFUSED_WITH[name]] for name in EMOTIONS])
    return table[labels, rng.integers(0, table.shape[1], len(labels))]


def _expressions(emotions, rng):
    """Action units (N, 17): subtle to strong, one of three ways each, some mixed with another emotion."""
    count = len(emotions)
    table = prototype_table()
    units = table[emotions, rng.integers(0, 3, count)] * rng.uniform(0.45, 1.15, (count, 1))
    other = table[_mistake(emotions, rng), rng.integers(0, 3, count)]
    units += other * rng.uniform(0.1, 0.4, (count, 1)) * (rng.random((count, 1)) < 0.25)
    units *= rng.uniform(0.75, 1.2, units.shape)
    return units + 0.25 * rng.random(units.shape) * (rng.random(units.shape) < 0.25)


def random_people(count, rng, alike=None):
    """Return the fields (N,) of `drawing` for `count` random people with neutral faces.

    What is `alike`, {name: value}, all of them have in common; what depends on it, such as the exposure
    on the skin, follows. Raises ValueError for a name that neither `EVENLY` nor `AROUND` has.
    """
    f = {name: rng.uniform(*ends, count) for name, ends in EVENLY.items()}
    bell = np.clip(rng.standard_normal((len(AROUND), count)), -2.2, 2.2)
    f |= {name: mean + sd * b for (name, (mean, sd)), b in zip(AROUND.items(), bell, strict=True)}
    for name, value in (alike or {}).items():
        if name not in f:
            raise ValueError(unknown("property of drawn faces", name, f))
        f[name] = np.full(count, float(value))
    roll = f.pop("roll")
    f |= {"cos": np.cos(roll), "sin": np.sin(roll), "key": rng.uniform(0.75, 1, count) - 0.5 * f["ambient"]}
    f["light_z"] = np.sqrt(np.maximum(1 - f["light_x"] ** 2 - f["light_y"] ** 2, 0.25))
    f["exposure"] = rng.uniform(0.7, 1.1, count) / (0.32 + 0.68 * f["skin"])
    return f | _hair(f, rng) | _worn(count, rng)


def _hair(f, rng):
    count = len(f["skin"])
    long = rng.random(count) < 0.45
    hat = rng.random(count) < 0.06
    bare = (rng.random(count) < 0.08) & ~long & ~hat
    tone = np.clip(f["skin"] * rng.uniform(0.08, 0.75, count) ** 1.3, 0.04, 0.7)
    beard = rng.choice([0, 0, 0, 0, 0.15, 0.3, 0.5], count) * ~long
    return {
        "hair": np.where(hat, f["cloth"], tone),
        "hairy": 1.0 - bare,
        "plain": np.where(hat, 0.2, 1.0),
        "ears": 1.0 - long,
        "length": np.where(long, rng.uniform(6, 40, count), f["burns"]),
        "curtain": np.where(long, rng.uniform(0.5, 3, count), 0),
        "beard": beard,
        "moustache": np.where(beard > 0.2, beard, 0) * (rng.random(count) < 0.8),
    }


def _worn(count, rng):
    """Glasses, dark glasses and hands before the face."""
    shades = rng.random(count) < 0.012
    return {
        "glasses": (shades | (rng.random(count) < 0.12)) * rng.uniform(0.5, 0.95, count),
        "lens_size": rng.uniform(4.6, 5.8, count),
        "shades": shades * 0.9,
        "hand": (rng.random(count) < 0.04) * rng.choice([-1, 1], count),
        "hand_x": rng.uniform(3, 13, count),
        "hand_y": rng.uniform(8, 16, count),
        "hand_tilt": rng.uniform(-0.2, 0.8, count),
    }
