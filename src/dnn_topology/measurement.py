"""What was measured of a network: diagrams and numbers of all of it, of its layers, of classes of inputs alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dnn_topology import store
from dnn_topology._calls import checked, checked_fields
from dnn_topology._checks import DnnTopologyError, check_choice, nearest, shown
from dnn_topology._records import record_of
from dnn_topology.homology.cavities import Tight, cavities
from dnn_topology.homology.cavity import Cavities
from dnn_topology.homology.diagrams import Diagrams
from dnn_topology.homology.notebook import diagrams_html, table_html
from dnn_topology.homology.summaries import summarize
from dnn_topology.homology.tables import WHOLE, described_graphs, named_rows
from dnn_topology.settings import By, MeasureSettings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dnn_topology.graphs.graph import FunctionalGraph

REMEDY = "save the measurement again"


class PartNameError(DnnTopologyError, KeyError):
    """A layer or class that was not measured; also the `KeyError` of a mapping."""

    __str__ = Exception.__str__  # that of KeyError would put the line in quotes


@checked_fields
@dataclass(frozen=True, eq=False, repr=False)
class Measurement:
    """What the shape of a model's correlations is.

    Attributes:
        diagrams: Birth and death of every cavity that counts; of the first graph where there are several, of the first
            draw where neurons were sampled.
        summary: One row of numbers per dimension; of several graphs, one per graph and dimension.
        draws: The diagrams of every draw where neurons were sampled, the first included; else empty. `intervals` makes
            a table of them.
        graphs: The diagrams of every graph by its name: "" for a single one, "part0", "sample0", "draw1", ….
        settings: What was measured.
        layers: Which layers were recorded, and as what: see `Activations`.

    A measurement keeps no graph. What `measure` returned knows the model and the batches, which are its caller's, and
    makes the graph again when its cavities are asked for.

    Example:
        >>> square = Diagrams([[(0, 0.1)] * 3 + [(0, float("inf"))], [(0.1, 0.2)]], max_epsilon=0.3, n_nodes=4)
        >>> measurement_of({"": square}, MeasureSettings(max_dim=1))
        Measurement(4 nodes, cavities: 4 in H0, 1 in H1; max_epsilon=0.3)
    """

    diagrams: Diagrams
    summary: pd.DataFrame
    draws: Sequence[Diagrams] = ()
    graphs: Mapping[str, Diagrams] = field(default_factory=dict)
    settings: MeasureSettings = field(default_factory=MeasureSettings)
    layers: pd.DataFrame | None = None
    _remake: Callable[[str], FunctionalGraph] | None = None  # gives a graph again, by its name

    def __getstate__(self) -> dict[str, Any]:
        """Leave the model and its inputs where they are when a measurement is copied or sent elsewhere."""
        return {**vars(self), "_remake": None}

    def __repr__(self) -> str:
        """Return how many nodes, edges and cavities there are."""
        several = {} if self.draws else self.graphs
        about = described_graphs(several or {"": self.diagrams}, edges=True)
        drawn = f"{len(self.draws)} draw{'s' * (len(self.draws) > 1)}, the first of " if self.draws else ""
        return f"{type(self).__name__}({drawn}{about}; max_epsilon={self.diagrams.max_epsilon:g})"

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the numbers, and the Betti curves, small."""
        return table_html(self.table) + diagrams_html(self.diagrams)

    @property
    def table(self) -> pd.DataFrame:
        """The numbers of everything that was measured: `summary`, or more where layers or classes were."""
        return self.summary

    @checked
    def cavities(
        self,
        *,
        dim: int = 1,
        top: int | None = 20,
        min_persistence: float | None = None,
        max_epsilon: float | None = None,
        tight: Tight = False,
        graph: str = "",
    ) -> Cavities:
        """Trace the cavities that were measured to their neurons, the longest-lived first.

        The measurement keeps no graph: the model, which must be as it was, is run on the same inputs once more.

        Args:
            dim: 1 for loops, 2 for voids.
            top: How many of the longest-lived; None for all.
            min_persistence: Only cavities that live longer than this, in ε; None for what was measured with.
            max_epsilon: Look no further than this scale; None for what was measured.
            tight: Whether to shorten each cycle: True, within its class at birth; "bar", among all that share its bar.
            graph: Which of several graphs: a key of `graphs`.

        Returns:
            The cavities.

        Raises:
            DnnTopologyError: The dimension was not computed, there is no such graph, the model has changed since, the
                batches can be gone through only once, the measurement does not come from `measure` or was sent from
                another process, or as for `cavities`.

        Example:
            >>> import torch
            >>> from dnn_topology import measure
            >>> _ = torch.manual_seed(0)
            >>> model = torch.nn.Sequential(torch.nn.Linear(4, 30), torch.nn.ReLU(), torch.nn.Linear(30, 2))
            >>> m = measure(model, torch.randn(100, 4).split(50), max_dim=1)
            >>> m.cavities()[0].where
            '1'
        """
        settings = self.settings
        if dim > settings.max_dim:
            raise DnnTopologyError(
                f"dim={dim} was not measured, only dimensions up to {settings.max_dim}: measure with max_dim={dim}"
            )
        check_choice("graph", graph, self.graphs)
        return cavities(
            self._graph(graph),
            dim=dim,
            top=top,
            min_persistence=settings.min_persistence if min_persistence is None else min_persistence,
            max_epsilon=max_epsilon,
            essential="drop" if settings.essential == "drop" else "count",
            tight=tight,
        )

    def _graph(self, name: str) -> FunctionalGraph:
        """Return a graph that was measured, made again.

        Raises:
            DnnTopologyError: It cannot be made again, or is another one now.
        """
        from_scratch = "take dt.cavities(dt.functional_graph(dt.record(model, batches)))"
        if self._remake is None:
            raise DnnTopologyError(f"this measurement does not know its model and inputs: {from_scratch}")
        made = self._remake(name)
        if not _is_as_measured(made, self.graphs[name]):
            raise DnnTopologyError(f"the model or its inputs have changed since they were measured: {from_scratch}")
        return made

    @checked
    def save(self, path: str | Path) -> None:
        """Write everything to a compressed npz, in one step and without pickle.

        A metric that is a function is kept by its name alone.

        Args:
            path: Of the file; its folder is made if it is missing.

        Raises:
            DnnTopologyError: The file cannot be written.

        Example:
            >>> import tempfile
            >>> m = measurement_of({"": Diagrams([[(0, 0.1)]], max_epsilon=0.3)}, MeasureSettings(max_dim=0))
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     m.save(f"{folder}/m.npz")
            ...     Measurement.load(f"{folder}/m.npz").diagrams == m.diagrams
            True
        """
        graphs = self.graphs or {"": self.diagrams}
        arrays = {
            f"{place}.{name}": array
            for place, diagrams in enumerate(graphs.values())
            for name, array in diagrams.to_arrays().items()
        }
        known = {name: getattr(self.settings, name) for name in MeasureSettings.__dataclass_fields__}
        about = {
            "format": store.FORMAT,
            "graphs": [*graphs],
            "settings": {**known, "metric": self.settings.results["metric"]},
            "layers": None if self.layers is None else self.layers.to_dict("list"),
        }
        store.write_arrays(Path(path), {"about": np.array(json.dumps(about)), **arrays})

    @classmethod
    @checked
    def load(cls, path: str | Path) -> Measurement:
        """Read what `save` wrote.

        Args:
            path: Of the file.

        Returns:
            The measurement; a `Breakdown` where one was saved.

        Raises:
            DnnTopologyError: The file is missing, damaged, of a newer version, or not of this kind.
        """
        arrays = store.read_arrays(Path(path), remedy=REMEDY)
        try:
            about = json.loads(str(arrays["about"]))
            if about["format"] > store.FORMAT:
                raise DnnTopologyError(
                    f"it has format {shown(about['format'])}, and this version reads up to {store.FORMAT}: upgrade"
                )
            settings = record_of(about["settings"], MeasureSettings)
            graphs = {name: _of_place(arrays, place) for place, name in enumerate(about["graphs"])}
            layers = None if about["layers"] is None else pd.DataFrame(about["layers"])
            return measurement_of(graphs, settings, layers)
        except (KeyError, TypeError, ValueError, RecursionError, AttributeError, StopIteration) as error:
            raise DnnTopologyError(f"{path} holds no measurement ({error}); {REMEDY}") from error


