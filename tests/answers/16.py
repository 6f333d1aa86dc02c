# %% instead
from types import SimpleNamespace

import numpy as np
import pandas as pd

rng = np.random.default_rng(3)
who = np.repeat(["p1", "p2", "p3"], 7)
right = rng.random(21) < 0.5
before = SimpleNamespace(right=right, accuracy=right.mean())


# %% 16-1 wrong: by pictures
def mean_over_people(who, right):
    return np.mean(right)


# %% 16-1 wrong: the median
def mean_over_people(who, right):
    return pd.Series(right).groupby(np.asarray(who)).mean().median()


# %% 16-1 wrong: people who are right more often than not
def mean_over_people(who, right):
    return (pd.Series(right).groupby(np.asarray(who)).mean() > 0.5).mean()


# %% 16-1 wrong: divided by the pictures
def mean_over_people(who, right):
    return pd.Series(right).groupby(np.asarray(who)).mean().sum() / len(right)


# %% 16-1 right: a loop
def mean_over_people(who, right):
    shares = []
    for name in set(who):
        own = [bool(r) for n, r in zip(who, right) if n == name]
        shares.append(sum(own) / len(own))
    return sum(shares) / len(shares)


# %% 16-1 right: rounded
def mean_over_people(who, right):
    return round(float(pd.Series(right).groupby(np.asarray(who)).mean().mean()), 3)


# %% 16-1 right: weights
def mean_over_people(who, right):
    _, place, counts = np.unique(who, return_inverse=True, return_counts=True)
    weights = 1 / counts[place]
    return (weights * right).sum() / weights.sum()


# %% 16-2 wrong: pictures are split
def split_people(who, share, rng):
    return rng.random(len(who)) < share


# %% 16-2 wrong: always the first
def split_people(who, share, rng):
    everybody = np.unique(who)
    return np.isin(who, everybody[: round(share * len(everybody))])


# %% 16-2 wrong: the other side
def split_people(who, share, rng):
    everybody = rng.permutation(np.unique(who))
    return ~np.isin(who, everybody[: round(share * len(everybody))])


# %% 16-2 wrong: names come back
def split_people(who, share, rng):
    everybody = rng.permutation(np.unique(who))
    return everybody[: round(share * len(everybody))]


# %% 16-2 wrong: a coin for each person
def split_people(who, share, rng):
    everybody = np.unique(who)
    return np.isin(who, everybody[rng.random(len(everybody)) < share])


# %% 16-2 wrong: cut off in place of rounded
def split_people(who, share, rng):
    everybody = np.unique(who)
    return np.isin(who, rng.permutation(everybody)[: int(share * len(everybody))])


# %% 16-2 wrong: rounded up
def split_people(who, share, rng):
    everybody = np.unique(who)
    return np.isin(who, rng.permutation(everybody)[: int(np.ceil(share * len(everybody)))])


# %% 16-2 wrong: the first pictures decide
def split_people(who, share, rng):
    everybody = pd.unique(who)
    return np.isin(who, everybody[: round(share * len(everybody))])


# %% 16-2 wrong: another generator
def split_people(who, share, rng):
    everybody = np.unique(who)
    return np.isin(who, np.random.permutation(everybody)[: round(share * len(everybody))])


# %% 16-2 right: a choice
def split_people(who, share, rng):
    everybody = sorted(set(who))
    held = rng.choice(everybody, round(share * len(everybody)), replace=False)
    return np.array([name in held for name in who])


# %% 16-2 right: shuffled, a list
def split_people(who, share, rng):
    everybody = list(set(who))
    everybody.sort()
    rng.shuffle(everybody)
    held = set(everybody[: round(share * len(everybody))])
    return [name in held for name in who]


# %% 16-3 wrong: their own accuracy
def without_each(who, right):
    return pd.Series(right).groupby(np.asarray(who)).mean().to_dict()


# %% 16-3 wrong: mean of the others' means
def without_each(who, right):
    means = pd.Series(right).groupby(np.asarray(who)).mean()
    return {name: means.drop(name).mean() for name in means.index}


# %% 16-3 wrong: divided by all pictures
def without_each(who, right):
    return {name: (right & (who != name)).sum() / len(right) for name in np.unique(who)}


# %% 16-3 wrong: the same for all
def without_each(who, right):
    return dict.fromkeys(np.unique(who).tolist(), np.mean(right))


# %% 16-3 right: by sums
def without_each(who, right):
    table = pd.Series(right).groupby(np.asarray(who)).agg(["sum", "count"])
    rest = table.sum() - table
    return (rest["sum"] / rest["count"]).to_dict()


# %% 16-3 right: rounded
def without_each(who, right):
    who, right = np.asarray(who), np.asarray(right)
    return {str(name): round(float(right[who != name].mean()), 2) for name in np.unique(who)}


# %% 16-3 right: a loop
def without_each(who, right):
    found = {}
    for name in sorted(set(who)):
        others = [bool(r) for n, r in zip(who, right) if n != name]
        found[name] = sum(others) / len(others)
    return found
