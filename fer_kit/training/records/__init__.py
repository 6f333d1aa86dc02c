"""The record of a training run: one folder with what was trained, on what, how it went, and the best model.

config.json       the arguments; by them the same call finds its run again
provenance.json   dataset, seed, versions, device, precision, teachers: what a figure has to cite
history.csv       one row per epoch, complete also after an interruption
metrics.json      status, best epoch, scores, how often PrivateTest was scored, and digests of other files
predictions.npz   the best model's probabilities on the faces it was selected on
private.npz       its probabilities on PrivateTest, once this has been scored
learned.npz       which faces it learned from, as digests, so that a score on them is told from a test
best.keras        the best model, with everything from uint8 pixels to probabilities inside
state.npz         what training needs to resume; deleted at the end

`run` holds the record as a whole; `parts` reads and checks its files; `folders` begins one.
"""

from fer_kit.runtime.lazy import face

__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "run": "PATIENCE RECORDS Run emotions_of find_model open_model recorded run_of",
        "folders": "",
        "parts": "",
    },
)
