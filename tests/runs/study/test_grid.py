from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dnn_topology._checks import DnnTopologyError
from dnn_topology.runs.study.grid import Study, check_nets_and_data, read_study
from tests.runs.study.conftest import TOML


def read(tmp_path: Path, text: str) -> Study:
    path = tmp_path / "other.toml"
    path.write_text(text)
    return read_study(path)


def test_a_grid_is_every_combination_in_the_order_of_the_file(study: Study) -> None:
    assert [(cell.training.width, cell.training.seed) for cell in study.cells] == [
        (0.1, 0),
        (0.1, 1),
        (0.2, 0),
        (0.2, 1),
    ]
    assert study.axes == ["width", "seed"]
    assert {cell.measured for cell in study.cells} == {(0, 2)}


def test_a_cell_that_two_grids_name_is_there_once(study: Study, tmp_path: Path) -> None:
    grid, topology = TOML.split("[topology]")
    twice = read(tmp_path, f"{grid}{grid.replace('[0.1, 0.2]', '[0.2, 0.3]')}[topology]{topology}")
    assert [cell.training.width for cell in twice.cells] == [0.1, 0.1, 0.2, 0.2, 0.3, 0.3]
    assert twice.cells[:4] == study.cells


def test_epoch_5_and_the_last_are_measured_unless_others_are_named(tmp_path: Path) -> None:
    found = read(tmp_path, '[[grid]]\nnet = "mlp"\ndataset = "digits"\nepochs = [3, 5, 20]\n')
    measured = [(cell.epochs, cell.measured) for cell in found.cells]
    assert measured == [(3, (3,)), (5, (5,)), (20, (5, 20))]
    settings = found.cells[0].settings
    assert (settings.max_epsilon, settings.max_dim, settings.graph_split) == (0.4, 1, "train")


def test_a_cells_name_depends_on_all_that_changes_its_result_and_on_nothing_else(study: Study) -> None:
    cell = study.cells[0]
    others = [
        replace(cell, training=replace(cell.training, weight_decay=0.0)),
        replace(cell, settings=replace(cell.settings, max_epsilon=0.3)),
        replace(cell, epochs=3),
        replace(cell, measured=(2,)),
        replace(cell, draws=1),
    ]
    assert len({cell.name, *(other.name for other in others)}) == 6
    assert replace(cell, keep_weights=True).name == cell.name
    assert cell.name == "57f2d9c4cbe5"  # results of earlier versions are found again


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("width", "widht", r"other.toml: unknown key \[\[grid\]\] 'widht': did you mean width"),
        ("n_inputs", "ninputs", r"unknown key \[topology\] 'ninputs': did you mean n_inputs"),
        ("[[grid]]", "[[grids]]", "unknown key 'grids': did you mean grid"),
        ("[[grid]]", "[[grid]", "other.toml is not TOML"),
        ("[[grid]]", "[grid]", r"describes no network: add a table \[\[grid\]\]"),
        ("[0.1, 0.2]", '"wide"', "width must be a finite number or None, found 'wide'"),
        ("seed = [0, 1]", "seed = []", "seed takes a value or a list of them, found none"),
        ("seed = [0, 1]", "seed = true", "seed must be a whole number, found True"),
        ("seed = [0, 1]", "seed = 0.5", "seed must be a whole number"),
        ("seed = [0, 1]", "seed = -1", "seed must be at least 0"),
        ("seed = [0, 1]", "permute_labels = 1.5", r"permute_labels must lie in \[0, 1\]"),
        ("lr = 0.05", "lr = 0.0", "lr must be positive"),
        ("train_size = 60", "train_size = 20", "train_size 20 is less than n_inputs 30"),
        ("n_inputs = 30", "n_inputs = [30, 40]", "n_inputs takes one value for the whole study"),
        ("n_inputs = 30", "max_epsilon = 0.9", r"max_epsilon must lie in \(0, 0.5\]"),
        ("epochs = [0, 2]", "epochs = [3]", "must lie between 0 and the last, 2"),
        ("draws = 2", "draws = 0", "draws must be at least 1"),
        (
            "draws = 2",
            "max_dim = 0",
            "max_dim must be at least 1 in a study, found 0: the gap is read off loops",
        ),
        ("draws = 2", 'nodes = "units"', "unknown nodes 'units': did you mean unit"),
    ],
)
def test_a_mistake_in_the_file_is_one_line_that_names_it(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in TOML
    with pytest.raises(DnnTopologyError, match=message) as caught:
        read(tmp_path, TOML.replace(old, new, 1))
    assert "\n" not in str(caught.value)
    assert "other.toml" in str(caught.value)


def test_every_setting_of_what_is_trained_and_measured_can_be_an_axis(tmp_path: Path) -> None:
    extra = 'metric = ["pearson", "spearman"]\nconstant = "isolate"\ndata_subset = [0.5, 1.0]\n[topology]'
    found = read(tmp_path, TOML.replace("[topology]", extra))
    assert len(found.cells) == 16
    assert found.axes == ["width", "seed", "data_subset", "metric"]
    assert {cell.settings.constant for cell in found.cells} == {"isolate"}


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DnnTopologyError, match=r"cannot read .*none.toml: No such file"):
        read_study(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("mlp", "mpl", "unknown net 'mpl': did you mean mlp"),
        ("digits", "digit", "unknown dataset 'digit': did you mean digits"),
        ("mlp", "resnet18", "resnet18 has no width to choose"),
    ],
)
def test_networks_and_data_that_are_not_there_are_refused_before_any_work(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    with pytest.raises(DnnTopologyError, match=message):
        check_nets_and_data(read(tmp_path, TOML.replace(old, new)))


def test_draws_of_all_training_images_are_warned_of_for_they_are_the_same(tmp_path: Path) -> None:
    grid = '[topology]\nn_inputs = 50\ndraws = 3\n[[grid]]\nnet = "mlp"\ndataset = "digits"\ntrain_size = [50, 100]\n'
    with pytest.warns(UserWarning, match=r"in 1 of 2 networks.*all the same"):
        read(tmp_path, grid)
