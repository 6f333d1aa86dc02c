# %% instead
import numpy as np

from fer_kit import evaluation
from fer_kit.studies import reproduction

runs = reproduction.finished_runs()
private = runs[0].score("PrivateTest")
counts = np.array(private["confusion"])
# %% 15-1 wrong: the median
minutes = lambda run: run.history.seconds.median() / 60
# %% 15-1 wrong: seconds
minutes = lambda run: run.history.seconds.mean()
# %% 15-1 wrong: hours
minutes = lambda run: run.history.seconds.mean() / 3600
# %% 15-1 wrong: all epochs
minutes = lambda run: run.history.seconds.sum() / 60
# %% 15-1 wrong: the last epoch
minutes = lambda run: run.history.seconds.iloc[-1] / 60
# %% 15-1 wrong: of one run
minutes = lambda run: runs[0].history.seconds.mean() / 60
# %% 15-1 right: two decimals
minutes = lambda run: round(sum(run.history.seconds) / len(run.history) / 60, 2)
# %% 15-1 right: from the summary
import re

minutes = lambda run: float(re.search(r"([\d.]+) min", run.summary)[1]) / len(run.history)
# %% 15-2 wrong: precision
macro_recall = lambda counts: np.mean(np.diagonal(counts) / np.maximum(counts.sum(axis=0), 1))
# %% 15-2 wrong: accuracy
macro_recall = lambda counts: np.trace(counts) / counts.sum()
# %% 15-2 wrong: in percent
macro_recall = lambda counts: 100 * np.mean(np.diagonal(counts) / counts.sum(axis=1))
# %% 15-2 wrong: of the record, whatever is given
macro_recall = lambda counts: private["balanced_accuracy"]
# %% 15-2 wrong: macro-F1
macro_recall = evaluation.macro_f1
# %% 15-2 wrong: the median
macro_recall = lambda counts: np.median(np.diagonal(counts) / counts.sum(axis=1))
# %% 15-2 right: in a loop, four digits
macro_recall = lambda counts: round(sum(row[k] / sum(row) for k, row in enumerate(counts)) / len(counts), 4)
# %% 15-2 right: normalised first
macro_recall = lambda counts: np.trace(counts / counts.sum(axis=1, keepdims=True)) / len(counts)
# %% 15-3 wrong: one standard error
needed = (0.588 * 0.412 + 0.6 * 0.4) * (1 / 0.012) ** 2
# %% 15-3 wrong: one network's variance
needed = 0.6 * 0.4 * (2 / 0.012) ** 2
# %% 15-3 wrong: deviations added up
needed = (np.sqrt(0.588 * 0.412) + np.sqrt(0.6 * 0.4)) ** 2 * (2 / 0.012) ** 2
# %% 15-3 wrong: an interval of half the width
needed = evaluation.faces_needed(0.006, 0.6)
# %% 15-3 wrong: both test sets together
needed = 2 * (0.588 * 0.412 + 0.6 * 0.4) * (2 / 0.012) ** 2
# %% 15-3 wrong: both shares one half
needed = 0.5 * (1.96 / 0.012) ** 2
# %% 15-3 right: 1.96
needed = round((0.588 * 0.412 + 0.6 * 0.4) * (1.96 / 0.012) ** 2)
# %% 15-3 right: a loop
needed = 100
while 0.012 < 2 * np.sqrt((0.588 * 0.412 + 0.6 * 0.4) / needed):
    needed += 10
