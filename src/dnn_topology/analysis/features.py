"""The numbers of a diagram that a model of the generalisation gap looks at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from dnn_topology._calls import checked
from dnn_topology._checks import DnnTopologyError
from dnn_topology.analysis.feature_sets import EARLY, FEATURE_SETS, SPREAD, TRAINING
from dnn_topology.homology.summaries import summarize
from dnn_topology.settings import MIN_PERSISTENCE

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from torch import nn

    from dnn_topology.homology.diagrams import Diagrams
    from dnn_topology.settings import Essential

__all__ = ["EARLY", "FEATURE_SETS", "MAX_EPSILON", "SPREAD", "TRAINING", "gap_features", "with_early"]

MAX_EPSILON = 0.4  # the scale up to which the CVPR 2020 paper looks


@checked
def gap_features(
    diagrams: Diagrams | None = None,
    *,
    min_persistence: float = MIN_PERSISTENCE,
    essential: Essential = "drop",
    model: nn.Module | None = None,
    inputs: Sequence[torch.Tensor] | None = None,
    train_set: Sequence[torch.Tensor] | None = None,
    training: Mapping[str, float] | None = None,
    seed: int = 0,
) -> dict[str, float]:
    """Return what a model of the gap may look at, by name; with a model and labelled training inputs, of those too.

    Args:
        diagrams: Of H0 and H1 at least, up to ε 0.4 in the paper; None for the numbers of the model alone.
        min_persistence: Only points that live longer than this count, in ε.
        essential: What becomes of classes alive at max_epsilon; the paper's means are over those that die.
        model: The network, which gives logits or log-probabilities (n_samples, n_classes); left as it was found.
        inputs: Training inputs (n_samples, …) and their given classes (n_samples,), as many for every network. Never
            test data.
        train_set: All training inputs and classes, or 20,000 of more; in the same form.
        training: How the model was trained: n_train, lr, batch_size, and weight_decay and dropout if there are.
        seed: Of the noise on the inputs, and of which of them are mixed.

    Returns:
        Of the diagrams

        * ``life``, ``midlife``: λ and μ of H1, in ε;
        * ``h0_death_mean``, ``h0_death_std``, ``h1_birth_mean``, …: means and standard deviations (n in the
          denominator) of births and deaths, in ε;
        * ``h1_points_per_node``, ``h1_essential_per_node``, ``h1_betti_max_per_node``: counts over the number of
          nodes (NaN if that is unknown). They grow with fewer inputs: compare networks measured on as many only;
        * ``h1_peak_epsilon``, ``h1_peak_density``: where the H1 Betti curve has its first maximum.

        With a model and inputs also the sets "perturbation" (accuracy and loss with inputs of a class mixed, with
        noise, shifted; margins; the Davies–Bouldin index) and "sample-tree" (the minimum spanning tree of the inputs in
        the spaces of layers, and the share of neighbours there that have one label); with a model and train_set
        those of "leave-one-out" (how often the network says what kernel ridge regression on all other inputs does, and
        ``train_accuracy``); with a model and training those of "settings".

        A mean of nothing is NaN.

    Raises:
        DnnTopologyError: The diagrams have no H1; there is a model without any of its three, or one without it; or
            nothing.

    Source:
        Corneanu et al., Computing the testing error without a testing set, CVPR 2020 (life, midlife); Ballester et
        al., Predicting the generalization gap in neural networks using topological data analysis, Neurocomputing
        2024 (means and standard deviations); Natekar and Sharma, arXiv:2012.02775 (mixup, Davies–Bouldin).

    Example:
        >>> from dnn_topology.homology.diagrams import Diagrams
        >>> features = gap_features(Diagrams([[(0, 0.1), (0, 0.3)], [(0.1, 0.2)]], max_epsilon=0.4, n_nodes=2))
        >>> [round(features[name], 3) for name in ("life", "midlife", "h0_death_mean", "h1_points_per_node")]
        [0.1, 0.15, 0.2, 0.5]
    """
    if (model is None) != (inputs is None and train_set is None and training is None):
        raise DnnTopologyError("features of a network need model=, and with it inputs=, train_set= or training=")
    if diagrams is None and model is None:
        raise DnnTopologyError("features are of diagrams, of a model, or of both: give one of them")
    of_diagrams = {} if diagrams is None else _of_diagrams(diagrams, min_persistence, essential)
    return of_diagrams | ({} if model is None else _of_model(model, inputs, train_set, training, seed))


def with_early(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table of networks and epochs with what each network's features were early in training.

    Args:
        table: One row per network (`cell`) and measured `epoch`, with the columns of "asd", train_loss and
            train_accuracy, or some of them.

    Returns:
        The same rows with `early_epoch`, the first measured epoch after 0 (0 if there is no other), and the features at
        that epoch as `early_…`.

    Example:
        >>> rows = pd.DataFrame({"cell": "a", "epoch": [0, 5, 60], **dict.fromkeys(SPREAD, [1.0, 2.0, 3.0])})
        >>> with_early(rows)[["early_epoch", "early_h1_birth_mean"]].to_numpy().tolist()
        [[5.0, 2.0], [5.0, 2.0], [5.0, 2.0]]
    """
    first = table.assign(untrained=table["epoch"] == 0).sort_values(["untrained", "epoch"]).drop_duplicates("cell")
    early = first.set_index("cell")[["epoch", *(name for name in (*SPREAD, *TRAINING) if name in table)]].add_prefix(
        EARLY
    )
    return table.join(early, on="cell")


