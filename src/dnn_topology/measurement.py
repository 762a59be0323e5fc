"""What was measured of a network: diagrams and numbers of all of it, of its layers, of classes of inputs alone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dnn_topology import store
from dnn_topology._checks import DnnTopologyError, nearest, shown
from dnn_topology._records import record_of
from dnn_topology.homology.diagrams import Diagrams
from dnn_topology.homology.summaries import summarize
from dnn_topology.homology.tables import WHOLE, described_graphs, named_rows
from dnn_topology.settings import By, MeasureSettings

if TYPE_CHECKING:
    from numpy.typing import NDArray

REMEDY = "save the measurement again"


class PartNameError(DnnTopologyError, KeyError):
    """A layer or class that was not measured; also the `KeyError` of a mapping."""

    __str__ = Exception.__str__  # that of KeyError would put the line in quotes


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

    def __repr__(self) -> str:
        """Return how many nodes, edges and cavities there are."""
        several = {} if self.draws else self.graphs
        about = described_graphs(several or {"": self.diagrams}, edges=True)
        drawn = f"{len(self.draws)} draw{'s' * (len(self.draws) > 1)}, the first of " if self.draws else ""
        return f"{type(self).__name__}({drawn}{about}; max_epsilon={self.diagrams.max_epsilon:g})"

    @property
    def table(self) -> pd.DataFrame:
        """The numbers of everything that was measured: `summary`, or more where layers or classes were."""
        return self.summary

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
        key = f"class {name}" if isinstance(name, int | np.integer) else name
        if key not in self.parts:
            raise PartNameError(f"no {self.by} {shown(name)} was measured: {nearest(str(key), self.parts)}")
        return self.parts[key]

    def __iter__(self) -> Iterator[str]:
        """Yield the names of the layers or classes."""
        return iter(self.parts)

    def __len__(self) -> int:
        """Return the number of layers or classes."""
        return len(self.parts)


def measurement_of(
    graphs: Mapping[str, Diagrams], settings: MeasureSettings, layers: pd.DataFrame | None = None
) -> Measurement:
    """Return what was measured with its numbers, the cavities that do not count left out.

    Args:
        graphs: Name → diagrams, unfiltered or with the filter of the settings.
        settings: What was measured, and which cavities count.
        layers: Which layers were recorded, if that is known.

    Returns:
        The measurement; a `Breakdown` of settings with `by`.
    """
    counted = {
        name: diagrams.filtered(min_persistence=settings.min_persistence, essential=settings.essential)
        for name, diagrams in graphs.items()
    }
    first = next(iter(counted.values()))
    if settings.sample_nodes is not None:
        return Measurement(first, summarize(first), tuple(counted.values()), counted, settings, layers)
    if settings.by is not None:
        parts = dict(_part(one, settings, layers) for name, one in counted.items() if name)
        return Breakdown(first, summarize(first), (), counted, settings, layers, parts)
    tables = [named_rows(summarize(diagrams), name) for name, diagrams in counted.items()]
    return Measurement(first, pd.concat(tables, ignore_index=True), (), counted, settings, layers)


def _part(diagrams: Diagrams, settings: MeasureSettings, layers: pd.DataFrame | None) -> tuple[str, Measurement]:
    """Return the name of a layer or class, which its diagrams know, and its measurement."""
    key = diagrams.provenance[str(settings.by)]
    alone = replace(settings, by=None)
    if settings.by == "class":
        return f"class {key}", Measurement(diagrams, summarize(diagrams), (), {"": diagrams}, alone, layers)
    rows = None if layers is None else layers[layers["layer"] == key].reset_index(drop=True)
    alone = replace(alone, layers=(str(key),))
    return str(key), Measurement(diagrams, summarize(diagrams), (), {"": diagrams}, alone, rows)


def _of_place(arrays: Mapping[str, NDArray[Any]], place: int) -> Diagrams:
    """Return the diagrams of one of several graphs in a file."""
    start = f"{place}."
    return Diagrams.of_arrays({name.removeprefix(start): a for name, a in arrays.items() if name.startswith(start)})
