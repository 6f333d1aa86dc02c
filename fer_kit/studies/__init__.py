"""Experiments of single lessons, each a module.

drop_emotion   training without disgust, compared fairly (lesson 07)
imbalance      ways to treat a rare emotion (07)
data_size      accuracy by number of faces (07)
gap            what could explain nineteen points between validation and test (07)
tuning         a package: grid and search over hyper-parameters (08)
classical      a package: descriptors with KNN and SVM (11)
gender         a gender network beside the emotion network (14)
audit          what changes an emotion network's answer, on drawn people (14)
two_heads      one network for both (14)
reproduction   the reports' numbers beside the kit's records (05, 15)
"""

from fer_kit.runtime.lazy import face

__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "drop_emotion": "",
        "imbalance": "",
        "data_size": "",
        "gap": "",
        "tuning": "",
        "classical": "",
        "gender": "",
        "audit": "",
        "two_heads": "",
        "reproduction": "",
    },
)
