"""Faces: load them, look after them, augment and balance them.

emotions   the seven emotions, their colours, the three usages
faceset    FaceSet: images, labels, usages and names, and its subsets
loading    load_faces: from an archive, a folder, a csv or nothing to a FaceSet
files      a package: from files to faces, whatever they are packed in
usages     the usages of a copy that lacks some: known again, or held out of Training
fetch      downloading FER-2013
augment    hejslet's and murphy's augmentation; Keras layers; class weights
balancing  equally many faces of every emotion
utkface    faces with gender and age
sample     a package: faces that the kit draws itself
doctor     a package: examine a dataset and say what is wrong with it
"""

from fer_kit.runtime.lazy import face

__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "emotions": "EMOTIONS USAGES COLOURS",
        "faceset": "FaceSet",
        "loading": "load_faces",
        "augment": "augment_face augment_disgust augmentation_layers class_weights zoom",
        "balancing": "balance balance_train_folder multiply originals with_copies",
        "sample": "draw_sample",
        "doctor": "examine",
    },
)
