"""The linear support vector machine with squared hinge loss, as Tang put it on top of a network."""

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import minimize
from sklearn.base import BaseEstimator, ClassifierMixin


class HingeSVM(ClassifierMixin, BaseEstimator):
    """A linear SVM, one emotion against the rest, with squared hinge loss (L2-SVM; Tang 2013, zhao-related).

    It minimises |w|^2 / 2 + C sum(max(0, 1 - t (w x + b))^2), with t = 1 for the emotion and -1 for the
    rest: a face costs nothing once it lies on its side of the border by a margin of 1. That is the problem
    of scikit-learn's LinearSVC, solved for all emotions at once in matrix products, which on features
    without zeros is several times faster (benchmarks/classical.py): L-BFGS in coordinates in which the
    loss bends equally in all directions at the start.

    `C` weighs faces against a small |w|; `max_iter` bounds the steps. After `fit`: `classes_` (K,),
    `coef_` float32 (D, K), `intercept_` (K,). Raises ValueError when there is only one emotion.
    """

    def __init__(self, C=1.0, max_iter=100):
        self.C = C
        self.max_iter = max_iter

    def fit(self, X, y):
        """Learn from features `X` float (N, D) and labels `y` (N,)."""
        self.classes_ = np.unique(y)
        if len(self.classes_) < 2:
            raise ValueError(f"all labels are {self.classes_.tolist()}; an SVM needs at least two emotions")
        targets = np.where(np.asarray(y)[:, None] == self.classes_, 1, -1).astype(np.float32)
        X = np.column_stack([np.asarray(X, np.float32), np.ones(len(X), np.float32)])
        shrink = np.full((X.shape[1], 1), 1 / (self.C * len(X)))
        shrink[-1] = 0  # the intercept may be as large as it likes
        turn = _level(X, shrink)
        start = np.zeros(X.shape[1] * len(self.classes_))
        done = minimize(
            _loss, start, (X @ turn.astype(np.float32), targets, turn, shrink), "L-BFGS-B", jac=True,
            options={"maxiter": self.max_iter, "ftol": 1e-6, "gtol": 1e-5},
        )  # fmt: skip
        weights = (turn @ done.x.reshape(len(turn), -1)).astype(np.float32)
        self.coef_, self.intercept_ = weights[:-1], weights[-1]
        return self

    def decision_function(self, X):
        """Return the scores float (N, K): how far each face lies on each emotion's side of its border."""
        return np.asarray(X, np.float32) @ self.coef_ + self.intercept_

    def predict(self, X):
        """Return the label (N,) with the highest score."""
        return self.classes_[self.decision_function(X).argmax(1)]


def _level(X, shrink):
    """Coordinates in which the loss at zero bends equally in all directions: w = turn @ v.

    There every face lies within its margin, and the second derivative is 2 X'X / N + shrink.
    """
    bend = (2 / len(X)) * (X.T @ X).astype(np.float64) + np.diag(shrink[:, 0])
    bend.flat[:: len(bend) + 1] += 1e-6 * np.trace(bend) / len(bend)  # for features that say the same thing
    return solve_triangular(cholesky(bend), np.eye(len(bend)))


def _loss(v, Z, targets, turn, shrink):
    """The mean loss and its gradient by `v`; `Z` (N, D) are the features in the coordinates of `v`."""
    v = v.reshape(-1, targets.shape[1])
    weights = turn @ v
    gap = np.maximum(1 - targets * (Z @ v.astype(np.float32)), 0)
    loss = (gap**2).sum(dtype=np.float64) / len(Z) + (shrink * weights**2).sum() / 2
    slope = (-2 / len(Z)) * (Z.T @ (targets * gap)) + turn.T @ (shrink * weights)
    return loss, slope.ravel()
