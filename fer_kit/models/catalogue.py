"""The networks that there are, by name, with what is known of each before it is built: it needs no Keras."""

from typing import NamedTuple

from fer_kit.runtime.names import unknown


class Architecture(NamedTuple):
    """A row of `MODELS`.

    `augmentation` what the network is trained with; `source` the report's item, or "kit"; `separable` whether
    its convolutions are depthwise separable: these do little arithmetic for each number that they move;
    `description` in a few words.
    """

    augmentation: str
    source: str
    separable: bool
    description: str


_ROWS = {
    "zhao-cnn": ("light", "zhao-cnn", False, "three convolutions, large dense layers"),
    "zhao-vgg": ("light", "zhao-vgg", False, "eight convolutions, the same dense layers"),
    "zhao-resnet": ("light", "zhao-resnet", False, "ResNet-18: shortcuts, no dense layers"),
    "zhao-sepconv": ("light", "zhao-sepconv", True, "separable, real time; layers ours"),
    "choudhari-cnn": ("murphy", "choudhari-cnn", False, "the textbook CNN; widths ours"),
    "hejslet-large": ("hejslet", "hejslet-large", False, "five convolutions: overfits"),
    "hejslet-light": ("hejslet", "hejslet-light", False, "smaller; widths ours"),
    "kit-small": ("light", "kit", True, "separable and residual, under 60,000 parameters"),
    "kit-compact": ("strong", "kit", False, "seven convolutions, small enough to ship"),
    "kit-best": ("strong", "kit", False, "eight wide convolutions: the kit's most accurate"),
}

MODELS = {name: Architecture(*row) for name, row in _ROWS.items()}
"""Every network by its name; the function of `networks` that builds it is called the same."""


def find_architecture(name):
    """Return the `Architecture` called `name`. Raises ValueError, with the nearest, for an unknown name."""
    if name not in MODELS:
        raise ValueError(unknown("model", name, MODELS))
    return MODELS[name]
