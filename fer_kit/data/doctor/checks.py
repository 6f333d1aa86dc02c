"""The doctor's single checks: loading, counts, blanks, duplicates, near duplicates, usages."""

import numpy as np

from fer_kit.data.doctor.findings import Finding
from fer_kit.data.doctor.quality import usages_that_differ
from fer_kit.data.emotions import EMOTIONS, OFFICIAL_COUNTS, USAGES
from fer_kit.data.faceset import SIZE


def check_loading(notes):
    """Return a finding for each `Note` of a FaceSet: what was converted, left out or assumed in loading."""
    findings = []
    for note in notes:
        if note.kind == "missing":  # `check_counts` says so as well
            continue
        text = f"{note.text[:1].upper()}{note.text[1:]}."
        if note.kind == "converted":
            text += (
                f" FER-2013's own are grey, 8-bit and {SIZE}x{SIZE} pixels: these come from something else."
            )
        severity = "warning" if note.kind in {"converted", "left out"} else "note"
        findings.append(Finding("loading", severity, text))
    return findings


def check_counts(faces):
    """Return findings on faces per usage and emotion (`FaceSet.counts`) against FER-2013's official ones."""
    counts = faces.counts()
    findings = []
    if gone := [name for name in EMOTIONS if name not in faces.names and set(faces.names) < set(EMOTIONS)]:
        text = f"No face shows {' or '.join(gone)}: {len(faces.names)} emotions can be learned and scored."
        findings.append(Finding("empty-emotion", "warning", text))
    present = [u for u in USAGES if counts[u].sum()]
    for usage in present:
        gone = [name for name in faces.names if not counts.loc[name, usage]]
        if gone:
            text = (
                f"{usage} has no faces for {', '.join(gone)}: nothing can be learned or scored there. Add "
                "the folder."
            )
            findings.append(Finding("empty-emotion", "warning", text))
    if faces.names != EMOTIONS:
        return findings
    if all(tuple(counts[u]) == OFFICIAL_COUNTS[u] for u in USAGES):
        return [Finding("counts", "note", "All counts per usage and emotion are FER-2013's official ones.")]
    for usage in present:
        findings += _exchanged_counts(usage, counts[usage].tolist())
    smallest = counts.sum(axis=1).min()
    largest = counts.sum(axis=1).max()
    if largest > 5 * max(smallest, 1):
        text = (
            f"The commonest emotion has {largest:,} faces, the rarest {smallest:,}. Look at recall per "
            "emotion and macro-F1 beside accuracy; class weights or balancing help."
        )
        findings.append(Finding("imbalance", "note", text))
    return findings


def _exchanged_counts(usage, counts):
    """An emotion that has exactly another's official count has got its label."""
    test = tuple(
        a + b for a, b in zip(OFFICIAL_COUNTS["PublicTest"], OFFICIAL_COUNTS["PrivateTest"], strict=True)
    )
    for official in (OFFICIAL_COUNTS[usage], test):
        if sorted(counts) == sorted(official) and counts != list(official):
            taken = [
                f"{EMOTIONS[k]} has the count of {EMOTIONS[official.index(n)]} ({n:,})"
                for k, n in enumerate(counts)
                if n != official[k]
            ]
            text = (
                f"In {usage}, {'; '.join(taken)}: the labels are in another order, as a folder listing "
                "sorts neutral before sad. Map folder names to labels by name, in the order "
                f"{', '.join(EMOTIONS)}."
            )
            return [Finding("label-order", "error", text)]
    return []


def check_blank(faces, blank):
    """Return findings on faces without a picture; `blank` bool (N,)."""
    if not blank.any():
        return []
    text = (
        f"{blank.sum():,} faces are blank, {faces.files[np.flatnonzero(blank)[0]]} for one. No label is "
        "right for them: leave them out of training; in the test set they cost everybody the same."
    )
    return [Finding("blank", "warning", text)]


def identical_groups(faces):
    """Return (groups int (N,), conflicting bool (N,)): a number for each face, equal for pixel-identical
    ones, and whether its group carries more than one label."""
    _, groups = np.unique(faces.digests, return_inverse=True)
    count = groups.max(initial=-1) + 1
    lowest = np.full(count, len(faces.names))
    highest = np.full(count, -1)
    np.minimum.at(lowest, groups, faces.labels)
    np.maximum.at(highest, groups, faces.labels)
    return groups, (lowest < highest)[groups]


