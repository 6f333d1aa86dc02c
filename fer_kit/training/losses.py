"""The losses that a recipe can name: cross-entropy, and two made for rare emotions."""

import keras
import numpy as np
from keras import ops

from fer_kit.data.augment import class_weights

FOCAL_GAMMA = 2.0
"""The exponent of focal loss: higher values down-weight easy faces more. The best of Lin et al. 2017."""

ADJUSTMENT = 1.0
"""The tau of logit adjustment: 1 optimises the mean recall (Menon et al. 2021)."""

LEAST = 1e-37
"""Smaller probabilities are raised to this before the logarithm: below, float32 loses its precision."""


def make_loss(recipe, faces):
    """Return the Keras loss of a `Recipe` for the faces to learn from, with the recipe's label smoothing.

    The loss takes targets float (B, K) and probabilities float (B, K). "crossentropy" is `CrossEntropy`.
    "focal" multiplies it by (1 - p) ** FOCAL_GAMMA, where p is the probability of the true emotion, so that
    faces that are already right hardly count (Lin et al. 2017, without their class weight alpha).
    "logit-adjusted" is `LogitAdjusted` with the frequencies of `faces`. Raises ValueError when an emotion
    has no face.
    """
    if recipe.loss == "focal":
        return keras.losses.CategoricalFocalCrossentropy(
            alpha=1.0, gamma=FOCAL_GAMMA, label_smoothing=recipe.label_smoothing
        )
    if recipe.loss == "logit-adjusted":
        return LogitAdjusted(frequencies(faces), recipe.label_smoothing)
    return CrossEntropy(recipe.label_smoothing)


def frequencies(faces):
    """Return each emotion's share of the faces, float (K,). Raises ValueError when one has no face."""
    weights = np.array(list(class_weights(faces).values()))
    return 1 / (len(weights) * weights)


class CrossEntropy(keras.losses.Loss):
    """The mean of -log p, where p is the probability of the true emotion, with a gradient for any p.

    Keras' own computes from the logits on TensorFlow only. Elsewhere it clips p at 1e-7, so the gravest
    mistakes have no gradient: on JAX, zhao-vgg made no other mistakes after two steps of Adam.
    """

    def __init__(self, label_smoothing=0.0, name="crossentropy", **options):
        super().__init__(name=name, **options)
        self.label_smoothing = label_smoothing

    def logits(self, probabilities):
        """Return log-probabilities. They serve as logits: softmax(log p) = p."""
        return ops.log(ops.maximum(probabilities, LEAST))

    def call(self, targets, probabilities):
        """Return the loss of each face, float (B,), in nats."""
        return keras.losses.categorical_crossentropy(
            targets, self.logits(probabilities), from_logits=True, label_smoothing=self.label_smoothing
        )

    def get_config(self):
        """Return the arguments of the loss, for Keras to save."""
        return super().get_config() | {"label_smoothing": self.label_smoothing}


class LogitAdjusted(CrossEntropy):
    """Cross-entropy of the logits plus `ADJUSTMENT` * log(frequency) (Menon et al. 2021, equation 10).

    In training, frequent emotions get a bonus, so the network's own logits need not contain it. Used without
    the bonus, it predicts as if all emotions were equally frequent. `frequency` float (K,) are the shares of
    the emotions, all above 0, adding up to 1.
    """

    def __init__(self, frequency, label_smoothing=0.0, name="logit_adjusted", **options):
        super().__init__(label_smoothing, name, **options)
        self.frequency = [float(share) for share in frequency]

    def logits(self, probabilities):
        """Return the logits with the bonus for frequent emotions."""
        shares = ops.convert_to_tensor(self.frequency, probabilities.dtype)
        return super().logits(probabilities) + ADJUSTMENT * ops.log(shares)

    def get_config(self):
        """Return the arguments of the loss, for Keras to save."""
        return super().get_config() | {"frequency": self.frequency}
