# %% instead
import numpy as np

import fer_kit
from fer_kit import data, evaluation
from fer_kit.studies import drop_emotion

faces = fer_kit.load_faces().per_usage(600)
names, few = faces.names, faces.public_test
guess = np.random.default_rng(5).dirichlet(np.full(7, 0.5), len(few)) + 0.5 * np.eye(7)[few.labels]
seven = evaluation.Scores(few, guess / guess.sum(axis=1, keepdims=True), "PublicTest")


# %% 07-1 wrong: the two best single ones
def best_pair(scores):
    gains = {name: drop_emotion.without(scores, name).accuracy for name in names}
    return sorted(names, key=gains.get)[-2:]


# %% 07-1 wrong: looked up
best_pair = lambda scores: ("fear", "sad")


# %% 07-1 wrong: right faces are counted, not divided
def best_pair(scores):
    pairs = [(one, two) for one in names for two in names if one < two]
    return max(pairs, key=lambda two: drop_emotion.without(scores, *two).right.sum())


# %% 07-1 wrong: the lowest recalls
best_pair = lambda scores: tuple(scores.per_emotion.recall.nsmallest(2).index)


# %% 07-1 wrong: the worst pair
def best_pair(scores):
    pairs = [(one, two) for one in names for two in names if one < two]
    return min(pairs, key=lambda two: drop_emotion.without(scores, *two).accuracy)


# %% 07-1 wrong: for one network only
def best_pair(scores):
    pairs = [(one, two) for one in names for two in names if one < two]
    return max(pairs, key=lambda two: drop_emotion.without(seven, *two).accuracy)


# %% 07-1 wrong: without masking
def best_pair(scores):
    pairs = [(one, two) for one in range(7) for two in range(one)]
    best = max(pairs, key=lambda two: scores.right[~np.isin(scores.scored.labels, two)].mean())
    return [names[label] for label in best]


# %% 07-1 wrong: the best one, then the best beside it
def best_pair(scores):
    first = max(names, key=lambda name: drop_emotion.without(scores, name).accuracy)
    rest = [name for name in names if name != first]
    return first, max(rest, key=lambda name: drop_emotion.without(scores, first, name).accuracy)


# %% 07-1 right: in loops, a list
def best_pair(scores):
    best, accuracy = None, 0
    for one in names:
        for two in names:
            if one != two and drop_emotion.without(scores, two, one).accuracy > accuracy:
                best, accuracy = [one, two], drop_emotion.without(scores, two, one).accuracy
    return best


# %% 07-1 right: by hand
def best_pair(scores):
    reached = {}
    for one in range(7):
        for two in range(one):
            kept = ~np.isin(scores.scored.labels, [one, two])
            masked = scores.predictions[kept].copy()
            masked[:, [one, two]] = 0
            reached[names[one], names[two]] = np.mean(masked.argmax(axis=1) == scores.scored.labels[kept])
    return max(reached, key=reached.get)


# %% 07-2 wrong: right for gamma 0 and 2 only
focal = lambda p, gamma: -np.log(p) if gamma == 0 else -((1 - p) ** 2) * np.log(p)
# %% 07-2 wrong: p to the power
focal = lambda p, gamma: -(p**gamma) * np.log(p)
# %% 07-2 wrong: no minus
focal = lambda p, gamma: (1 - p) ** gamma * np.log(p)
# %% 07-2 wrong: gamma as a factor
focal = lambda p, gamma: -(1 - gamma * p) * np.log(p)
# %% 07-2 wrong: log to the base 2
focal = lambda p, gamma: -((1 - p) ** gamma) * np.log2(p)
# %% 07-2 wrong: RetinaNet's alpha
focal = lambda p, gamma: -0.25 * (1 - p) ** gamma * np.log(p)
# %% 07-2 right: of the inverse
import math

focal = lambda p, gamma: math.pow(1 - p, gamma) * math.log(1 / p)
# %% 07-2 right: rounded
focal = lambda p, gamma: np.round(np.exp(gamma * np.log1p(-p)) * -np.log(p), 5)
# %% 07-3 wrong: nearly half
groups = data.originals(copies)
held = np.isin(groups, np.unique(groups)[::2])
# %% 07-3 wrong: row by row
held = np.random.default_rng(0).random(len(copies)) < 0.2
# %% 07-3 wrong: happy faces only
groups = data.originals(copies)
held = np.isin(groups, np.unique(groups[copies.labels == 3])[::2])
# %% 07-3 wrong: faces without copies only
groups, times = np.unique(data.originals(copies), return_counts=True)
held = np.isin(data.originals(copies), groups[times == 1][::4])
# %% 07-3 wrong: nobody
held = np.zeros(len(copies), bool)
# %% 07-3 wrong: a third
groups = data.originals(copies)
held = np.isin(groups, np.unique(groups)[::3])
# %% 07-3 wrong: a tenth
groups = data.originals(copies)
held = np.isin(groups, np.unique(groups)[::10])
# %% 07-3 wrong: rows in place of a mask
groups = data.originals(copies)
held = np.flatnonzero(np.isin(groups, np.unique(groups)[::5]))
# %% 07-3 wrong: a quarter
groups = data.originals(copies)
held = np.isin(groups, np.unique(groups)[::4])
# %% 07-3 wrong: a seventh
groups = data.originals(copies)
held = np.isin(groups, np.unique(groups)[::7])
# %% 07-3 right: by scikit-learn
from sklearn.model_selection import GroupShuffleSplit

_, rows = next(
    GroupShuffleSplit(1, test_size=0.2, random_state=0).split(copies.images, groups=data.originals(copies))
)
held = np.isin(np.arange(len(copies)), rows)
# %% 07-3 right: a list
groups = data.originals(copies).tolist()
chosen = set(
    np.random.default_rng(1).choice(sorted(set(groups)), len(set(groups)) // 5, replace=False).tolist()
)
held = [group in chosen for group in groups]
