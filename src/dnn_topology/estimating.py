"""What measuring a model should take, guessed from its graphs without computing their persistence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from dnn_topology._calls import checked, checked_fields
from dnn_topology.homology.engines.estimate import Estimate, amount, duration
from dnn_topology.homology.engines.estimate import estimate as estimate_plan
from dnn_topology.homology.engines.planner import Plan, prepare
from dnn_topology.pipeline import Snapshot, fixed_groups, graphs_of, measure_options
from dnn_topology.recording.batches import take_batches
from dnn_topology.settings import USUAL_SAMPLES, Compute, MeasureSettings, takes_settings

if TYPE_CHECKING:
    import torch
    from torch import nn
    from torch.utils.data import Dataset


@checked_fields
@dataclass(frozen=True, repr=False)
class MeasureEstimate:
    """What measuring a model should take: a guess, to tell a second from an hour and a megabyte from a gigabyte.

    Attributes:
        graphs: Name of each graph, "" for a single one → what it takes.
        plans: Name → how it would be computed.

    Example:
        >>> import torch
        >>> model = torch.nn.Sequential(torch.nn.Linear(4, 30), torch.nn.ReLU(), torch.nn.Linear(30, 2))
        >>> inputs = torch.randn(100, 4, generator=torch.Generator().manual_seed(0))
        >>> guess = estimate(model, [inputs], max_dim=1)
        >>> guess.n_nodes <= 32, guess.seconds >= 0, list(guess.graphs)
        (True, True, [''])
    """

    graphs: Mapping[str, Estimate]
    plans: Mapping[str, Plan]

    def __repr__(self) -> str:
        """Return the figures of all graphs."""
        graphs = f"{len(self.graphs)} graphs, " if len(self.graphs) > 1 else ""
        engines = " and ".join(sorted({plan.engine for plan in self.plans.values()}))
        return (
            f"MeasureEstimate({graphs}{self.n_nodes} nodes, {self.n_edges} edges: about {self.seconds:.2g} s and "
            f"{self.memory / 2**20:.3g} MiB with {engines})"
        )

    @property
    def n_nodes(self) -> int:
        """Number of nodes, of all graphs."""
        return sum(one.n_nodes for one in self.graphs.values())

    @property
    def n_edges(self) -> int:
        """Number of edges, of all graphs."""
        return sum(one.n_edges for one in self.graphs.values())

    @property
    def memory(self) -> float:
        """Bytes at the peak, of the largest graph, beyond what is in use now."""
        return max((one.memory for one in self.graphs.values()), default=0.0)

    @property
    def seconds(self) -> float:
        """Time that persistence takes, of all graphs, one after another."""
        return sum(one.seconds for one in self.graphs.values())


@takes_settings(MeasureSettings, Compute)
@checked
def estimate(
    model: nn.Module,
    batches: Iterable[Any] | Dataset[Any],
    *,
    settings: MeasureSettings | None = None,
    seed: int = 0,
    device: torch.device | str | None = None,
    max_samples: int | None = USUAL_SAMPLES,
    **options: Any,
) -> MeasureEstimate:
    """Say what `measure` with the same arguments would take, without computing persistence.

    The model is recorded and its graphs are made, which takes seconds; what is guessed is the rest.

    Args:
        model: Any module, trained or not; it is left as it was found.
        batches: As for `measure`.
        settings: What would be measured, in one object, in place of the single options.
        seed: Of everything that is drawn.
        device: Where to run; by default where the model is.
        max_samples: Another name of `n_inputs`; one of the two is given.
        **options: Fields of `MeasureSettings` and `Compute`.

    Returns:
        Nodes, edges, memory in bytes and seconds, in all and of each graph.

    Raises:
        DnnTopologyError: An argument is wrong; the message says which, and what to do.

    Example:
        >>> import torch
        >>> model = torch.nn.Sequential(torch.nn.Linear(4, 30), torch.nn.ReLU(), torch.nn.Linear(30, 2))
        >>> inputs = torch.randn(100, 4, generator=torch.Generator().manual_seed(0))
        >>> needed = estimate(model, inputs.split(50), max_dim=1)
        >>> 0 < needed.n_nodes <= 32, needed.memory < 2**30, needed.seconds < 3600
        (True, True, True)
    """
    chosen, compute = measure_options(settings, options, max_samples)
    inputs = take_batches(batches, max_samples=chosen.n_inputs, seed=seed)
    return estimate_snapshot(Snapshot(model, inputs, chosen, seed, device), compute)


def estimate_snapshot(snapshot: Snapshot, compute: Compute) -> MeasureEstimate:
    """Return what measuring a snapshot would take, graphs without nodes left out."""
    max_dim = snapshot.settings.max_dim
    graphs, plans = {}, {}
    for name, graph in graphs_of(snapshot, groups=fixed_groups(snapshot)):
        if graph.n_nodes:
            ready = prepare(graph, max_dim=max_dim, engine=compute.engine, threads=compute.threads)
            graphs[name] = estimate_plan(ready.graph, ready.plan, max_dim=max_dim, census=ready.census)
            plans[name] = ready.plan
    return MeasureEstimate(graphs, plans)


def estimate_table(estimates: Mapping[str, MeasureEstimate], *, verbose: bool = False) -> pd.DataFrame:
    """Return estimates as a table to be read, a row per graph.

    Args:
        estimates: Epoch → what it takes.
        verbose: Whether to say how each graph would be computed, and not only with which engine.
    """
    rows = []
    for epoch, estimated in estimates.items():
        for name, needed in estimated.graphs.items():
            counts = ", ".join(f"{count:.2g}" for count in needed.simplices[2:])
            sizes = (f"{epoch} {name}".strip(), str(needed.n_nodes), str(needed.n_edges))
            how = str(estimated.plans[name]) if verbose else estimated.plans[name].engine
            rows.append((*sizes, counts, amount(needed.memory), duration(needed.seconds), how))
    header = ["epoch", "neurons", "edges", "triangles, tetrahedra, …", "memory", "time", "engine"]
    return pd.DataFrame(rows, columns=header)
