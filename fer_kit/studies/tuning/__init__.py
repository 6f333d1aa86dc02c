"""Grids and searches over hyper-parameters with Optuna.

study    grid, search, confirm
results  a study in its folder; its tables and records
space    what may be tuned, and within which bounds
"""

from fer_kit.runtime.lazy import face

__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "study": "grid search confirm",
        "results": "open_study table curves best importance read_record recorded write_record",
        "space": "SPACES check_space",
    },
)
