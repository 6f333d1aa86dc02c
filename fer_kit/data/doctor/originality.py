"""Whether a FaceSet is the original FER-2013, a part of it, an altered copy, or something else."""

import numpy as np

from fer_kit.data.doctor.changes import check_pixels, check_variants
from fer_kit.data.doctor.findings import GET_AGAIN, Finding, listed
from fer_kit.data.doctor.signatures import OTHER
from fer_kit.data.emotions import EMOTIONS, USAGES

MISTAKEN = (0.01, 0.001)
"""Shares of the changed faces, and of all, that may be taken for another face; fewer are passed over."""

TRAIN = USAGES.index("Training")

OUT_OF_REACH = 0.15
"""Share of changed faces that filters may change beyond recognition; they are neither missing nor extra."""


def compare(faces, found):
    """Say how `faces` (a FaceSet) differ from the original, given their `Match`.

    Returns (facts, findings, rows): a dict with the `verdict` ("original", "re-encoded", "subset",
    "altered" or "another dataset") and the numbers behind it; `Finding`s; row numbers by name.
    """
    facts = _facts(found)
    if not found.recognised:
        return {"verdict": "another dataset", **facts}, [_stranger(facts)], {}
    findings = [*_labels(faces, found, facts), *_usages(found, facts)]
    findings += [*check_pixels(faces, found, facts), *check_variants(found, facts)]
    findings += _extra(faces, found, facts)
    if findings and facts["missing"]:
        findings.append(_missing(found, facts))
    verdict, opening = _verdict(found, facts, findings)
    rows = {"relabelled": np.flatnonzero(_with_other_label(found))}
    return {"verdict": verdict, **facts}, [opening, *findings], rows


def _facts(found):
    identical = found.paired & (found.how == "identical")
    missing = int(found.free.sum())
    extra = int((~found.paired).sum())
    changed = int(found.paired.sum() - identical.sum())
    lost = min(missing, extra, round(OUT_OF_REACH * changed)) if found.recognised else 0
    return {
        "fingerprint": found.copy.fingerprint,
        "recognised": int(found.paired.sum()) + lost,
        "identical": int(identical.sum()),
        "changed": changed + lost,
        "missing": missing - lost,
        "extra": extra - lost,
    }


def _verdict(found, facts, findings):
    total = f"{len(found.original):,}"
    if findings:
        how = ", ".join(dict.fromkeys(finding.id for finding in findings))
        text = (
            f"This is not the original FER-2013 but an altered copy of it ({how}: see below). Scores on it "
            f"cannot be compared with others. {GET_AGAIN}"
        )
        return "altered", Finding("original", "error", text)
    if facts["missing"]:
        text = (
            f"A subset of FER-2013: {facts['recognised']:,} of its {total} faces{_gone_twins(found)}, "
            "nothing altered. Scores on a part of the test faces cannot be compared with scores on all."
        )
        return "subset", Finding("original", "note", text)
    if facts["changed"]:
        text = (
            f"All {total} faces of FER-2013 with their labels and usages; the pixels of "
            f"{facts['changed']:,} differ from the image archive's by roundings, as those of the csv do. "
            "Nothing needs doing."
        )
        return "re-encoded", Finding("original", "note", text)
    text = f"The original FER-2013 image archive, bit for bit: all {total} faces, labels and usages."
    return "original", Finding("original", "note", text)


def _stranger(facts):
    # FER-2013's twelve black images may be anybody's.
    some = f" ({facts['identical']:,} of its faces are FER-2013's)" if facts["identical"] > 12 else ""
    text = f"This is not FER-2013 but another dataset{some}: do not compare scores on it with FER-2013's."
    return Finding("original", "note", text)


def _with_other_label(found):
    """Bool (N,): faces with a picture and an emotion that is not their original's."""
    other = found.copy.labels != found.original.labels[found.origin]
    wrong = found.paired & other & (found.copy.labels != OTHER) & ~found.copy.blank
    return _credible(found, wrong)


def _credible(found, mask):
    """Return `mask` bool (N,) without the changed faces, when so few that mistaken pairs explain them."""
    changed = found.paired & (found.how != "identical")
    limit = max(MISTAKEN[0] * changed.sum(), MISTAKEN[1] * len(changed))
    return mask if (mask & changed).sum() > limit else mask & ~changed


