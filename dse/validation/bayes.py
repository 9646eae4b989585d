"""A small Bayesian regression of logarithms, for few observations that differ from one another by more than noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

SCATTERS = np.geomspace(0.02, 2.0, 60)  # of the logarithm: chips that agree to 2 %, or not within a factor of 7
STEPS = 30  # of Gauss and Newton; a straight line takes one
LONGEST_STEP = 1.0  # in the logarithm of a constant
FREEDOM = 4.0  # of Student's t, which chips scatter by: now and then one is built quite differently from the rest
TAIL = 2.132 / 1.645  # 95 % quantile of that distribution over the normal one's

# Constants -> logarithm of the modelled value of each observation, and its slopes [observation, constant].
Predict = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Prior:
    """What is believed before: each constant normal about `mean`, the scatter between chips half-normal."""

    mean: np.ndarray
    deviation: np.ndarray
    scatter: float


@dataclass(frozen=True)
class Posterior:
    """What is believed after: constants normal with this covariance; `scatter` is the deviation of the normal
    distribution that holds as many chips within its 90 % interval."""

    mean: np.ndarray
    covariance: np.ndarray
    scatter: float

    def deviation(self, slopes: np.ndarray) -> np.ndarray:
        """Standard deviation of the logarithm of one more chip's value, for slopes [observation, constant]."""
        return np.sqrt(self.scatter**2 + np.einsum("oi,ij,oj->o", slopes, self.covariance, slopes))


def fit(predict: Predict, observed: np.ndarray, chips: list[str], prior: Prior) -> Posterior:
    """The posterior of the constants and of the scatter between chips.

        ln observed = ln modelled(constants) + chip effect,  chip effect ~ scatter x Student's t of 4 degrees of freedom

    Observations of one chip are averaged first: they share its effect. For each scatter on a grid the constants have
    their best value, found by reweighing chips that stand apart, and by Laplace's method a normal posterior; the grid
    is weighed by evidence times prior, and its mixture summed up by mean and covariance.
    """
    if not len(observed):
        return Posterior(prior.mean, np.diag(prior.deviation**2), TAIL * prior.scatter)
    average = averaging(chips)
    found = [_at(scatter, predict, average @ np.log(observed), average, prior) for scatter in SCATTERS]
    evidence = np.array([e for _, _, e in found]) - 0.5 * (SCATTERS / prior.scatter) ** 2 + np.log(SCATTERS)
    weights = np.exp(evidence - evidence.max())
    weights /= weights.sum()
    means = np.array([mean for mean, _, _ in found])
    mean = weights @ means
    apart = means - mean
    covariance = np.einsum("s,sij->ij", weights, np.array([c for _, c, _ in found]))
    covariance += np.einsum("s,si,sj->ij", weights, apart, apart)
    return Posterior(mean, covariance, TAIL * float(np.sqrt(weights @ SCATTERS**2)))


def averaging(chips: list[str]) -> np.ndarray:
    """The matrix [chip, observation] that averages the observations of each chip."""
    names = list(dict.fromkeys(chips))
    member = np.array([[chip == name for chip in chips] for name in names], float)
    return member / member.sum(axis=1, keepdims=True)


def _at(
    scatter: float, predict: Predict, wanted: np.ndarray, average: np.ndarray, prior: Prior
) -> tuple[np.ndarray, np.ndarray, float]:
    """Best constants, their covariance and the logarithm of the evidence for a known scatter."""
    theta, curvature = prior.mean.copy(), np.diag(1 / prior.deviation**2)
    for _ in range(STEPS):
        logs, slopes = predict(theta)
        missed, slopes = wanted - average @ logs, average @ slopes
        weights = (FREEDOM + 1) / (FREEDOM * scatter**2 + missed**2)
        curvature = (slopes.T * weights) @ slopes + np.diag(1 / prior.deviation**2)
        pull = (slopes.T * weights) @ missed - (theta - prior.mean) / prior.deviation**2
        step = np.linalg.solve(curvature, pull)
        theta = theta + step / max(1.0, float(np.abs(step).max()) / LONGEST_STEP)
        if np.abs(step).max() < 1e-9:
            break
    missed = wanted - average @ predict(theta)[0]
    likelihood = -0.5 * (FREEDOM + 1) * np.log1p((missed / scatter) ** 2 / FREEDOM) - np.log(scatter)
    believed = np.sum(((theta - prior.mean) / prior.deviation) ** 2)
    evidence = likelihood.sum() - 0.5 * believed - 0.5 * np.linalg.slogdet(curvature)[1]
    return theta, np.linalg.inv(curvature), float(evidence)
