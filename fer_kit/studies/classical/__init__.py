"""Classical features and classifiers: HOG, LBP, Gabor, SIFT with KNN and SVM.

descriptors  from faces to feature vectors
baselines    every descriptor with every classifier: fit, score, record; features are computed once
"""

from fer_kit.runtime.lazy import face

__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "descriptors": "DESCRIPTORS Hog Pixels find_descriptor",
        "baselines": "BASELINES NETWORK RECORDED describe fit_baseline fit_baselines table",
    },
)
