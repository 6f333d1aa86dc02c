"""Faces that the kit draws itself: a dataset for everyone, which may be shown and passed on.

people       draw_sample: who is drawn, with which emotion; draw_people: the same people, muscle by muscle;
             draw_hair_sample: long and short hair
votes        draw_votes: ten simulated votes for each face, in the form of FER+
expressions  facial action units of each emotion (FACS)
drawing      from numbers to grey pictures; features: eyes, brows, mouth and the rest of a face
"""

from fer_kit.runtime.lazy import face

__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "people": "draw_sample draw_people true_labels",
        "votes": "draw_votes",
        "expressions": "ACTION_UNITS PROTOTYPES",
    },
)