@checked_fields
@dataclass(frozen=True, eq=False, repr=False)
class Breakdown(Measurement, Mapping[str, Measurement]):
    """A measurement of a whole network that is also one of each layer, or one on the inputs of each class.

    It is the measurement of all neurons on all inputs, and a mapping from the name of a layer, or "class 3", to what is
    measured of that alone: the same as measuring with that layer, or those inputs, only. A number of a class is a key
    too.

    Attributes:
        parts: Name → measurement, layers in the order of the forward pass, classes by their numbers.

    Example:
        >>> about = {"n_nodes": 1, "provenance": {"layer": "fc"}}
        >>> one, two = (Diagrams([[(0, death)]], max_epsilon=0.3, **about) for death in (0.1, 0.2))
        >>> m = measurement_of({"": one, "layer0": two}, MeasureSettings(max_dim=0, by="layer"))
        >>> m
        Breakdown(by layer: 'fc'; whole: 1 node, cavities: 1 in H0; max_epsilon=0.3)
        >>> m.table[["layer", "dim", "life"]].to_numpy().tolist()
        [['(all)', 0, 0.1], ['fc', 0, 0.2]]
    """

    parts: Mapping[str, Measurement] = field(default_factory=dict)

    __hash__ = object.__hash__
    __eq__ = object.__eq__  # a mapping's would compare arrays

    def __repr__(self) -> str:
        """Return what the parts are, and the sizes of the whole."""
        names = [repr(name) if self.by == "layer" else name.removeprefix("class ") for name in self.parts]
        shown_names = ", ".join(names if len(names) <= 6 else [*names[:5], f"… {len(names)} in all"])
        about = described_graphs({"": self.diagrams}, edges=True)
        return f"Breakdown(by {self.by}: {shown_names}; whole: {about}; max_epsilon={self.diagrams.max_epsilon:g})"

    @property
    def by(self) -> By:
        """What the parts are: "layer" or "class"."""
        assert self.settings.by is not None
        return self.settings.by

    @property
    def table(self) -> pd.DataFrame:
        """The numbers of the whole, "(all)", and of every part: `layer` or `class`, then the columns of `summarize`."""
        keys = [int(name.removeprefix("class ")) if self.by == "class" else name for name in self.parts]
        tables = [self.summary, *(part.summary for part in self.parts.values())]
        named = [table.assign(**{self.by: key}) for key, table in zip([WHOLE, *keys], tables, strict=True)]
        table = pd.concat(named, ignore_index=True)
        return table[[self.by, *table.columns.drop(self.by)]]

    def __getitem__(self, name: str | int) -> Measurement:
        """Return the measurement of a layer or a class.

        Raises:
            PartNameError: There is none of this name.
        """
        key: object = f"class {name}" if isinstance(name, int | np.integer) else name
        if not isinstance(key, str) or key not in self.parts:
            near = nearest(key if isinstance(key, str) else "", self.parts)
            raise PartNameError(f"no {self.by} {shown(name)} was measured: {near}")
        return self.parts[key]

    def __iter__(self) -> Iterator[str]:
        """Yield the names of the layers or classes."""
        return iter(self.parts)

    def __len__(self) -> int:
        """Return the number of layers or classes."""
        return len(self.parts)


