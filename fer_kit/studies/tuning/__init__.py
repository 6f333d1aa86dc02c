"""Grids and searches over hyper-parameters with Optuna.

study    grid, search, confirm, and what they leave
space    what may be tuned, and within which bounds; shared: a study in a folder
results  tables and records of finished studies
"""

from fer_kit.runtime.lazy import face

__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "study": "SPACES grid search confirm best curves table importance read_record",
        "results": "recorded",
        "shared": "open_study",
        "space": "check_space",
    },
)