def _labels(faces, found, facts):
    """Findings on emotions that exchanged their names, or else on single faces with another label."""
    wrong = _with_other_label(found)
    was = found.original.labels[found.origin[wrong]]
    now = found.copy.labels[wrong]
    moves = _commonest(was, now, EMOTIONS)
    facts |= {"relabelled": int(wrong.sum()), "relabelled_pairs": dict(moves)}
    exchanged = _exchanged(found)
    if exchanged:
        text = (
            f"The label order is wrong: {'; '.join(exchanged)}. A folder listing sorts neutral before sad, "
            f"the csv does not: map names to labels in the order {', '.join(EMOTIONS)}."
        )
        return [Finding("label-order", "error", text)]
    if not wrong.any():
        return []
    example = f"{faces.files[np.flatnonzero(wrong)[0]]} was {EMOTIONS[was[0]]} and is {EMOTIONS[now[0]]}"
    text = (
        f"{wrong.sum():,} faces with another label than the original's ({listed(moves)}; {example}). "
        f"{GET_AGAIN}"
    )
    return [Finding("relabelled", "error", text)]


def _exchanged(found):
    """Sentences such as "sad faces are labelled neutral", for emotions of which four fifths are."""
    known = found.paired & (found.copy.labels != OTHER)
    table = np.zeros((len(EMOTIONS), len(EMOTIONS)), int)
    np.add.at(table, (found.original.labels[found.origin[known]], found.copy.labels[known]), 1)
    mode = table.argmax(axis=1)
    size = table.sum(axis=1)
    clear = (size >= 10) & (table.max(axis=1) > 0.8 * size) & (mode != np.arange(len(EMOTIONS)))
    return [f"{EMOTIONS[k]} faces are labelled {EMOTIONS[mode[k]]}" for k in np.flatnonzero(clear)]


def _usages(found, facts):
    """Findings on faces in another usage than the original's, above all test faces in Training."""
    was = found.original.usage[found.origin]
    now = found.copy.usage
    moved = _credible(found, found.paired & (was != now))
    leaked = (now == TRAIN) & (was != TRAIN) & (moved | _added_from_test(found, facts))
    rest = moved & ~leaked
    facts |= {"moved": dict(_commonest(was[moved], now[moved], USAGES)), "leaked": int(leaked.sum())}
    findings = []
    if leaked.any():
        text = (
            f"{leaked.sum():,} of the original's test faces, or altered copies of them, are in Training: a "
            f"test score would in part be a score on training faces. {GET_AGAIN}"
        )
        findings.append(Finding("test-faces-in-training", "error", text))
    if rest.any():
        moves = listed(_commonest(was[rest], now[rest], USAGES))
        text = (
            f"{rest.sum():,} faces in another usage than the original's ({moves}). Scores change with it. "
            f"{GET_AGAIN}"
        )
        findings.append(Finding("usage-moved", "warning", text))
    return findings


def _added_from_test(found, facts):
    """Bool (N,): added faces whose picture is not among the original's training faces.

    For one in eight altered copies the nearest face is a near duplicate in another usage, so these
    count only where they are many more.
    """
    added = (found.origin >= 0) & ~found.paired
    pixels = found.original.pixels
    foreign = added & ~np.isin(pixels[found.origin], pixels[found.original.usage == TRAIN])
    altered = added & (found.how != "identical") & (found.copy.usage == TRAIN)
    many = facts["extra"] and (foreign & altered).sum() > 0.15 * altered.sum()
    return foreign if many else foreign & ~altered


def _extra(faces, found, facts):
    """Findings on faces that the original does not have."""
    added = (found.origin >= 0) & ~found.paired
    names, counts = np.unique(found.how[added], return_counts=True)
    repeats = sorted(zip(names.tolist(), counts.tolist(), strict=True), key=lambda item: -item[1])
    facts["repeats"] = dict(repeats)
    if not facts["extra"]:
        return []
    example = faces.files[np.flatnonzero(~found.paired)[-1]]
    told = [("with other pixels" if how == "alike" else how, count) for how, count in repeats]
    known = f"; {added.sum():,} repeat a face of it ({listed(told, 6)})" if repeats else ""
    text = (
        f"{facts['extra']:,} faces more than the original has, {example} for one{known}. Augment in the "
        f"training pipeline, after the split, not in the dataset. {GET_AGAIN}"
    )
    return [Finding("extra-faces", "error" if repeats else "warning", text)]


def _missing(found, facts):
    text = (
        f"{facts['missing']:,} of the original's {len(found.original):,} faces are "
        f"missing{_gone_twins(found)}. Scores on fewer test faces are other scores."
    )
    return Finding("missing-faces", "warning", text)


def _gone_twins(found):
    pixels = found.original.pixels
    gone = np.isin(pixels[found.free], pixels[~found.free]).sum()
    return f" ({gone:,} of those that are not here are duplicates of faces that are)" if gone else ""


def _commonest(was, now, names):
    """Return [("sad -> neutral", count)...], the most frequent first."""
    pairs, counts = np.unique(np.stack([was, now], axis=1), axis=0, return_counts=True)
    return [(f"{names[pairs[k][0]]} -> {names[pairs[k][1]]}", int(counts[k])) for k in np.argsort(-counts)]
