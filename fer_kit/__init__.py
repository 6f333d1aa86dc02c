"""A kit for teaching facial expression recognition on FER-2013.

runtime      settings, devices, files
data         faces: loading, augmenting, balancing; the drawn sample; the doctor
models       networks: building, loading trained ones, exporting
training     fit, recipes, records
evaluation   scores and explanations
studies      experiments of single lessons
camera       detection, tracking, the live demo
plots        every figure
session      what a notebook does first; reports: figures and numbers beside the reports' own
tools        the command line; quiz: five questions after a lesson

The names below are loaded when they are first used, so that `import fer_kit` is instant and what needs Keras
is imported only by those who train.
"""

from fer_kit.runtime.lazy import face

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "data": "EMOTIONS FaceSet examine load_faces",
        "models": "build load_pretrained",
        "training": "RECIPES fit recorded",
        "evaluation": "evaluate",
        "runtime": "choose_seed output_dir profile",
        "session": "check_hardware setup",
        "reports": "show_figure show_item show_record",
        "tools.quiz": "quiz",
        "studies": "",
        "camera": "",
        "plots": "",
        "tools": "",
    },
)
