"""Scores, intervals and comparisons, and what a network looks at.

metrics    confusion matrices, F1, calibration, intervals, from labels and probabilities
scores     Scores of one network; select, vote, over_seeds, compare
scoring    evaluate: from a network and faces to Scores
saliency   feature maps, Grad-CAM, guided back-propagation, occlusion
explain    which faces to look at: confident mistakes, likely wrong labels, projections
"""

from fer_kit.runtime.lazy import face

__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "scoring": "evaluate predict",
        "scores": "Scores select vote over_seeds compare ensemble recorded_scores with_images",
        "metrics": "bootstrap calibration_error calibration_table confusion_matrix "
        "faces_needed macro_f1 wilson",
        "saliency": "",
        "explain": "",
    },
)
