"""A study as its TOML file describes it: grids of settings, each a list of cells; what to measure of all of them."""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dnn_topology._checks import DnnTopologyError, check_at_least, check_choice, check_fraction, nearest
from dnn_topology.runs.graphs import Topology
from dnn_topology.runs.layout import Training
from dnn_topology.runs.study.cell import Cell
from dnn_topology.store import readable_errors

# key → the type of its values; a number may be whole
AXES: dict[str, type] = {
    "net": str,
    "dataset": str,
    "width": float,
    "depth": int,
    "dropout": float,
    "weight_decay": float,
    "train_size": int,
    "permute_labels": float,
    "lr": float,
    "batch_size": int,
    "epochs": int,
    "seed": int,
    "nodes": str,
}
TOPOLOGY: dict[str, type] = {"max_epsilon": float, "max_dim": int, "n_inputs": int, "draws": int, "nodes": str}
NODES = ("unit", "channel")
KINDS = {str: "a text", float: "a number", int: "a whole number"}


@dataclass(frozen=True)
class Study:
    """A study.

    Attributes:
        name: The name of its file without the ending.
        cells: All cells of its grids, each once, in the order of the file.
    """

    name: str
    cells: tuple[Cell, ...]

    @property
    def axes(self) -> list[str]:
        """The settings in which its cells differ."""
        rows = [cell.settings for cell in self.cells]
        return [name for name in rows[0] if name != "cell" and len({row[name] for row in rows}) > 1]


def read_study(path: Path) -> Study:
    """Read a study.

    Args:
        path: A TOML file with

            * `[[grid]]` tables: `net`, `dataset`, `width`, `depth`, `dropout`, `weight_decay`, `train_size`,
              `permute_labels`, `lr`, `batch_size`, `epochs`, `seed`, `nodes`, each a value or a list of values; a table
              stands for every combination of them;
            * `[topology]`: `max_epsilon` (0.4), `max_dim` (1), `n_inputs` (500), `draws` of them (1), `nodes`
              ("unit"), and `epochs`, the list of those that are measured (the last one);
            * `keep_weights` (false), before the first table.

    Returns:
        The study.

    Raises:
        DnnTopologyError: The file is missing or no TOML; a key is unknown, or a value is of the wrong kind or out of
            range; the message names it.
    """
    with readable_errors("read", path):
        text = path.read_bytes()
    try:
        content = tomllib.loads(text.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DnnTopologyError(f"{path} is not TOML: {error}") from error
    _check_keys(path, "", content, ("grid", "topology", "keep_weights"))
    grids, topology, keep = content.get("grid"), content.get("topology", {}), content.get("keep_weights", False)
    if not isinstance(grids, list) or not grids or not all(isinstance(grid, dict) for grid in grids):
        raise DnnTopologyError(f"{path} describes no network: add a table [[grid]] with net = … and dataset = …")
    if not isinstance(topology, dict) or not isinstance(keep, bool):
        raise DnnTopologyError(f"{path}: expected a table [topology], and keep_weights to be true or false")
    _check_keys(path, "[topology] ", topology, (*TOPOLOGY, "epochs"))
    try:
        cells = [cell for grid in grids for cell in _cells(path, grid, topology, keep_weights=keep)]
    except DnnTopologyError as error:
        raise DnnTopologyError(str(error) if str(path) in str(error) else f"{path}: {error}") from error
    return Study(path.stem, tuple({cell.name: cell for cell in cells}.values()))


def check_nets_and_data(study: Study) -> None:
    """Check, before anything is trained, that there are such networks, data sets and variations of networks.

    Raises:
        DnnTopologyError: There are not; the message names the nearest.
    """
    from dnn_topology.nets.data import check_name
    from dnn_topology.nets.zoo import check_options

    for cell in study.cells:
        training = cell.training
        check_options(training.net, width=training.width, depth=training.depth, dropout=training.dropout)
    for name in dict.fromkeys(cell.training.dataset for cell in study.cells):
        check_name(name)


def _cells(path: Path, grid: Mapping[str, Any], topology: Mapping[str, Any], *, keep_weights: bool) -> Iterator[Cell]:
    """Yield the cells of one grid.

    Raises:
        DnnTopologyError: A key is unknown, or a value of the wrong kind or out of range.
    """
    _check_keys(path, "[[grid]] ", grid, AXES)
    axes = {name: _values(name, value, AXES[name]) for name, value in grid.items()}
    common = {name: _values(name, value, TOPOLOGY[name]) for name, value in topology.items() if name != "epochs"}
    if long := [name for name, values in common.items() if len(values) != 1]:
        raise DnnTopologyError(f"[topology] {long[0]} takes one value for the whole study, found {topology[long[0]]}")
    measure = {name: values[0] for name, values in common.items()}
    draws = int(measure.pop("draws", 1))
    check_at_least("draws", draws, 1)
    measured = _values("epochs", topology["epochs"], int) if "epochs" in topology else None
    for chosen in itertools.product(*axes.values()):
        one = dict(zip(axes, chosen, strict=True))
        epochs = int(one.pop("epochs", 20))
        nodes = check_choice("nodes", one.pop("nodes", measure.get("nodes", "unit")), NODES)
        what = Topology(**{"max_epsilon": 0.4, "max_dim": 1, "n_inputs": 500, **measure, "nodes": nodes})
        cell = Cell(Training(**one), epochs, tuple(sorted(set(measured or [epochs]))), what, draws, keep_weights)
        yield _checked(cell)


def _checked(cell: Cell) -> Cell:
    """Return a cell whose numbers are in range.

    Raises:
        DnnTopologyError: They are not.
    """
    training, n_inputs = cell.training, cell.topology.n_inputs
    check_fraction("permute_labels", training.permute_labels)
    for name, least in (("epochs", 0), ("seed", 0), ("batch_size", 1), ("train_size", 0), ("weight_decay", 0)):
        check_at_least(name, cell.epochs if name == "epochs" else getattr(training, name), least)
    if not training.lr > 0:
        raise DnnTopologyError(f"lr must be positive, found {training.lr}")
    if 0 < training.train_size < n_inputs:
        raise DnnTopologyError(
            f"train_size {training.train_size} is less than n_inputs {n_inputs}, and every cell is measured on as many "
            "training inputs: lower [topology] n_inputs or raise train_size"
        )
    if not 0 <= cell.measured[0] <= cell.measured[-1] <= cell.epochs:
        raise DnnTopologyError(f"[topology] epochs must lie between 0 and the last, {cell.epochs}: {cell.measured}")
    return cell


def _values(name: str, found: Any, kind: type) -> list[Any]:
    """Return the values of a key, each of its type.

    Raises:
        DnnTopologyError: One is of another, or there is none.
    """
    values = found if isinstance(found, list) else [found]
    taken = (int, float) if kind is float else (kind,)
    bad = [value for value in values if not isinstance(value, taken) or isinstance(value, bool)]
    if bad or not values:
        raise DnnTopologyError(f"{name} takes {KINDS[kind]} or a list of them, found {bad[0] if bad else found!r}")
    return [kind(value) for value in values]


def _check_keys(path: Path, table: str, found: Mapping[str, Any], known: Any) -> None:
    """Check the keys of a table.

    Raises:
        DnnTopologyError: One is unknown; the message names the nearest.
    """
    for key in found:
        if key not in known:
            raise DnnTopologyError(f"{path}: unknown key {table}{key!r}: {nearest(key, known)}")
