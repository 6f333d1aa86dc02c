"""Classical features and classifiers: HOG, LBP, Gabor, SIFT with KNN and SVM.

descriptors    from faces to feature vectors; feature_cache: computed once
baselines      classifiers by name; hinge: the linear one
comparison     fit and score them all
"""

from fer_kit.runtime.lazy import face

__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "descriptors": "DESCRIPTORS Hog Pixels find_descriptor",
        "feature_cache": "describe",
        "hinge": "HingeSVM",
        "baselines": "BASELINES NETWORK",
        "comparison": "RECORDED fit_baseline fit_baselines table",
    },
)