def count_duplicates(faces):
    """Count pixel-identical faces: groups, redundant ones, groups with several labels and faces in those.

    Blank faces count as well: FER-2013's twelve black ones are one of its 1,516 groups.
    """
    groups, conflicting = identical_groups(faces)
    sizes = np.bincount(groups)
    return {
        "groups": int((sizes > 1).sum()),
        "redundant": int(len(groups) - len(sizes)),
        "conflicting_groups": len(np.unique(groups[conflicting])),
        "conflicting_images": int(conflicting.sum()),
    }


def count_twins(faces):
    """Count the test faces, per usage, that have a pixel-identical face in Training."""
    training = faces.digests[faces.usage == "Training"]
    return {
        u: int(np.isin(faces.digests[faces.usage == u], training).sum())
        for u in ("PrivateTest", "PublicTest")
    }


def check_duplicates(facts, twins):
    """Return findings on pixel-identical faces, given `count_duplicates` and `count_twins`."""
    findings = []
    if facts["groups"]:
        text = (
            f"{facts['groups']:,} groups of pixel-identical faces hold {facts['redundant']:,} redundant "
            "ones. They weigh double in training, and any split of one's own must keep a group on one side."
        )
        findings.append(Finding("duplicates", "warning", text))
    if facts["conflicting_groups"]:
        text = (
            f"{facts['conflicting_groups']:,} of these groups ({facts['conflicting_images']:,} faces) carry "
            "two or more labels for one picture: at least one is wrong. No model can get them all right; "
            "leave them out of training."
        )
        findings.append(Finding("conflicting-labels", "warning", text))
    if sum(twins.values()):
        told = " and ".join(f"{count:,} {usage}" for usage, count in twins.items())
        text = (
            f"{told} faces have a pixel-identical twin in Training: a network can memorise them. Score "
            "twin-free too."
        )
        findings.append(Finding("twins", "warning", text))
    return findings


def check_near_duplicates(near, usage):
    """Return (facts, findings) on the `NearDuplicates` of a FaceSet whose usages are `usage` (N,)."""
    crossing = near.same[(usage[near.same] == "Training").sum(axis=1) == 1]
    facts = {
        "pairs": len(near.same),
        "faces": len(np.unique(near.same)),
        "across_usages": len(crossing),
        "mirrored_pairs": len(near.mirrored),
        "turned_share": round(near.turned_share, 4),
    }
    findings = []
    if len(near.same):
        text = (
            f"{facts['pairs']:,} pairs of faces are nearly the same picture (another crop, light or "
            f"encoding), {len(crossing):,} of them a Training and a test face. They make test scores a "
            "little too good."
        )
        findings.append(Finding("near-duplicates", "note", text))
    # FER-2013 has 18 mirrored pairs of its own, one face in a thousand.
    if len(np.unique(near.mirrored)) > max(0.01 * len(usage), 4):
        text = (
            f"{facts['mirrored_pairs']:,} pairs are one face and its mirror image: this set was augmented. "
        )
        findings.append(Finding("mirrored-copies", "warning", text + AUGMENTED))
    if near.turned_share > 0.02:
        text = (
            f"About {near.turned_share:.0%} of the faces are repeated turned by some degrees: this set was "
            "augmented. "
        )
        findings.append(Finding("turned-copies", "warning", text + AUGMENTED))
    return facts, findings


AUGMENTED = (
    "Copies on both sides of a split make scores too good: take the faces before augmentation, split first."
)

ADVICE = {
    "brightness": "was made darker or brighter",
    "contrast": "was equalised or flattened",
    "sharpness": "was blurred, upscaled, sharpened or compressed",
}


def check_usages(measures, faces, blank):
    """Return findings on usages that differ in brightness, contrast or sharpness by more than chance."""
    findings = []
    seen = measures[~blank]
    for name, (usage, effect) in usages_that_differ(seen, faces.labels[~blank], faces.usage[~blank]).items():
        middle = seen[name].groupby(faces.usage[~blank]).median()
        told = ", ".join(f"{u} {value:.1f}" for u, value in middle.items())
        text = (
            f"The usages differ in {name} (medians: {told}); {usage} stands {effect:+.1f} standard "
            f"deviations apart. Perhaps one side {ADVICE[name]}. A model trained on one and scored on the "
            "other is judged unfairly: get the set again."
        )
        findings.append(Finding(f"usage-{name}", "warning", text))
    return findings
