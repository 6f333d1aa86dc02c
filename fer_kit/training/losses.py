"""The losses that a recipe can name: cross-entropy, and two that were made for rare emotions."""

import keras
import numpy as np
from keras import ops

from fer_kit.data.augment import class_weights

FOCAL_GAMMA = 2.0
"""How steeply focal loss forgets easy faces; the best value of Lin et al. 2017, "Focal loss"."""

ADJUSTMENT = 1.0
"""The tau of logit adjustment; 1 is the value that aims at the mean recall (Menon et al. 2021)."""

LEAST = 1e-37
"""What a probability that rounds to 0 is taken for: float32 has no smaller numbers of full precision."""


def make_loss(recipe, faces):
    """Return the Keras loss of a recipe for the faces to learn from.

    It takes targets float (B, K) and probabilities float (B, K). "crossentropy" is `CrossEntropy`. "focal"
    multiplies it by (1 - p) ** FOCAL_GAMMA, p the probability of the true emotion, so that faces that are
    right already hardly count (Lin et al. 2017, without their class weight alpha). "logit-adjusted" is
    `LogitAdjusted` to the frequencies of `faces`. The label smoothing of the recipe goes with each. Raises
    ValueError when an emotion has no face to adjust to.
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
    """The mean of -log p, p the probability of the true emotion, with a gradient however small p is.

    Keras' own looks behind the softmax on TensorFlow alone. Elsewhere it takes every p below 1e-7 for
    1e-7, and the gravest mistakes teach nothing: on JAX zhao-vgg made no others after two steps of Adam.
    """

    def __init__(self, label_smoothing=0.0, name="crossentropy", **options):
        super().__init__(name=name, **options)
        self.label_smoothing = label_smoothing

    def logits(self, probabilities):
        """Return the logarithms of probabilities, which softmax does not tell apart from a model's logits."""
        return ops.log(ops.maximum(probabilities, LEAST))

    def call(self, targets, probabilities):
        """Return the loss of each face, float (B,), in nats."""
        return keras.losses.categorical_crossentropy(
            targets, self.logits(probabilities), from_logits=True, label_smoothing=self.label_smoothing
        )

    def get_config(self):
        """Return what the loss was made with, for Keras to save."""
        return super().get_config() | {"label_smoothing": self.label_smoothing}


class LogitAdjusted(CrossEntropy):
    """Cross-entropy of the logits plus `ADJUSTMENT` * log(frequency) (Menon et al. 2021, equation 10).

    While training, frequent emotions get a head start, which the network has to leave out of its own
    logits. Used without the head start, it answers as if all emotions were equally frequent.
    `frequency` float (K,) are the shares of the emotions, all above 0; they add up to 1.
    """

    def __init__(self, frequency, label_smoothing=0.0, name="logit_adjusted", **options):
        super().__init__(label_smoothing, name, **options)
        self.frequency = [float(share) for share in frequency]

    def logits(self, probabilities):
        """Return the logits with the head start."""
        shares = ops.convert_to_tensor(self.frequency, probabilities.dtype)
        return super().logits(probabilities) + ADJUSTMENT * ops.log(shares)

    def get_config(self):
        """Return what the loss was made with, for Keras to save."""
        return super().get_config() | {"frequency": self.frequency}
