"""The engines that compute persistence: one file each, one protocol, one table."""

from __future__ import annotations

from functools import cache
from importlib import import_module, metadata
from typing import TYPE_CHECKING, Protocol, cast

from dnn_topology._checks import DnnTopologyError, check_choice, shown

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dnn_topology.graphs.graph import FunctionalGraph


class Engine(Protocol):
    """What the class in every file of this folder offers.

    An engine either returns what `compute` says or raises `DnnTopologyError`: where the library underneath would
    lose a node, take a stored zero for a missing edge, or round distances, the file mends that or refuses.
    """

    @property
    def about(self) -> str:
        """What it is good at, and its licence, in one line."""
        ...

    @property
    def install(self) -> str:
        """How to get it."""
        ...

    def version(self) -> str | None:
        """Return the version of the program underneath, or None where it is not installed. Nothing is imported."""
        ...

    def compute(self, graph: FunctionalGraph, *, max_dim: int, threads: int) -> list[NDArray[np.float64]]:
        """Return one (k, 2) array per dimension 0 … max_dim: rows (birth, death) with coefficients mod 2.

        Args:
            graph: At least one node; isolated nodes and edges of length 0 are allowed.
            max_dim: The highest dimension.
            threads: How many threads or processes it may use; an engine that knows only one passes over this.

        Returns:
            Rows in the units of `graph.distances` (diameters); a class that never dies has death inf. Points of
            length zero may be left out.

        Raises:
            DnnTopologyError: It cannot do this case.
        """
        ...


AUTO = "auto"
ENGINES = {
    "morse": "Morse",
    "gudhi": "Gudhi",
    "redzed": "Redzed",
    "holos": "Holos",
    "ripser": "Ripser",
    "giotto-ph": "GiottoPH",
    "dipha": "Dipha",
}


def get_engine(name: str) -> Engine:
    """Return the engine of that name, importing its library only when it computes.

    Args:
        name: One of `ENGINES`. `dipha:PATH` names the program to run.

    Returns:
        The engine, installed or not.

    Raises:
        DnnTopologyError: There is no such engine.
    """
    name, _, argument = name.partition(":")
    check_choice("engine", name, ENGINES)
    if argument and name != "dipha":
        raise DnnTopologyError(f"engine {name!r} takes no path, found {shown(argument)}: only dipha:PATH does")
    module = import_module(f"{__name__}.{name.replace('-', '_')}")
    return cast(Engine, getattr(module, ENGINES[name])(*([argument] if argument else [])))


def get_installed(name: str) -> Engine:
    """Return the engine of that name, ready to compute.

    Raises:
        DnnTopologyError: There is no such engine, or it is not installed; the message says how to get it.
    """
    engine = get_engine(name)
    if engine.version() is None:
        raise DnnTopologyError(f"engine {name!r} is not installed: {engine.install}, or take engine='auto'")
    return engine


def check_engine(name: str) -> str:
    """Return the name of an engine that can be used here, or "auto".

    Raises:
        DnnTopologyError: There is no such engine, or it is not installed.
    """
    if name != AUTO:
        check_choice("engine", name.partition(":")[0], [AUTO, *ENGINES])
        get_installed(name)
    return name


@cache  # looking costs as much as H1 of a small graph
def distribution_version(distribution: str) -> str | None:
    """Return the version of an installed distribution, or None; it is not imported."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
