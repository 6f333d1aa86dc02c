"""From a camera, a film or pictures to emotions over time.

sources     frames of a camera, a film, a folder or a picture
boxes       face boxes, overlaps, RGB
detection   Haar cascades and MTCNN
tracking    KCF between detections
identities  who is who from frame to frame, and smoothing
pipeline    FacePipeline: detect, track, crop, classify, smooth
annotation  what is drawn over a frame, and writing films
timeline    the table of what was seen
demo        moving faces made from a portrait and drawn people
browser     the browser's camera in JupyterLab; colab: in Google Colab
"""

from fer_kit.runtime.lazy import face

__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "sources": "frames",
        "boxes": "overlap to_rgb",
        "detection": "DETECTORS find_detector plain_mtcnn",
        "tracking": "FaceTracker",
        "identities": "Smoother match",
        "pipeline": "FacePipeline crop_faces",
        "annotation": "annotate draw_faces video",
        "timeline": "",
        "demo": "FACE moving_faces portrait",
        "browser": "BrowserCamera",
        "colab": "ColabCamera",
    },
)
