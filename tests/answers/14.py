# %% instead
import numpy as np
import pandas as pd

from fer_kit import evaluation
from fer_kit.studies import gender

people = gender.load_gender_faces().per_usage(300)
some = people.part("PrivateTest")
guess = np.random.default_rng(1).dirichlet((2, 2), len(some))
scores = evaluation.Scores(some, guess, "PrivateTest")
known = gender.traits(some)
first = known.columns[0]
tables = {first: gender.errors_by(scores, known[first])}
# %% 14-1 wrong: most wrong faces
worst_served = lambda errors: (errors.wrong.idxmax(), True)
# %% 14-1 wrong: without looking
worst_served = lambda errors: (errors.error.idxmax(), False)
# %% 14-1 wrong: always
worst_served = lambda errors: (errors.error.idxmax(), True)
# %% 14-1 wrong: the mean of the errors
worst_served = lambda errors: (errors.error.idxmax(), errors.low[errors.error.idxmax()] > errors.error.mean())
# %% 14-1 wrong: the highest low end
worst_served = lambda errors: (
    errors.low.idxmax(),
    errors.low.max() > errors.wrong.sum() / errors.faces.sum(),
)


# %% 14-1 wrong: the high end
def worst_served(errors):
    worst = errors.error.idxmax()
    return worst, errors.high[worst] > errors.wrong.sum() / errors.faces.sum()


# %% 14-1 wrong: always beyond its own error
worst_served = lambda errors: (errors.error.idxmax(), errors.low[errors.error.idxmax()] > errors.error.max())


# %% 14-1 right: sorted, a list
def worst_served(errors):
    row = errors.sort_values("error").iloc[-1]
    return [row.name, bool(row.low > np.average(errors.error, weights=errors.faces))]


# %% 14-1 right: in Python
def worst_served(errors):
    rows = errors.to_dict("index")
    worst = max(rows, key=lambda part: rows[part]["wrong"] / rows[part]["faces"])
    overall = sum(row["wrong"] for row in rows.values()) / sum(row["faces"] for row in rows.values())
    return worst, int(rows[worst]["low"] > overall)


# %% 14-2 wrong: the threshold is ignored
answered = lambda scores, threshold: (1.0, 1 - scores.accuracy)


# %% 14-2 wrong: divided by all faces
def answered(scores, threshold):
    sure = scores.predictions.max(axis=1) >= threshold
    return sure.mean(), (sure & ~scores.right).mean()


# %% 14-2 wrong: accuracy
def answered(scores, threshold):
    sure = scores.predictions.max(axis=1) >= threshold
    return sure.mean(), scores.right[sure].mean()


# %% 14-2 wrong: the second label only
def answered(scores, threshold):
    sure = scores.predictions[:, 1] >= threshold
    return sure.mean(), (~scores.right[sure]).mean()


# %% 14-2 wrong: more than
def answered(scores, threshold):
    sure = scores.predictions.max(axis=1) > threshold
    return sure.mean(), (~scores.right[sure]).mean() if sure.any() else 0


# %% 14-2 wrong: the share that is refused
def answered(scores, threshold):
    sure = scores.predictions.max(axis=1) >= threshold
    return 1 - sure.mean(), (~scores.right[sure]).mean()


# %% 14-2 wrong: of one network
theirs = scores


def answered(scores, threshold):
    sure = theirs.predictions.max(axis=1) >= threshold
    return sure.mean(), (~theirs.right[sure]).mean() if sure.any() else 0


# %% 14-2 wrong: nobody is sure, and nothing comes of it
def answered(scores, threshold):
    sure = scores.predictions.max(axis=1) >= threshold
    return sure.mean(), (~scores.right[sure]).mean()


# %% 14-2 right: one minus the accuracy, a list
def answered(scores, threshold):
    sure = (scores.predictions >= threshold).any(axis=1)
    return [np.mean(sure), 1 - scores.right[sure].mean() if sure.any() else 0]


# %% 14-2 right: counted, three digits
def answered(scores, threshold):
    said = [ok for row, ok in zip(scores.predictions, scores.right) if max(row) >= threshold]
    return round(len(said) / scores.faces, 3), round(said.count(False) / max(1, len(said)), 3)


# %% 14-3 wrong: counts
usage_shares = lambda some: pd.Series(some.usage).value_counts()
# %% 14-3 wrong: percent
usage_shares = lambda some: 100 * pd.Series(some.usage).value_counts(normalize=True)
# %% 14-3 wrong: of the labels
usage_shares = lambda some: pd.Series(some.labels).value_counts(normalize=True)
# %% 14-3 wrong: as they should be
usage_shares = lambda some: {"Training": 0.6, "PublicTest": 0.2, "PrivateTest": 0.2}
# %% 14-3 wrong: thirds
usage_shares = lambda some: dict.fromkeys(("Training", "PublicTest", "PrivateTest"), 1 / 3)
# %% 14-3 wrong: of all people, whatever is given
usage_shares = lambda some: pd.Series(people.usage).value_counts(normalize=True)
# %% 14-3 wrong: one is missing
usage_shares = lambda some: pd.Series(some.usage).value_counts(normalize=True).drop("PublicTest")
# %% 14-3 right: a dict
usage_shares = lambda some: {
    usage: np.mean(some.usage == usage) for usage in ("PrivateTest", "PublicTest", "Training")
}
# %% 14-3 right: from the table, rounded
usage_shares = lambda some: (some.counts().sum() / len(some)).round(2)
