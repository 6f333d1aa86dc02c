# %% instead
from dataclasses import replace

import numpy as np

from fer_kit import plots
from fer_kit.data import draw_sample

faces = draw_sample()
rng = np.random.default_rng(0)
counts = rng.multinomial(10, rng.dirichlet(np.full(7, 0.3), 300))
voted = replace(faces[:300], targets=(counts / 10).astype("float32"))
same = replace(voted, targets=None)


# %% 18-1 wrong: in bits
def doubt(votes):
    shares = np.asarray(votes) / np.sum(votes)
    shares = shares[shares > 0]
    return -(shares * np.log2(shares)).sum()


# %% 18-1 wrong: largest share
def doubt(votes):
    return (1 - np.max(votes) / np.sum(votes)) / (1 - 1 / len(votes))


# %% 18-1 wrong: Gini impurity
def doubt(votes):
    shares = np.asarray(votes) / np.sum(votes)
    return (1 - (shares**2).sum()) / (1 - 1 / len(votes))


# %% 18-1 wrong: zeros give NaN
def doubt(votes):
    shares = np.asarray(votes) / np.sum(votes)
    return -(shares * np.log(shares)).sum() / np.log(len(votes))


# %% 18-1 wrong: by the answers that occur
def doubt(votes):
    shares = np.asarray([v for v in votes if v]) / np.sum(votes)
    return -(shares * np.log(shares)).sum() / max(np.log(len(shares)), 1e-9)


# %% 18-1 wrong: always of seven answers
def doubt(votes):
    shares = np.asarray([v for v in votes if v]) / np.sum(votes)
    return -(shares * np.log(shares)).sum() / np.log(7)


# %% 18-1 right: SciPy
def doubt(votes):
    from scipy.stats import entropy

    return entropy(votes, base=len(votes))


# %% 18-1 right: three digits
def doubt(counts):
    shares = np.asarray(counts) / np.sum(counts)
    some = shares[shares > 0]
    return round(float(-(some * np.log(some)).sum() / np.log(len(shares))), 3)


# %% 18-1 right: a loop
def doubt(votes):
    total, bits = sum(votes), 0
    for count in votes:
        if count:
            bits += count / total * np.log2(total / count)
    return bits / np.log2(len(votes))


# %% 18-2 wrong: with replacement
def same_winner(votes, n, rng):
    drawn = rng.multinomial(n, np.asarray(votes) / np.sum(votes))
    return drawn.argmax() == np.argmax(votes) and (drawn == drawn.max()).sum() == 1


# %% 18-2 wrong: a tie is enough
def same_winner(votes, n, rng):
    written = np.repeat(np.arange(len(votes)), votes)
    drawn = np.bincount(rng.choice(written, n, replace=False), minlength=len(votes))
    return drawn[np.argmax(votes)] == drawn.max()


# %% 18-2 wrong: a tie counts when the winner comes first
def same_winner(votes, n, rng):
    drawn = np.bincount(
        rng.choice(np.repeat(np.arange(len(votes)), votes), n, replace=False), minlength=len(votes)
    )
    return drawn.argmax() == np.argmax(votes)


# %% 18-2 wrong: more than half of the draws
def same_winner(counts, n, rng):
    votes = np.bincount(
        rng.choice(np.repeat(np.arange(len(counts)), counts), n, replace=False), minlength=len(counts)
    )
    return votes[counts.argmax()] > n / 2


# %% 18-2 wrong: always
def same_winner(votes, n, rng):
    return True


# %% 18-2 wrong: the first votes
def same_winner(votes, n, rng):
    drawn = np.bincount(np.repeat(np.arange(len(votes)), votes)[:n], minlength=len(votes))
    return drawn.argmax() == np.argmax(votes)


# %% 18-2 wrong: one drawn vote decides
def same_winner(votes, n, rng):
    return rng.choice(np.repeat(np.arange(len(votes)), votes)) == np.argmax(votes)


# %% 18-2 right: a permutation
def same_winner(votes, n, rng):
    drawn = rng.permutation(np.repeat(np.arange(len(votes)), votes))[:n]
    many = [int((drawn == k).sum()) for k in range(len(votes))]
    return many.count(max(many)) == 1 and many.index(max(many)) == list(votes).index(max(votes))


# %% 18-2 right: hypergeometric
def same_winner(votes, n, rng):
    drawn = rng.multivariate_hypergeometric(np.asarray(votes), n)
    first, second = np.sort(drawn)[[-1, -2]]
    return first > second and drawn[np.argmax(votes)] == first


# %% 18-3 wrong: the other order
def ceiling(labels, targets):
    return targets[range(len(labels)), labels].mean(), (targets.argmax(axis=1) == labels).mean()


# %% 18-3 wrong: the winner's share
def ceiling(labels, targets):
    return (targets.argmax(axis=1) == labels).mean(), targets.max(axis=1).mean()


# %% 18-3 wrong: counts
def ceiling(labels, targets):
    return (targets.argmax(axis=1) == labels).sum(), targets[range(len(labels)), labels].sum()


# %% 18-3 wrong: the sum of squares
def ceiling(labels, targets):
    return (targets.argmax(axis=1) == labels).mean(), (targets**2).sum(axis=1).mean()


# %% 18-3 wrong: a whole column
def ceiling(labels, targets):
    return (targets.argmax(axis=1) == labels).mean(), targets[:, labels].mean()


# %% 18-3 right: a loop
def ceiling(labels, targets):
    hits = [int(np.argmax(row) == label) for row, label in zip(targets, labels)]
    own = [float(row[label]) for row, label in zip(targets, labels)]
    return [sum(hits) / len(hits), sum(own) / len(own)]


# %% 18-3 right: three digits
def ceiling(labels, shares):
    rows = np.arange(len(labels))
    return round(float((shares.argmax(axis=1) == labels).mean()), 3), round(
        float(shares[rows, labels].mean()), 3
    )


# %% 18-3 right: one-hot labels
def ceiling(labels, targets):
    one_hot = np.eye(targets.shape[1])[labels]
    best = np.eye(targets.shape[1])[targets.argmax(axis=1)]
    return np.array([(one_hot * best).sum(), (one_hot * targets).sum()]) / len(labels)
