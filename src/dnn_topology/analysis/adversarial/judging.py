"""Which inputs are judged, by what, and how long that takes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from dnn_topology._checks import DnnTopologyError, check_choice
from dnn_topology.analysis.adversarial import NAMES, NOISE, needs_edges, needs_trees
from dnn_topology.analysis.adversarial.adaptive import ADAPTIVE
from dnn_topology.analysis.adversarial.attacks import ATTACKS
from dnn_topology.analysis.adversarial.detectors import SampleGraph
from dnn_topology.analysis.adversarial.observation import observe
from dnn_topology.recording.activations import record
from dnn_topology.recording.layers import output_name, unwrapped

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

BATCH = 500
GRAPHS_FITTED = 200  # inputs whose graphs the detector "sample-graph" is fitted on


def check_names(attacks: Sequence[str], detectors: Sequence[str]) -> None:
    """Check the names of attacks and detectors.

    Raises:
        DnnTopologyError: One is unknown; the message names the nearest.
    """
    for name in detectors:
        check_choice("detector", name, NAMES)
    for name in attacks:
        check_choice("attack", name, (*ATTACKS, *ADAPTIVE))


def rightly_judged(
    net: nn.Module, samples: Any, n_inputs: int, *, seed: int, at_least: int
) -> tuple[NDArray[np.intp], torch.Tensor, torch.Tensor]:
    """Draw inputs that a network is right about.

    Args:
        net: The network.
        samples: Images and labels, taken by their places.
        n_inputs: How many at most.
        seed: Of the draw.
        at_least: How many are needed.

    Returns:
        Places (n,), images (n, channels, height, width) and labels (n,).

    Raises:
        DnnTopologyError: There are too few of them.
    """
    order = np.random.default_rng(seed).permutation(len(samples))
    images, labels = samples[order]
    parts = [images[start : start + BATCH] for start in range(0, len(images), BATCH)]
    answers = record(net, parts, layers=(output_name(unwrapped(net)),), max_samples=None).values
    right = np.flatnonzero(answers.argmax(axis=1) == labels.numpy())[:n_inputs]
    if len(right) < at_least:
        raise DnnTopologyError(
            f"the network is right about {len(right)} test inputs, and at least {at_least} are needed: train it "
            "longer, or take smaller batch_sizes"
        )
    taken = torch.from_numpy(right)
    return order[right], images[taken], labels[taken]


def expected_seconds(
    net: nn.Module, few: torch.Tensor, detectors: Sequence[str], *, n_fit: int, n_judged: int, **options: Any
) -> float:
    """Return roughly how many seconds fitting and judging will take, from a few inputs.

    Args:
        net: The network.
        few: (n, channels, height, width): inputs to time.
        detectors: Their names.
        n_fit: Inputs that they are fitted on.
        n_judged: Inputs that they judge.
        **options: Layers and device of `observe`.
    """
    options |= {"trees": needs_trees(detectors), "edges": needs_edges(detectors)}
    observe(net, few, **options)
    started = time.perf_counter()
    seen = observe(net, few, **options)
    each = (time.perf_counter() - started) / len(few)
    fits = n_fit * (2 if any(name.endswith(NOISE) for name in detectors) else 1)
    seconds = each * (fits + n_judged)
    if "sample-graph" in detectors:
        started = time.perf_counter()
        SampleGraph().areas(seen)
        seconds += (time.perf_counter() - started) / len(few) * (GRAPHS_FITTED + n_judged)
    return seconds
