"""The names of metrics: how far two signals are apart.

Spearman's correlation is Pearson's of the ranks, so it only needs `ranks`; the others return the near pairs themselves.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from dnn_topology._checks import DnnTopologyError, nearest, shown

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Metric = str | Callable[[NDArray[np.floating]], ArrayLike]

CORRELATIONS = ("pearson", "spearman", "distance-correlation")  # distances made of them are at most 1
METRICS = (*CORRELATIONS, "euclidean")


def resolve_metric(metric: Metric) -> Metric:
    """Return a metric as `functional_graph` uses it: one of `METRICS`, or a function.

    Args:
        metric: A name of `METRICS`, a function, or "package.module:function", which is imported; modules in the
            current folder are found too.

    Returns:
        The name or the function.

    Raises:
        DnnTopologyError: The name is unknown, or the function cannot be imported.

    Example:
        >>> resolve_metric("numpy:corrcoef").__name__
        'corrcoef'
    """
    if callable(metric):
        return metric
    if not isinstance(metric, str):
        raise DnnTopologyError(
            f"metric must be one of {', '.join(METRICS)}, a function or package.module:function, found {shown(metric)}"
        )
    if metric in METRICS:
        return metric
    module, colon, name = metric.partition(":")
    if not colon:
        raise DnnTopologyError(f"unknown metric {metric!r}: {nearest(metric, METRICS)}, or package.module:function")
    if "" not in sys.path:
        sys.path.append("")
    try:
        function: Any = getattr(importlib.import_module(module), name)
    except Exception as error:  # whatever the user's module does when it is imported
        raise DnnTopologyError(
            f"metric {metric!r} cannot be imported ({error}): check its name and PYTHONPATH"
        ) from error
    if not callable(function):
        raise DnnTopologyError(
            f"metric {metric!r} is a {type(function).__name__}, expected a function of (n_samples, n)"
        )
    own: Metric = function
    return own


def is_bounded(metric: Metric) -> bool:
    """Return whether a metric's distances are at most 1, and its scales so at most 0.5."""
    return metric in CORRELATIONS


def ranks(signals: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return each signal's ranks from 1, ties sharing their mean, so that Pearson's r of them is Spearman's ρ.

    Args:
        signals: (n_samples, n_neurons), real.

    Returns:
        The same shape; float32 holds these half-integers exactly up to 8 million samples.
    """
    from scipy.stats import rankdata

    ranked: NDArray[np.float32] = rankdata(signals, axis=0).astype(np.float32)
    return ranked
