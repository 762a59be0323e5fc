"""How well scores tell two kinds of inputs apart, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dnn_topology._calls import checked, checked_fields
from dnn_topology._checks import DnnTopologyError, check_draws
from dnn_topology.graphs.checks import real_array

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

DETECTED = 0.95  # share of the positives that must be found when false alarms are counted
LEVEL = 0.95  # of the intervals
FEW = 30  # scores of a kind, below which a bootstrap sample repeats them too often to say how sure an AUROC is


@checked_fields
@dataclass(frozen=True)
class Separation:
    """How well scores tell positives from negatives.

    Attributes:
        auroc: Chance that a positive scores higher than a negative, ties counting half: 0.5 is chance.
        auroc_low: Lower end of its 95 % interval.
        auroc_high: Upper end.
        fpr95: Share of the negatives at or above the highest threshold that finds 95 % of the positives.
        fpr95_low: Lower end of its 95 % interval.
        fpr95_high: Upper end.
        n_negative: How many negatives.
        n_positive: How many positives.
    """

    auroc: float
    auroc_low: float
    auroc_high: float
    fpr95: float
    fpr95_low: float
    fpr95_high: float
    n_negative: int
    n_positive: int


@checked
def compare_scores(
    negative: ArrayLike, positive: ArrayLike, /, *, paired: bool = False, resamples: int = 500, seed: int = 0
) -> Separation:
    """Measure how well scores tell positives (higher) from negatives, with 95 % intervals.

    They are percentile bootstrap intervals; of fewer than 30 scores of a kind the AUROC has Newcombe's, and the false
    alarms have none but [0, 1] where there are too few positives for 95 % of them to be other than all.

    Args:
        negative: (n,): scores of one kind, such as clean inputs.
        positive: (m,): scores of the other, such as adversarial inputs.
        paired: Whether the i-th scores of both kinds are of one input, which is then drawn as one.
        resamples: Bootstrap samples, drawn from both kinds apart unless they are paired.
        seed: Of the draws.

    Returns:
        The separation.

    Raises:
        DnnTopologyError: A kind has no score, one is NaN, or pairs are asked for and kinds differ in number.

    Source:
        Newcombe, Confidence intervals for an effect size measure based on the Mann–Whitney statistic, part 2,
        Statistics in Medicine 2006 (method 5).

    Example:
        >>> separation = compare_scores([0.0, 0.1, 0.2], [0.15, 0.9, 1.0])
        >>> round(separation.auroc, 3), round(separation.fpr95, 3)
        (0.889, 0.333)
    """
    from sklearn.metrics import roc_auc_score

    given = {"negative": negative, "positive": positive}
    low, high = (real_array(name, scores).astype(np.float64).ravel() for name, scores in given.items())
    check_draws("resamples", resamples, max(len(low), len(high), 1))
    if not len(low) or not len(high):
        raise DnnTopologyError(f"scores of both kinds are needed, found {len(low)} negatives and {len(high)} positives")
    if np.isnan(low).any() or np.isnan(high).any():
        raise DnnTopologyError("a score is NaN: leave out that detector")
    ranked = np.unique(np.concatenate([low, high]), return_inverse=True)[1]  # infinite scores are ranks too
    low, high = ranked[: len(low)].astype(float), ranked[len(low) :].astype(float)
    auroc = float(roc_auc_score(np.repeat([0, 1], [len(low), len(high)]), np.concatenate([low, high])))
    if paired and len(low) != len(high):
        raise DnnTopologyError(f"paired scores must be as many of both kinds, found {len(low)} and {len(high)}")
    aurocs, alarms = _bootstrap(low, high, resamples, np.random.default_rng(seed), paired=paired)
    tail = (1 - LEVEL) / 2
    (auroc_low, auroc_high), (fpr_low, fpr_high) = (
        (float(end) for end in np.quantile(drawn, [tail, 1 - tail])) for drawn in (aurocs, alarms)
    )
    if min(len(low), len(high)) < FEW:
        auroc_low, auroc_high = _newcombe(auroc, len(low), len(high))
    if _needed(len(high)) == len(high):
        fpr_low, fpr_high = 0.0, 1.0
    alarm = _false_alarms(low, high)
    return Separation(auroc, auroc_low, auroc_high, alarm, fpr_low, fpr_high, len(low), len(high))


def _false_alarms(low: NDArray[np.float64], high: NDArray[np.float64]) -> float:
    """Return the share of negatives at or above the highest threshold that finds enough positives."""
    threshold = np.sort(high)[len(high) - _needed(len(high))]
    return float((low >= threshold).mean())


def _newcombe(auroc: float, n_negative: int, n_positive: int) -> tuple[float, float]:
    """Return the ends of Newcombe's interval: values from which the AUROC lies 1.96 of their standard errors away."""
    from scipy.optimize import brentq
    from scipy.stats import norm

    z, half = norm.ppf((1 + LEVEL) / 2), (n_negative + n_positive) / 2 - 1

    def beyond(value: float) -> float:
        spread = 1 + half * ((1 - value) / (2 - value) + value / (1 + value))
        return float((auroc - value) ** 2 - z**2 * value * (1 - value) * spread / (n_negative * n_positive))

    # 0 and 1 are roots of their own where they are the AUROC, and not those that are meant.
    low = 0.0 if auroc <= 0 else float(brentq(beyond, 0.0, min(auroc, 1 - 1e-9)))
    high = 1.0 if auroc >= 1 else float(brentq(beyond, max(auroc, 1e-9), 1.0))
    return low, high


def _needed(n_positive: int) -> int:
    """Return how many positives must be found."""
    return int(np.ceil(DETECTED * n_positive - 1e-9))


def _bootstrap(
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    resamples: int,
    rng: np.random.Generator,
    *,
    paired: bool = False,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return AUROC and false alarms of every bootstrap sample, (resamples,) each.

    With how often each score was drawn, an AUROC is a bilinear form in the table of comparisons.
    """
    wins = (high > low[:, None]) + 0.5 * (high == low[:, None])
    drawn_low = rng.multinomial(len(low), np.full(len(low), 1 / len(low)), size=resamples)
    drawn_high = drawn_low if paired else rng.multinomial(len(high), np.full(len(high), 1 / len(high)), size=resamples)
    aurocs = ((drawn_low @ wins) * drawn_high).sum(axis=1) / (len(low) * len(high))
    falling = np.argsort(-high)
    detected = drawn_high[:, falling].cumsum(axis=1)
    thresholds = high[falling][(detected < _needed(len(high))).sum(axis=1)]
    alarms = (drawn_low * (low >= thresholds[:, None])).sum(axis=1) / len(low)
    return aurocs, alarms
