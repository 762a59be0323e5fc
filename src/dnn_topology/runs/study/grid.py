"""A study as its TOML file describes it: grids of settings, each a list of cells; what to measure of all of them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

from dnn_topology._checks import DnnTopologyError, check_at_least, shown
from dnn_topology.settings import RunMeasureSettings, TrainSettings
from dnn_topology.settings.cells import Cell
from dnn_topology.settings.grids import check_keys, combinations, n_combinations, single_values, values_of
from dnn_topology.store import read_toml

NOT_VARIED = {"trial", "weights", "data_source", "data_digest"}  # of a training on disk alone
NOT_MEASURED = {"min_persistence", "essential", "graph_split"}  # what the features say of themselves
TRAINED = {name: hint for name, hint in get_type_hints(TrainSettings).items() if name not in NOT_VARIED}
MEASURED = {name: hint for name, hint in get_type_hints(RunMeasureSettings).items() if name not in NOT_MEASURED}
AXES: dict[str, Any] = {**TRAINED, **MEASURED, "epochs": int}
COMMON: dict[str, Any] = {**MEASURED, "draws": int, "epochs": int}
MOST_CELLS = 10_000
EARLY = 5  # the epoch that is measured besides the last, for features that look at how a network got there
USUAL = {"max_epsilon": 0.4, "max_dim": 1, "n_inputs": 500}


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
        rows = [{**cell.columns, **cell.measured_how} for cell in self.cells]
        names = dict.fromkeys(name for row in rows for name in row if name != "cell")
        return [name for name in names if len({row.get(name) for row in rows}) > 1]


def read_study(path: Path) -> Study:
    """Read a study.

    Args:
        path: A TOML file with

            * `[[grid]]` tables: fields of `TrainSettings` and of `MeasureSettings`, and `epochs`, each a value or a
              list of values; a table stands for every combination of them;
            * `[topology]`: fields of `MeasureSettings` (max_epsilon 0.4, max_dim 1, n_inputs 500), `draws` of the
              inputs (1), and `epochs`, the list of those that are measured (5 and the last one);
            * `keep_weights` (false), before the first table.

    Returns:
        The study.

    Raises:
        DnnTopologyError: The file is missing or no TOML; a key is unknown, or a value is of the wrong kind or out of
            range; the message names it.

    Warns:
        UserWarning: Cells have several draws of as many inputs as they have, which are all the same.
    """
    content = read_toml(path)
    try:
        study = Study(path.stem, _cells_of(content))
    except DnnTopologyError as error:
        raise DnnTopologyError(f"{path}: {error}") from error
    alike = sum(cell.draws > 1 and cell.training.train_size == cell.settings.n_inputs for cell in study.cells)
    if alike:
        warnings.warn(
            f"{path}: train_size is n_inputs in {alike} of {len(study.cells)} networks, whose draws of inputs are so "
            "all the same and say nothing about chance: lower [topology] n_inputs",
            stacklevel=2,
        )
    return study


def check_nets_and_data(study: Study) -> None:
    """Check, before anything is trained, that there are such networks, data sets and variations of networks.

    Raises:
        DnnTopologyError: There are not; the message names the nearest.
    """
    from dnn_topology.nets.data import check_name
    from dnn_topology.nets.zoo import check_options

    for net, width, depth, dropout in dict.fromkeys(
        (cell.training.net, cell.training.width, cell.training.depth, cell.training.dropout) for cell in study.cells
    ):
        check_options(net, width=width, depth=depth, dropout=dropout)
    for name in dict.fromkeys(cell.training.dataset for cell in study.cells):
        check_name(name)


def _cells_of(content: Mapping[str, Any]) -> tuple[Cell, ...]:
    """Return the cells of all grids, each once.

    Raises:
        DnnTopologyError: A key is unknown, or a value of the wrong kind or out of range.
    """
    check_keys("", content, ("grid", "topology", "keep_weights"))
    grids, common, keep = content.get("grid"), content.get("topology", {}), content.get("keep_weights", False)
    if not isinstance(grids, list) or not grids or not all(isinstance(grid, dict) for grid in grids):
        raise DnnTopologyError("describes no network: add a table [[grid]] with net = … and dataset = …")
    if not isinstance(common, dict) or not isinstance(keep, bool):
        raise DnnTopologyError("expected a table [topology], and keep_weights to be true or false")
    check_keys("[topology] ", common, COMMON)
    if (n_cells := sum(map(n_combinations, grids))) > MOST_CELLS:
        raise DnnTopologyError(f"describes {n_cells} networks, and a study has at most {MOST_CELLS}: split it")
    cells = [cell for grid in grids for cell in _cells(grid, common, keep_weights=keep)]
    return tuple({cell.name: cell for cell in cells}.values())


def _cells(grid: Mapping[str, Any], common: Mapping[str, Any], *, keep_weights: bool) -> Iterator[Cell]:
    """Yield the cells of one grid.

    Raises:
        DnnTopologyError: A key is unknown, or a value of the wrong kind or out of range.
    """
    check_keys("[[grid]] ", grid, AXES)
    of_all = {name: value for name, value in common.items() if name != "epochs"}
    measured_how = {**USUAL, **single_values("[topology]", of_all, COMMON)}
    draws = int(measured_how.pop("draws", 1))
    check_at_least("draws", draws, 1)
    measured = values_of("epochs", common["epochs"], int) if "epochs" in common else None
    made: dict[tuple[Any, ...], RunMeasureSettings] = {}  # thousands of cells are measured in a few ways
    for one in combinations(grid, AXES):
        epochs = int(one.pop("epochs", 20))
        how = {**measured_how, **{name: one.pop(name) for name in [*one] if name in MEASURED}}
        key = tuple(how.items())
        settings = made[key] = made[key] if key in made else RunMeasureSettings(**how)
        at = tuple(sorted(set(measured or [min(EARLY, epochs), epochs])))
        yield _checked(Cell(TrainSettings(**one), epochs, at, settings, draws, keep_weights))


def _checked(cell: Cell) -> Cell:
    """Return a cell whose numbers go together.

    Raises:
        DnnTopologyError: They do not.
    """
    train_size, n_inputs = cell.training.train_size, cell.settings.n_inputs
    check_at_least("epochs", cell.epochs, 0)
    one_graph = cell.settings.graph_type in {"functional", "grouped"} and cell.settings.by is None
    if not one_graph or cell.settings.sample_nodes is not None:
        raise DnnTopologyError("a study has one graph per network: take graph_type 'functional' or 'grouped', no by")
    if 0 < train_size < n_inputs:
        raise DnnTopologyError(
            f"train_size {train_size} is less than n_inputs {n_inputs}, and every cell is measured on as many "
            "training inputs: lower [topology] n_inputs or raise train_size"
        )
    if not 0 <= cell.measured[0] <= cell.measured[-1] <= cell.epochs:
        raise DnnTopologyError(
            f"[topology] epochs must lie between 0 and the last, {cell.epochs}: {shown(cell.measured)}"
        )
    return cell
