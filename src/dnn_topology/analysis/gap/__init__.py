"""How much worse will a network do on unseen data? A model of the gap, and how far it can be trusted.

table        which rows and columns a model can be made of
model        fit, predict with an interval, save, load
methods      the functions that a model can be
folds        predictions for networks that were left out: one by one, by architecture, by data set
scores       mean absolute error, R², Kendall's τ, conditional mutual information
evaluating   all predictors on the same folds, and what sets them apart
"""

from __future__ import annotations

from dnn_topology.analysis.gap.evaluating import BASELINES, Evaluation, evaluate_gap, pooled
from dnn_topology.analysis.gap.model import GapModel, OutsideRangeWarning

__all__ = ["BASELINES", "Evaluation", "GapModel", "OutsideRangeWarning", "evaluate_gap", "pooled"]
