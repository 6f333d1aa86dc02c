# %% instead
import numpy as np
import pandas as pd

import fer_kit
from fer_kit import evaluation, plots, show_figure, show_item

faces = fer_kit.load_faces()
names, recall = faces.names, np.full(7, 0.5)
rng = np.random.default_rng(2)


def overconfident(some):
    """Scores of a network that is right now and then, and always sure."""
    logits = rng.normal(0, 3, (len(some), 7)) + 3 * np.eye(7)[some.labels]
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return evaluation.Scores(some, shares, "PublicTest")


candidates = {"one": overconfident(faces.public_test[:300]), "other": overconfident(faces.public_test[:300])}
chosen, final = "other", overconfident(faces.private_test[:300])
# %% 09-1 wrong: by columns
sums = zhao.sum()
too_large = [name for name in names if sums[name] > 1.035]
# %% 09-1 wrong: means
sums = zhao.mean(axis=1)
too_large = ["angry", "sad"]
# %% 09-1 wrong: all that are not 1
sums = zhao.sum(axis=1)
too_large = [name for name in names if abs(sums[name] - 1) > 0.035]
# %% 09-1 wrong: the largest
sums = zhao.sum(axis=1)
too_large = [sums.idxmax()]
# %% 09-1 wrong: without the diagonal
sums = zhao.sum(axis=1) - np.diag(zhao)
too_large = ["angry", "sad"]
# %% 09-1 wrong: sorted
sums = zhao.sum(axis=1).sort_values()
too_large = ["angry", "sad"]
# %% 09-1 right: NumPy
sums = zhao.to_numpy().sum(axis=1)
too_large = np.array(names)[sums > 1.035]
# %% 09-1 right: dict, rounded, another order
sums = {name: round(sum(row), 2) for name, row in zip(names, zhao.values.tolist())}
too_large = sorted((name for name in names if sums[name] - 1 > 0.035), reverse=True)
# %% 09-1 right: a list and a tuple
sums = [float(zhao.loc[name].sum()) for name in names]
too_large = ("sad", "angry")
# %% 09-2 wrong: the accuracy of guessing
needed = evaluation.faces_needed(0.05)
# %% 09-2 wrong: margin in percent
needed = evaluation.faces_needed(5, accuracy=0.6)
# %% 09-2 wrong: the whole width
needed = evaluation.faces_needed(0.025, accuracy=0.6)
# %% 09-2 wrong: one standard error
needed = 0.6 * 0.4 / 0.05**2
# %% 09-2 wrong: of all faces
needed = evaluation.faces_needed(0.05, accuracy=0.6) / 0.0154
# %% 09-2 right: by hand
needed = 1.96**2 * 0.6 * 0.4 / 0.05**2
# %% 09-2 right: two standard errors
needed = round(4 * 0.6 * 0.4 / 0.05**2)
# %% 09-2 right: cut to whole faces
needed = int(1.96**2 * 0.6 * 0.4 / 0.05**2)


# %% 09-2 right: cut, with the error of floats
needed = int(4 * 0.6 * 0.4 / 0.05**2)


# %% 09-3 wrong: multiplying
def softened(probabilities, temperature):
    warm = np.exp(np.log(np.maximum(probabilities, 1e-12)) * temperature)
    return warm / warm.sum(axis=1, keepdims=True)


temperature = 0.5
# %% 09-3 wrong: nothing is done
softened = lambda probabilities, temperature: probabilities
temperature = 1.7
# %% 09-3 wrong: rows do not add up
softened = lambda probabilities, temperature: np.exp(np.log(probabilities) / temperature)
temperature = 1.7


# %% 09-3 wrong: the probabilities are divided
def softened(probabilities, temperature):
    warm = np.exp(probabilities / temperature)
    return warm / warm.sum(axis=1, keepdims=True)


temperature = 1.7


# %% 09-3 wrong: the whole array adds up to 1
def softened(probabilities, temperature):
    warm = probabilities ** (1 / temperature)
    return warm / warm.sum()


temperature = 1.7


# %% 09-3 wrong: a temperature of 1
def softened(probabilities, temperature):
    warm = probabilities ** (1 / temperature)
    return warm / warm.sum(axis=1, keepdims=True)


temperature = 1


# %% 09-3 wrong: the largest loss
def softened(probabilities, temperature):
    warm = probabilities ** (1 / temperature)
    return warm / warm.sum(axis=1, keepdims=True)


temperature = 0.3


# %% 09-3 right: powers, and a coarse search
def softened(probabilities, temperature):
    warm = probabilities ** (1 / temperature)
    return warm / warm.sum(axis=1, keepdims=True)


public = candidates[chosen]


def loss(t):
    return -np.log(softened(public.predictions, t)[range(public.faces), public.scored.labels]).mean()


temperature = min([k / 20 for k in range(6, 81)], key=loss)


# %% 09-3 right: kept from 0 as in section 8
def softened(probabilities, temperature):
    warm = np.exp(np.log(np.maximum(probabilities, 1e-5)) / temperature)
    return warm / warm.sum(axis=1, keepdims=True)


grid = np.linspace(0.3, 4, 75)
public = candidates[chosen]
losses = [
    -np.log(softened(public.predictions, t)[range(public.faces), public.scored.labels]).mean() for t in grid
]
temperature = grid[np.argmin(losses)]


# %% 09-3 right: an array of one
from scipy.optimize import minimize


def softened(probabilities, temperature):
    warm = (probabilities + 1e-12) ** (1 / np.squeeze(temperature))
    return warm / warm.sum(axis=1, keepdims=True)


public = candidates[chosen]
rows = np.arange(public.faces)
temperature = minimize(
    lambda t: -np.log(softened(public.predictions, t)[rows, public.scored.labels]).mean(),
    1.0,
    bounds=[(0.3, 4)],
).x


# %% 09-3 right: by SciPy
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax


def softened(probabilities, temperature):
    return np.exp(log_softmax(np.log(probabilities + 1e-12) / temperature, axis=1))


public = candidates[chosen]
temperature = minimize_scalar(
    lambda t: (
        -log_softmax(np.log(public.predictions) / t, axis=1)[range(public.faces), public.scored.labels].mean()
    ),
    bounds=(0.3, 4),
    method="bounded",
).x
