"""Measurements of a whole network, of its layers, and on the inputs of single classes."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import dnn_topology as dt
from dnn_topology._checks import DnnTopologyError
from dnn_topology.measurement import Breakdown, Measurement, PartNameError
from dnn_topology.monitors.plain import scalars
from dnn_topology.settings import MeasureSettings

LAYERS = ["1", "3", "output"]


def model() -> nn.Sequential:
    """In double precision, where a batch of another size gives the same float32 signals."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(6, 30), nn.ReLU(), nn.Linear(30, 20), nn.Tanh(), nn.Linear(20, 3)).double()


def inputs() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(90, 6, generator=generator), torch.randint(0, 3, (90,), generator=generator)


def batches() -> list[tuple[torch.Tensor, torch.Tensor]]:
    images, labels = inputs()
    return [(images[start : start + 30], labels[start : start + 30]) for start in range(0, 90, 30)]


def by(what: Any, **options: Any) -> Breakdown:
    made: Breakdown = dt.measure(model(), batches(), by=what, max_dim=1, **options)
    return made


def test_a_layer_of_a_breakdown_is_what_measuring_that_layer_alone_gives() -> None:
    whole = by("layer", min_persistence=0.01)
    assert list(whole) == LAYERS
    for name, part in whole.items():
        alone = dt.measure(model(), batches(), layers=[name], max_dim=1, min_persistence=0.01)
        assert part.diagrams == alone.diagrams
        assert part.settings == alone.settings
        assert part.layers is not None
        assert alone.layers is not None
        pd.testing.assert_frame_equal(part.layers, alone.layers)
        pd.testing.assert_frame_equal(part.summary, alone.summary)


def test_a_class_of_a_breakdown_is_what_measuring_its_inputs_alone_gives() -> None:
    images, labels = inputs()
    whole = by("class")
    assert list(whole) == ["class 0", "class 1", "class 2"]
    for number in range(3):
        alone = dt.measure(model(), [images[labels == number]], max_dim=1)
        assert whole[number].diagrams == whole[f"class {number}"].diagrams == alone.diagrams


@pytest.mark.parametrize("what", ["layer", "class"])
def test_a_breakdown_is_the_measurement_of_the_whole_network(what: Any) -> None:
    broken_down, plain = by(what), dt.measure(model(), batches(), max_dim=1)
    assert broken_down.diagrams == plain.diagrams
    pd.testing.assert_frame_equal(broken_down.summary, plain.summary)
    assert isinstance(broken_down, Measurement)


def test_a_breakdowns_table_has_the_whole_and_every_part() -> None:
    table = by("class").table
    assert list(table.columns[:2]) == ["class", "dim"]
    assert table["class"].tolist() == ["(all)", "(all)", 0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize("what", ["layer", "class"])
def test_tracking_by_part_is_measuring_by_part_at_each_epoch(what: Any) -> None:
    own = model()
    later = {name: 2 * tensor for name, tensor in own.state_dict().items()}
    tracked: Any = dt.track(
        own, iter(batches()) if what == "class" else batches(), {0: own.state_dict(), 5: later}, by=what
    )
    own.load_state_dict(later)
    there = dt.measure(own, batches(), by=what)
    assert list(tracked) == [0, 5]
    assert all(tracked[5][name].diagrams == there[name].diagrams for name in there)


def test_labels_may_have_their_name_in_a_batch() -> None:
    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = model()

        def forward(self, x: torch.Tensor) -> Any:
            return self.inner(x)

    images, labels = inputs()
    named = dt.measure(Named(), [{"x": images, "labels": labels}], by="class", max_dim=1)
    assert all(named[name].diagrams == part.diagrams for name, part in by("class").items())


def test_a_layer_of_one_neuron_is_one_component_and_a_dead_one_has_no_node() -> None:
    net = nn.Sequential(nn.Linear(6, 1), nn.Tanh(), nn.Linear(1, 4), nn.ReLU(), nn.Linear(4, 3))
    with torch.no_grad():
        list(net.parameters())[3].fill_(-100.0)  # the bias of the second layer
    measured = dt.measure(net, batches(), by="layer", max_dim=1)
    assert [part.diagrams.n_nodes for part in measured.values()] == [1, 0, 0]
    assert measured["1"].diagrams[0].tolist() == [[0.0, np.inf]]
    assert "1 node, 0 edges" in repr(measured["1"])


def test_a_dead_layer_is_isolated_nodes_where_they_are_kept() -> None:
    net = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3))
    with torch.no_grad():
        list(net.parameters())[3].fill_(-100.0)  # the bias of the second layer
    measured = dt.measure(net, batches(), by="layer", constant="isolate", max_dim=1)
    assert measured["3"].diagrams[0].tolist() == [[0.0, np.inf]] * 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"graph_type": "grouped", "split": 4}, "by does not apply to graph_type 'grouped': leave it out"),
        ({"graph_type": "per-sample"}, "by does not apply to graph_type 'per-sample'"),
        ({"sample_nodes": 10}, "sample_nodes does not go with by='layer': leave out one of the two"),
        ({"by": "neuron"}, "by must be one of 'layer', 'class' or None, found 'neuron'"),
    ],
)
def test_graphs_that_have_no_layers_or_classes_are_refused_in_one_line(options: Any, message: str) -> None:
    with pytest.raises(DnnTopologyError, match=message):
        dt.measure(model(), batches(), **{"by": "layer", **options})


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (None, r"by='class' needs labels: batches of \(inputs, labels\)"),
        ([0] * 89 + [1], "class 1 has 1 of the 90 inputs, and a correlation needs at least 2"),
        ([-100] * 90, "needs labels of at least 0, found none among 90 inputs"),
        ([0.5] * 90, r"labels must be one whole number per input.*found shape \(90,\), type float32"),
    ],
)
def test_labels_that_make_no_classes_are_one_line(labels: Any, message: str) -> None:
    images = inputs()[0]
    given = [images] if labels is None else [(images, torch.tensor(labels))]
    with pytest.raises(DnnTopologyError, match=message):
        dt.measure(model(), given, by="class")


