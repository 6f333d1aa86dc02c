"""What the doctor hands back: `Finding`, one sentence with its weight, and `Report`, all of them."""

import textwrap
from dataclasses import dataclass, field

SEVERITIES = ("error", "warning", "note")
"""error: do not use the data before this is settled; warning: use it and know this; note: good to know."""

GET_AGAIN = "Get the original again: `python -m fer_kit fetch`."


@dataclass(frozen=True)
class Finding:
    """One thing the doctor found: a short `id`, its `severity` and a `message` that says what to do."""

    id: str
    severity: str
    message: str


@dataclass
class Report:
    """All that the doctor found in one FaceSet.

    `findings` list of `Finding`, the most severe first; `facts` the numbers behind them, a dict that
    `json.dumps` can write; `rows` the faces they speak of, arrays of row numbers by name (`blank`,
    `conflicting`, `near`, `mirrored`, in a copy of FER-2013 `relabelled`, with a model's probabilities
    `likely_wrong`), pairs as (P, 2);
    `measures` a DataFrame with brightness, contrast and sharpness of every face.
    """

    source: str
    findings: list
    facts: dict
    rows: dict = field(default_factory=dict)
    measures: object = None

    def __post_init__(self):
        self.findings = sorted(self.findings, key=lambda finding: SEVERITIES.index(finding.severity))

    def as_json(self):
        """Return the facts and the findings as one dict that `json.dumps` can write."""
        return {"source": self.source, **self.facts, "findings": [vars(finding) for finding in self.findings]}

    def has(self, *ids):
        """Return True when there is a finding with one of these ids."""
        return any(finding.id in ids for finding in self.findings)

    def __str__(self):
        heads = [sum(f.severity == s for f in self.findings) for s in SEVERITIES]
        names = (f"{n} {s}{'' if n == 1 else 's'}" for n, s in zip(heads, SEVERITIES, strict=True))
        lines = [f"{self.source or 'FaceSet in memory'}: {', '.join(names)}"]
        for finding in self.findings:
            text = f"{finding.severity.upper():8}{finding.id}: {finding.message}"
            lines.append(textwrap.fill(text, 100, subsequent_indent=" " * 8))
        return "\n".join(lines)


def listed(counts, most=4):
    """Return "30 sad -> happy, 12 fear -> sad" for the first `most` pairs (what, count) of a list."""
    return ", ".join(f"{count:,} {what}" for what, count in counts[:most])