def _of_diagrams(diagrams: Diagrams, min_persistence: float, essential: Essential) -> dict[str, float]:
    """Return the features of diagrams.

    Raises:
        DnnTopologyError: They have no H1.
    """
    if diagrams.max_dim < 1:
        raise DnnTopologyError("features of the gap need H1, and there is H0 alone: compute with max_dim=1")
    counted = diagrams.filtered(min_persistence=min_persistence, essential=essential)
    loops = summarize(counted).to_dict("records")[1]
    nodes = float(diagrams.n_nodes) if diagrams.n_nodes else float("nan")
    features = {"life": loops["life"], "midlife": loops["midlife"]}
    for dim, names in ((0, ("death",)), (1, ("birth", "death"))):
        points = counted.select(dim)
        finite = points[points[:, 1] < float("inf")]
        for name in names:
            values = finite[:, 0 if name == "birth" else 1]
            features |= {f"h{dim}_{name}_mean": _mean(values), f"h{dim}_{name}_std": _std(values)}
    return {
        **{name: float(value) for name, value in features.items()},
        "h1_points_per_node": loops["count"] / nodes,
        "h1_essential_per_node": loops["essential"] / nodes,
        "h1_betti_max_per_node": loops["betti_max"] / nodes,
        "h1_peak_epsilon": float(loops["peak_epsilon"]),
        "h1_peak_density": float(loops["peak_density"]),
    }


def _of_model(
    model: nn.Module,
    inputs: Sequence[torch.Tensor] | None,
    train_set: Sequence[torch.Tensor] | None,
    training: Mapping[str, Any] | None,
    seed: int,
) -> dict[str, float]:
    """Return the features of a model on labelled inputs, and those of its settings.

    Raises:
        DnnTopologyError: Inputs are no pair of as many images and labels, the model does not give classes of them, or a
            setting is missing or unknown.
    """
    from dnn_topology.analysis.gap.known_settings import settings_features
    from dnn_topology.analysis.gap.labelled import check_logits, labelled, predictions
    from dnn_topology.analysis.gap.leave_one_out import leave_one_out_features
    from dnn_topology.analysis.network_features import input_features

    features = dict[str, float]()
    if inputs is not None:
        images, labels = labelled("inputs", inputs)
        check_logits(model, images, labels)
        features |= input_features(model, images, labels, seed=seed)
    if train_set is not None:
        images, labels = labelled("train_set", train_set)
        answers = predictions(model, images)
        features["train_accuracy"] = float((answers == labels.numpy()).mean())
        features |= leave_one_out_features(answers, images, labels)
    if training is not None:
        try:
            features |= settings_features(model, **training)
        except TypeError as error:
            raise DnnTopologyError(
                f"training must give n_train, lr and batch_size, and may give weight_decay and dropout, found "
                f"{sorted(training)}"
            ) from error
    return features


def _mean(values: NDArray[np.float64]) -> float:
    """Return the mean, or NaN of nothing."""
    return float(values.mean()) if len(values) else float("nan")


def _std(values: NDArray[np.float64]) -> float:
    """Return the standard deviation, or NaN of nothing."""
    return float(values.std()) if len(values) else float("nan")
