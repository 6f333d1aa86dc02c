# %% instead
import keras
import numpy as np
import pandas as pd
from keras import layers
from optuna.distributions import FloatDistribution

from fer_kit.data import draw_sample
from fer_kit.studies import tuning
from fer_kit.training import RECIPES

recipe, faces = RECIPES["choudhari"], draw_sample(70)


# %% 08-1 wrong: the counter is never set back
def stops_after(losses, patience):
    best, wait = float("inf"), 0
    for epoch, loss in enumerate(losses, 1):
        wait += loss >= best
        best = min(best, loss)
        if wait == patience:
            return epoch
    return len(losses)


# %% 08-1 wrong: an equal loss is taken for better
def stops_after(losses, patience):
    best, wait = float("inf"), 0
    for epoch, loss in enumerate(losses, 1):
        wait = 0 if loss <= best else wait + 1
        best = min(best, loss)
        if wait == patience:
            return epoch
    return len(losses)


# %% 08-1 wrong: compared with the epoch before
def stops_after(losses, patience):
    wait = 0
    for epoch in range(1, len(losses)):
        wait = 0 if losses[epoch] < losses[epoch - 1] else wait + 1
        if wait == patience:
            return epoch + 1
    return len(losses)


# %% 08-1 wrong: counted from 0
def stops_after(losses, patience):
    best, wait = float("inf"), 0
    for epoch, loss in enumerate(losses):
        wait = 0 if loss < best else wait + 1
        best = min(best, loss)
        if wait == patience:
            return epoch
    return len(losses)


# %% 08-1 wrong: one epoch too patient
def stops_after(losses, patience):
    best, wait = float("inf"), 0
    for epoch, loss in enumerate(losses, 1):
        wait = 0 if loss < best else wait + 1
        best = min(best, loss)
        if wait > patience:
            return epoch
    return len(losses)


# %% 08-1 wrong: the best epoch
stops_after = lambda losses, patience: int(np.argmin(losses)) + 1


# %% 08-1 wrong: without an end there is no answer
def stops_after(losses, patience):
    best, waited = float("inf"), 0
    for epoch, loss in enumerate(losses, 1):
        waited = 0 if loss < best else waited + 1
        best = min(best, loss)
        if waited == patience:
            return epoch


# %% 08-1 right: looking back
def stops_after(losses, patience):
    for epoch in range(patience + 1, len(losses) + 1):
        if min(losses[:epoch]) == min(losses[: epoch - patience]):
            return epoch
    return len(losses)


# %% 08-1 right: the place of the best
def stops_after(losses, patience):
    best = 0
    for epoch in range(len(losses)):
        if losses[epoch] < losses[best]:
            best = epoch
        if epoch - best >= patience:
            return epoch + 1
    return epoch + 1


# %% 08-2 wrong: one seed
trainings = 5 * 4 * 2 * 2
# %% 08-2 wrong: the lesson's three dropout rates
trainings = 5 * 4 * 3 * 2 * 3
# %% 08-2 wrong: two grids
trainings = 3 * (5 * 4 + 2 * 2)
# %% 08-2 wrong: a sum
trainings = 3 * (5 + 4 + 2 + 2)
# %% 08-2 wrong: murphy's batch sizes as well
trainings = 5 * 4 * 3 * 2 * 2 * 3
# %% 08-2 right: by hand
trainings = float(5 * 4 * 2 * 2 * 3)
# %% 08-2 right: listed
from itertools import product

fig6, other = tuning.SPACES["choudhari-fig6"], tuning.SPACES["murphy-tuning"]
trainings = len(
    list(product(fig6["batch_size"], fig6["learning_rate"], other["dropout"], other["schedule"], range(3)))
)
# %% 08-3 wrong: other bounds
mine = {"weight_decay": FloatDistribution(1e-8, 1, log=True), "label_smoothing": [0, 0.1, 0.2]}
# %% 08-3 wrong: no logarithm
mine = {"weight_decay": FloatDistribution(1e-5, 1e-2), "label_smoothing": [0, 0.1, 0.2]}
# %% 08-3 wrong: a name of one's own
mine = {"decay": FloatDistribution(1e-5, 1e-2, log=True), "smoothing": [0, 0.1, 0.2]}
# %% 08-3 wrong: a range of smoothing
mine = {
    "weight_decay": FloatDistribution(1e-5, 1e-2, log=True),
    "label_smoothing": FloatDistribution(0, 0.2),
}
# %% 08-3 wrong: one value is missing
mine = {"weight_decay": FloatDistribution(1e-5, 1e-2, log=True), "label_smoothing": [0.1, 0.2]}
# %% 08-3 wrong: powers of ten alone
mine = {"weight_decay": [1e-5, 1e-4, 1e-3, 1e-2], "label_smoothing": [0, 0.1, 0.2]}
# %% 08-3 right: in another order
mine = {
    "label_smoothing": (0.2, 0.1, 0.0),
    "weight_decay": FloatDistribution(log=True, high=0.01, low=0.00001),
}
# %% 08-3 right: Optuna's distributions
from optuna.distributions import CategoricalDistribution

mine = {
    "weight_decay": FloatDistribution(1e-5, 1e-2, log=True),
    "label_smoothing": CategoricalDistribution([0, 0.1, 0.2]),
}
# %% 08-3 right: steps
mine = {
    "weight_decay": FloatDistribution(1e-5, 1e-2, log=True),
    "label_smoothing": FloatDistribution(0, 0.2, step=0.1),
}
