"""Examine one dataset: run all checks and gather what they find."""

import numpy as np

from fer_kit.data.doctor import checks
from fer_kit.data.doctor.findings import Report
from fer_kit.data.doctor.match import match
from fer_kit.data.doctor.near_duplicates import near_duplicates
from fer_kit.data.doctor.originality import compare
from fer_kit.data.doctor.quality import is_blank, measure, medians
from fer_kit.data.doctor.signatures import Signatures
from fer_kit.data.doctor.wrong_labels import check_labels, likely_wrong_labels


def examine(faces, reference=None, probabilities=None):
    """Examine a FaceSet: its defects, and how it differs from FER-2013.

    All 35,887 faces of FER-2013 take some ten seconds on two cores.

    Args:
        faces: a FaceSet.
        reference: the `Signatures` to compare with; None takes FER-2013's, which the kit ships.
        probabilities: float (N, K), a model's answers on these faces, to find likely wrong labels.

    Returns:
        A `Report`: print it, or ask it for `findings`, `facts` and `rows`.
    """
    measures = measure(faces.images)
    blank = is_blank(measures)
    mine = Signatures.of(faces, measures)
    found = match(faces.images, mine, Signatures.load() if reference is None else reference)
    original, differences, rows = compare(faces, found)
    facts, findings = _facts(faces, measures, blank)
    notes = checks.check_loading(faces.notes)
    groups, conflicting = checks.identical_groups(faces)
    near = near_duplicates(faces.images, mine.hashes, _one_each(groups, ~blank))
    facts["near_duplicates"], near_findings = checks.check_near_duplicates(near, faces.usage)
    facts["original"] = original
    rows |= {"blank": np.flatnonzero(blank), "groups": groups, "conflicting": np.flatnonzero(conflicting)}
    rows |= {"near": near.same, "mirrored": near.mirrored}
    if probabilities is not None:
        rows["likely_wrong"] = likely_wrong_labels(probabilities, faces.labels)
        findings += check_labels(faces, probabilities, rows["likely_wrong"])
    return Report(faces.source, [*notes, *differences, *findings, *near_findings], facts, rows, measures)


def _facts(faces, measures, blank):
    """Return the facts about a FaceSet alone, without comparing its faces one with another, and findings."""
    duplicates = checks.count_duplicates(faces)
    twins = checks.count_twins(faces)
    facts = {
        "counts": {usage: column.to_dict() for usage, column in faces.counts().items()},
        "duplicates": duplicates,
        "twins": twins,
        "blank": int(blank.sum()),
        "usage": medians(measures[~blank], faces.usage[~blank]),
        "emotion": medians(measures[~blank], np.array(faces.names)[faces.labels[~blank]]),
    }
    findings = [*checks.check_counts(faces), *checks.check_blank(faces, blank)]
    findings += [*checks.check_duplicates(duplicates, twins), *checks.check_usages(measures, faces, blank)]
    return facts, findings


def _one_each(groups, wanted):
    """Return the row of the first face of each group, of the faces that `wanted` bool (N,) allows."""
    _, first = np.unique(groups, return_index=True)
    return np.sort(first[wanted[first]])


def examine_path(path, names=None):
    """Examine the dataset at a path; what loading had to convert, leave out or assume is among the findings.

    Args:
        path: anything that `load_faces` takes.
        names: the emotions of folders that are numbers, in their order.

    Returns:
        A `Report`.

    Raises:
        FileNotFoundError: nothing is at `path`.
        ValueError: the content cannot be read at all.
    """
    from fer_kit.data.loading import load_faces

    return examine(load_faces(path, allow_missing=True, names=names))
