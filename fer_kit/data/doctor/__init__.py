"""The doctor: examine a dataset and say what is wrong with it, what that means and what to do.

    report = examine(load_faces())
    print(report)

examination      examine: all checks of one dataset
findings         Finding and Report: what the doctor hands back
checks           counts, blanks, duplicates, usages
quality          brightness, contrast and sharpness of a face
near_duplicates  altered copies inside a set
signatures       what is known of each face of FER-2013
match            which face of FER-2013 each face is
originality      original, part, altered copy or another dataset; changes: what was done to the pixels
wrong_labels     labels that a model finds unlikely
"""

from fer_kit.runtime.lazy import face

__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "examination": "examine examine_path",
        "findings": "Finding Report",
        "wrong_labels": "likely_wrong_labels",
    },
)