def measurement_of(
    graphs: Mapping[str, Diagrams],
    settings: MeasureSettings,
    layers: pd.DataFrame | None = None,
    remake: Callable[[str], FunctionalGraph] | None = None,
) -> Measurement:
    """Return what was measured with its numbers, the cavities that do not count left out.

    Args:
        graphs: Name → diagrams, unfiltered or with the filter of the settings.
        settings: What was measured, and which cavities count.
        layers: Which layers were recorded, if that is known.
        remake: Gives a graph again by its name, for its cavities; None where that cannot be.

    Returns:
        The measurement; a `Breakdown` of settings with `by`.
    """
    counted = {
        name: diagrams.filtered(min_persistence=settings.min_persistence, essential=settings.essential)
        for name, diagrams in graphs.items()
    }
    first = next(iter(counted.values()))
    if settings.sample_nodes is not None:
        return Measurement(first, summarize(first), tuple(counted.values()), counted, settings, layers, remake)
    if settings.by is not None:
        parts = dict(_part(name, one, settings, layers, remake) for name, one in counted.items() if name)
        return Breakdown(first, summarize(first), (), counted, settings, layers, remake, parts)
    tables = [named_rows(summarize(diagrams), name) for name, diagrams in counted.items()]
    return Measurement(first, pd.concat(tables, ignore_index=True), (), counted, settings, layers, remake)


def _part(
    name: str,
    diagrams: Diagrams,
    settings: MeasureSettings,
    layers: pd.DataFrame | None,
    remake: Callable[[str], FunctionalGraph] | None,
) -> tuple[str, Measurement]:
    """Return the name of a layer or class, which its diagrams know, and its measurement."""
    key = diagrams.provenance[str(settings.by)]
    again = None if remake is None else partial(_always, remake, name)
    alone, rows = replace(settings, by=None), layers
    if settings.by == "layer":
        rows = None if layers is None else layers[layers["layer"] == key].reset_index(drop=True)
        alone = replace(alone, layers=(str(key),))
    part = Measurement(diagrams, summarize(diagrams), (), {"": diagrams}, alone, rows, again)
    return str(key) if settings.by == "layer" else f"class {key}", part


def _is_as_measured(graph: FunctionalGraph, measured: Diagrams) -> bool:
    """Return whether a graph has as many edges as one that was measured, at all its scales, up to round-off."""
    if graph.n_nodes != measured.n_nodes or measured.density is None:
        return False
    epsilon, shares = measured.density.T
    few = 3 / max(graph.n_pairs, 1)  # edges that another order of summation may move across a scale
    return bool(np.allclose(graph.density(epsilon), shares, rtol=1e-3, atol=few))


def _always(remake: Callable[[str], FunctionalGraph], name: str, _: str) -> FunctionalGraph:
    """Return the one graph of a part, whose name within the whole is this."""
    return remake(name)


def _of_place(arrays: Mapping[str, NDArray[Any]], place: int) -> Diagrams:
    """Return the diagrams of one of several graphs in a file."""
    start = f"{place}."
    return Diagrams.of_arrays({name.removeprefix(start): a for name, a in arrays.items() if name.startswith(start)})