def test_inputs_of_a_negative_label_are_in_no_class() -> None:
    images, labels = inputs()
    some = labels.clone()
    some[labels == 2] = -100
    measured = dt.measure(model(), [(images, some)], by="class", max_dim=1)
    assert list(measured) == ["class 0", "class 1"]


def test_a_part_that_was_not_measured_is_one_line_that_names_the_nearest() -> None:
    with pytest.raises(PartNameError) as caught:
        by("layer")["outptu"]
    assert str(caught.value) == "no layer 'outptu' was measured: did you mean output?"
    assert isinstance(caught.value, KeyError)
    assert "outptu" not in by("layer")


@pytest.mark.parametrize("options", [{}, {"by": "layer"}, {"by": "class"}, {"sample_nodes": 9, "bootstrap": 2}])
def test_a_measurement_is_the_same_once_saved_and_loaded(tmp_path: Path, options: Any) -> None:
    made = dt.measure(model(), batches(), max_dim=1, layers=["1", "output"], min_persistence=0.01, **options)
    made.save(tmp_path / "m.npz")
    for again in (dt.Measurement.load(tmp_path / "m.npz"), pickle.loads(pickle.dumps(made))):  # noqa: S301  # our own
        assert type(again) is type(made)
        assert again.settings == made.settings
        assert again.graphs == made.graphs
        assert repr(again) == repr(made)
        pd.testing.assert_frame_equal(again.table, made.table)
        assert again.layers is not None
        assert made.layers is not None
        pd.testing.assert_frame_equal(again.layers, made.layers)


def test_a_metric_of_ones_own_is_kept_by_its_name(tmp_path: Path) -> None:
    def taxicab(signals: Any) -> Any:
        return np.abs(signals[:, :, None] - signals[:, None, :]).sum(axis=0)

    made = dt.measure(model(), batches(), max_dim=0, metric=taxicab, max_epsilon=9.0)
    made.save(tmp_path / "m.npz")
    again = dt.Measurement.load(tmp_path / "m.npz")
    assert again.diagrams == made.diagrams
    assert str(again.settings.metric).endswith("taxicab")


def test_what_is_no_measurement_is_refused_in_one_line(tmp_path: Path) -> None:
    made = dt.measure(model(), batches(), max_dim=1)
    made.diagrams.save(tmp_path / "diagrams.npz")
    with pytest.raises(DnnTopologyError, match=r"diagrams\.npz holds no measurement .*save the measurement again"):
        dt.Measurement.load(tmp_path / "diagrams.npz")
    with pytest.raises(DnnTopologyError, match="cannot read"):
        dt.Measurement.load(tmp_path / "nothing.npz")


def test_a_measurement_of_a_later_version_is_refused_with_the_remedy(tmp_path: Path) -> None:
    dt.measure(model(), batches(), max_dim=0).save(tmp_path / "m.npz")
    with np.load(tmp_path / "m.npz") as file:
        arrays = dict(file)
    about = json.loads(str(arrays["about"]))
    np.savez(tmp_path / "m.npz", **arrays | {"about": json.dumps(about | {"format": about["format"] + 1})})
    with pytest.raises(DnnTopologyError, match=f"it has format {about['format'] + 1}, .* reads up to .*: upgrade"):
        dt.Measurement.load(tmp_path / "m.npz")


def test_pictures_draw_every_layer_of_a_breakdown() -> None:
    ax = dt.plot_betti_curves(by("layer"))
    assert [line.get_label() for line in ax.get_lines()] == LAYERS


def test_a_monitor_takes_a_breakdown_and_its_table_and_scalars_name_the_layers() -> None:
    monitor = dt.TopologyMonitor(batches(), by="layer", max_dim=1)
    measured = monitor(model(), 0)
    assert measured is not None
    assert monitor.table["layer"].drop_duplicates().tolist() == ["(all)", *LAYERS]
    numbers = scalars(measured)
    assert {"topology/H1/count", "topology/1/H1/count", "topology/output/H0/count"} <= set(numbers)
    assert numbers["topology/H1/count"] == measured.summary["count"][1]


def test_early_stopping_by_layer_reads_the_whole_network() -> None:
    plain, broken_down = (dt.TopologicalEarlyStopping(batches(), rule="midlife", by=by) for by in (None, "layer"))
    for stopping in (plain, broken_down):
        stopping(model(), 0)
    pd.testing.assert_frame_equal(plain.decision.table, broken_down.decision.table)


def test_settings_that_say_by_are_a_breakdown_too() -> None:
    measured = dt.measure(model(), batches(), settings=MeasureSettings(by="layer", max_dim=1))
    assert isinstance(measured, Breakdown)
    assert repr(measured) == (
        f"Breakdown(by layer: '1', '3', 'output'; whole: 53 nodes, {measured.diagrams.provenance['n_edges']} edges, "
        f"cavities: 53 in H0, {len(measured.diagrams[1])} in H1; max_epsilon=0.3)"
    )


def test_the_cavities_of_a_layer_are_those_of_that_layer_alone() -> None:
    whole, alone = by("layer"), dt.measure(model(), batches(), layers=["1"], max_dim=1)
    found, expected = whole["1"].cavities(top=3), alone.cavities(top=3)
    assert [(one.birth, one.death) for one in found] == [(one.birth, one.death) for one in expected]
    assert len(found) == 3
    assert {one.where for one in found} == {"1"}
