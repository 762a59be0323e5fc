"""Whatever happened to a file, whoever wrote it: it is read as what it promises, or refused in one line naming it."""

from __future__ import annotations

import gzip
import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from cyclopts import CycloptsError
from PIL import Image

from dnn_topology import store
from dnn_topology._checks import DnnTopologyError, check_types
from dnn_topology.analysis.adversarial.score_files import check_score_arrays
from dnn_topology.analysis.early_stopping import QUANTITIES
from dnn_topology.analysis.gap import GapModel
from dnn_topology.cli import app
from dnn_topology.homology.diagrams import Diagrams
from dnn_topology.measurement import Measurement
from dnn_topology.nets.data import DataSet, load_data
from dnn_topology.nets.data.arrays import arrays as read_data
from dnn_topology.nets.data.idx import read_idx
from dnn_topology.nets.data.own_images import read_own_images
from dnn_topology.nets.data.pixels import decoded
from dnn_topology.nets.train import TrainingState, train
from dnn_topology.pipeline import measure
from dnn_topology.recording.state_dicts import load_weights, write_state
from dnn_topology.remedies import of_file, one_line
from dnn_topology.runs.measurements import RunMeasurement
from dnn_topology.runs.measuring import group_arrays
from dnn_topology.runs.run import Run
from dnn_topology.runs.stopping import USUAL, StoppingEpochs
from dnn_topology.runs.study.cell import CellResult
from dnn_topology.runs.study.folder import StudyFolder
from dnn_topology.runs.study.grid import read_study
from dnn_topology.settings import RunMeasureSettings, TrainSettings
from dnn_topology.settings.cells import Cell
from dnn_topology.work.manifest import Manifest
from dnn_topology.work.stamps import Stamp, read_settings
from tests.mutations import about_mutations, json_mutations, mutations, state_mutations, text_mutations, zip_mutations

N = 300
SECONDS, GIB = 2.0, 2**30
Mutations = Callable[..., Iterator[bytes]]


@dataclass(frozen=True)
class Format:
    """A kind of file: its name, how a good one is written, read and looked at, and what happens to it."""

    name: str
    write: Callable[[Path], None]
    read: Callable[[Path], Any]
    mutate: Mutations
    check: Callable[[Any], None] = lambda _: None
    refused: int = 50  # of 300, at least


def networks() -> pd.DataFrame:
    """Twenty networks and their gaps."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"life": rng.uniform(size=20), "midlife": rng.uniform(size=20), "n_inputs": 100})
    return table.assign(gap=10 + 20 * table["life"] + rng.normal(size=20))


def foretells(model: GapModel) -> None:
    """A model that was read foretells numbers."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = model.predict(networks().drop(columns="gap"))
        except DnnTopologyError:
            return
    assert np.isfinite(found["gap"]).all()


CELL = Cell(TrainSettings(net="mlp", dataset="digits"), 3, (0, 3), RunMeasureSettings(max_dim=1, n_inputs=50))
STUDY = b"""keep_weights = true

[topology]
max_epsilon = 0.4
n_inputs = 100
epochs = [0, 5]

[[grid]]
net = ["mlp", "lenet"]
dataset = "digits"
lr = [0.1, 0.01]
permute_labels = [0, 0.5]
layers = ["a", "b*"]
epochs = 5
"""


def cell_file(path: Path) -> None:
    """Write the file of a finished cell, and its diagrams beside it."""
    folder = StudyFolder(path.parent.parent)
    rows = [
        {**CELL.columns, "epoch": epoch, "train_loss": 0.5, "gap": 3.0, "life": None, **CELL.measured_how}
        for epoch in CELL.measured
    ]
    empty = Diagrams([np.empty((0, 2))] * 2, 0.3, 4)
    folder.keep(CELL, CellResult(rows, {(epoch, 0): empty for epoch in CELL.measured}, 1.5))
    if path.name != f"{CELL.name}.json":
        (path.parent / f"{CELL.name}.json").rename(path)


def rows_of_a_cell(result: CellResult) -> None:
    """The rows of a cell that was read make a table of numbers."""
    assert [row["epoch"] for row in result.rows] == [0, 3]
    assert all(not isinstance(row["gap"], str) for row in result.rows)
    assert math.isfinite(result.seconds)


def history(path: Path) -> None:
    """Write a history, its last epoch without test images."""
    names = ("train_loss", "train_accuracy", "test_loss", "test_accuracy")
    table = pd.DataFrame({"epoch": range(8), "lr": 0.01, **{name: np.linspace(0.9, 0.1, 8) for name in names}})
    table.loc[7, "test_loss"] = np.nan
    store.write_table(path, table)


def quantities(path: Path) -> None:
    """Write what stopping looked at in an epoch."""
    Stamp(USUAL.results, "*.csv").claim(path.parent)
    store.write_table(path, pd.DataFrame({"draw": range(6), **{name: np.linspace(0.1, 0.2, 6) for name in QUANTITIES}}))


def numbers(*whole: str) -> Callable[[pd.DataFrame], None]:
    """A check that a table has whole numbers in some columns and numbers in all."""

    def check(table: pd.DataFrame) -> None:
        assert all(table[name].dtype == np.int64 for name in whole)
        assert all(table[name].dtype == np.float64 for name in table if name not in whole)
        assert not np.isinf(table.to_numpy(dtype=np.float64)).any()

    return check


def data(path: Path) -> None:
    """Write a data set of one's own."""
    rng = np.random.default_rng(0)
    parts = {"x_train": (20, 6, 6), "x_test": (8, 6, 6)}
    images = {name: rng.integers(0, 256, size=shape).astype(np.uint8) for name, shape in parts.items()}
    store.write_arrays(path, {**images, "y_train": np.arange(20) % 3, "y_test": np.arange(8) % 3})


SCORES = {
    **{f"{kind}/single/softmax": np.linspace(0, 1, 12) for kind in ("noise", "adversarial")},
    **{f"{kind}/curves/4": np.ones((3, 7)) for kind in ("noise", "adversarial")},
    **{f"{kind}/batches/4": np.arange(3.0) for kind in ("noise", "adversarial")},
    **{name: np.arange(12) for name in ("predicted_adversarial", "predicted_noise")},
    "fooled": np.arange(12) > 5,
    "size/linf": np.full(12, 0.1),
}


def scores(path: Path) -> dict[str, Any]:
    """Read scores as a detection does."""
    found = store.read_arrays(path)
    try:
        check_score_arrays(found, clean=False, detectors=["softmax"], batch_sizes=[4])
    except DnnTopologyError as error:
        raise DnnTopologyError(f"{path} is damaged: {error}; {store.AGAIN}") from error
    return found


def net() -> torch.nn.Module:
    """A small network."""
    return torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2))


def weights_into_a_net(path: Path) -> torch.nn.Module:
    """Read weights into a network."""
    model = net()
    load_weights(path, model)
    return model


def whole_weights(model: torch.nn.Module) -> None:
    """All weights of a network can be looked at."""
    assert [tuple(one.clone().shape) for one in model.parameters()] == [(3, 4), (3,), (2, 3), (2,)]


def saved_alone(path: Path) -> None:
    """Write weights as people do."""
    torch.save({"state_dict": net().state_dict(), "epoch": 3, "args": {"lr": 0.1}}, path)


def saved_the_old_way(path: Path) -> None:
    """Write weights as torch did before it wrote archives."""
    torch.save(net().state_dict(), path, _use_new_zipfile_serialization=False)


def safetensors(path: Path) -> None:
    """Write weights as safetensors."""
    pytest.importorskip("safetensors.torch").save_file(net().state_dict(), path)


def index(path: Path) -> None:
    """Write the index of weights in one part, and the part."""
    safetensors(path.with_name("model.safetensors"))
    store.write_json(path, {"metadata": {}, "weight_map": dict.fromkeys(net().state_dict(), "model.safetensors")})


def stamped(settings: Any) -> Callable[[Path], None]:
    """Return what writes settings.json."""
    return lambda path: Stamp(settings, "*.npz").claim(path.parent)


def manifest(path: Path) -> None:
    """Write a manifest of two tasks."""
    Manifest(path.parent).record("epoch1", [])
    (path.parent / "epoch2.npz").write_bytes(b"12")
    Manifest(path.parent).record("epoch2", [path.parent / "epoch2.npz"])


def look_up(path: Path) -> Manifest:
    """Ask a manifest of everything in it."""
    found = Manifest(path.parent)
    for name in ("epoch1", "epoch2"):
        found.knows(name)
        found.is_whole(name, [path.parent / "epoch2.npz"])
    return found


def digits() -> DataSet:
    """A few small images."""
    return load_data("digits", data_subset=0.02)


def small() -> torch.nn.Module:
    """A network for them."""
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))


def state_of_a_training(path: Path) -> None:
    """Train and write the state to go on from."""
    train(small(), digits(), epochs=2, test=None, on_epoch=lambda state: state.save(path))


def goes_on(state: TrainingState) -> None:
    """A training goes on from a state that was read, or is told why not."""
    try:
        history = train(small(), digits(), epochs=state.epoch + 1, resume=state, test=None)
    except DnnTopologyError:
        return
    assert history["epoch"].tolist() == [*range(state.epoch + 2)]


def flags(path: Path) -> Any:
    """Take flags from a file as a command does."""
    words = ["run", "--config", str(path)]
    try:
        return app.parse_args(words, exit_on_error=False, print_error=False)
    except CycloptsError as error:
        raise DnnTopologyError(one_line(str(error))) from error
    except DnnTopologyError as error:
        raise DnnTopologyError(f"{error}{of_file(words)}") from error


FLAGS = b"""net = "lenet"
lr = 0.05
n_epochs_train = 20
epochs_test = [1, 5, 20]
max_epsilon = 0.3
no_train = false
layers = ["a", "b*"]
draws = 3
"""


def groups(path: Path) -> None:
    """Write the groups of a measurement."""
    store.write_arrays(path, {"groups": np.arange(30) // 3})


def groups_of(path: Path) -> Any:
    """Read groups as a measurement does."""
    run = Run(path.parent.parent)
    return group_arrays(RunMeasurement(run, path.parent, RunMeasureSettings(graph_type="partitioned", split=2))).load(1)


def whole_groups(found: Any) -> None:
    """Groups of neurons are whole numbers."""
    assert found.ndim == 1
    assert found.dtype.kind in "iu"


def own_images(path: Path) -> None:
    """Write images of one's own."""
    store.write_arrays(path, {"x": np.zeros((5, 1, 8, 8), np.uint8)})


def pixels(found: torch.Tensor) -> None:
    """Images of one's own are as the data set's."""
    assert found.shape[1:] == (1, 8, 8)
    assert found.isfinite().all()


def packed(path: Path) -> None:
    """Write images as MNIST packs them."""
    path.write_bytes(gzip.compress(bytes((0, 0, 8, 3, *(0, 0, 0, 4) * 3)) + bytes(64), mtime=0))


def measurement(path: Path) -> None:
    """Write what was measured of a small network, of its layers too."""
    images = torch.rand(12, 4, generator=torch.Generator().manual_seed(0))
    measure(net(), images, by="layer", max_dim=0).save(path)


def numbers_of_a_measurement(found: Measurement) -> None:
    """What was measured can be looked at."""
    assert found.diagrams.max_epsilon > 0
    assert "Measurement" in repr(found) or "Breakdown" in repr(found)
    assert len(found.table) > 0


def image(kind: type[Any]) -> Callable[[Path], None]:
    """Return what writes a picture of a ramp, in colour or in grey of another depth."""

    def write(path: Path) -> None:
        if path.suffix == ".pgm" and picture.dtype == np.uint16:  # Pillow 10.0 reads such, but does not write them
            path.write_bytes(b"P5\n24 24\n65535\n" + picture.astype(">u2").tobytes())
        else:
            Image.fromarray(picture).save(path)

    ramp = np.linspace(0, 1 if kind is np.float32 else np.iinfo(kind).max, 24 * 24).reshape(24, 24).astype(kind)
    picture = np.repeat(ramp[:, :, None], 3, axis=2) if kind is np.uint8 else ramp
    return write


def pixels_of_an_image(found: torch.Tensor) -> None:
    """An image has three channels of numbers in their range."""
    assert found.shape[0] == 3
    assert found.is_contiguous()
    assert found.dtype == torch.uint8 or 0 <= found.min() <= found.max() <= 1


def _study_is_small(study: Any) -> None:
    assert 0 < len(study.cells) <= 100_000


FORMATS = {
    "settings of a training": Format(
        "settings.json",
        stamped({one.name: one.default for one in fields(TrainSettings)}),
        lambda path: read_settings(path.parent, TrainSettings),
        json_mutations,
        check_types,
    ),
    "settings of a measurement": Format(
        "settings.json",
        stamped(RunMeasureSettings(layers=("a", "b*"), graph_type="grouped", split=3).results),
        lambda path: read_settings(path.parent, RunMeasureSettings),
        json_mutations,
        check_types,
    ),
    "manifest": Format("manifest.json", manifest, look_up, json_mutations, refused=0),
    "cell": Format(
        f"cells/{CELL.name}.json",
        cell_file,
        lambda p: StudyFolder(p.parent.parent).load(CELL),
        json_mutations,
        rows_of_a_cell,
    ),
    "model of the gap, linear": Format(
        "gap.json", lambda path: GapModel.fit(networks()).save(path), GapModel.load, json_mutations, foretells
    ),
    "model of the gap, Gaussian process": Format(
        "gap.json",
        lambda path: GapModel.fit(networks(), method="gaussian-process").save(path),
        GapModel.load,
        json_mutations,
        foretells,
    ),
    "quantities of an epoch": Format(
        "early_stopping/epoch0.csv",
        quantities,
        lambda path: StoppingEpochs(Run(path.parent.parent), USUAL).load(0),
        text_mutations,
        numbers("draw"),
    ),
    "history": Format(
        "history.csv", history, lambda path: Run(path.parent).history(), text_mutations, numbers("epoch")
    ),
    "study": Format(
        "study.toml", lambda path: store.write_bytes(path, STUDY), read_study, text_mutations, _study_is_small
    ),
    "flags in a file": Format("flags.toml", lambda path: store.write_bytes(path, FLAGS), flags, text_mutations),
    "state of a training": Format("training.pt", state_of_a_training, TrainingState.load, state_mutations, goes_on),
    "groups of neurons": Format("eps0.3/epoch1_groups.npz", groups, groups_of, zip_mutations, whole_groups),
    "images of one's own": Format(
        "mine.npz", own_images, lambda path: read_own_images(path, digits()), zip_mutations, pixels
    ),
    "images as MNIST packs them": Format("train-images-idx3-ubyte.gz", packed, read_idx, mutations),
    "data of one's own": Format("data.npz", data, read_data, zip_mutations),
    "scores of an attack": Format("fgsm_0.1.npz", lambda path: store.write_arrays(path, SCORES), scores, zip_mutations),
    "our weights": Format(
        "epoch1.pt",
        lambda path: write_state(path, {"model": net().state_dict()}),
        weights_into_a_net,
        zip_mutations,
        whole_weights,
    ),
    "our weights, other values": Format(
        "epoch1.pt",
        lambda path: write_state(path, {"model": net().state_dict()}),
        weights_into_a_net,
        state_mutations,
        whole_weights,
    ),
    "weights as people save them": Format("w.pth", saved_alone, weights_into_a_net, zip_mutations, whole_weights),
    "weights of an old torch": Format("w.pt", saved_the_old_way, weights_into_a_net, mutations, whole_weights),
    "safetensors": Format("w.safetensors", safetensors, weights_into_a_net, mutations, whole_weights),
    "index of weights": Format("w.index.json", index, weights_into_a_net, json_mutations, whole_weights),
    "measurement": Format("m.npz", measurement, Measurement.load, about_mutations, numbers_of_a_measurement),
    **{
        f"image as {name.partition('.')[2]} ({kind.__name__})": Format(
            name, image(kind), decoded, mutations, pixels_of_an_image, refused=10
        )
        for name, kind in [
            *((f"x.{ending}", np.uint8) for ending in ("png", "jpg", "gif", "bmp", "tif", "webp", "ppm")),
            *(("x.png", np.uint16), ("x.pgm", np.uint16), ("x.tif", np.uint16), ("x.tif", np.float32)),
        ]
    },
}


def damaged(one: Format, folder: Path, *, n: int = N, seed: int = 0) -> list[str]:
    """Read n damaged versions of a file and return the refusals, all of which are one line that names it."""
    path = folder / one.name
    path.parent.mkdir(parents=True, exist_ok=True)
    one.write(path)
    one.check(one.read(path))
    refusals = []
    for content in one.mutate(path.read_bytes(), n=n, seed=seed):
        path.unlink()  # what is mapped stays as it is
        path.write_bytes(content)
        try:
            found = one.read(path)
        except DnnTopologyError as error:
            refusals.append(str(error))
            assert path.name in refusals[-1] or "model.safetensors" in refusals[-1], refusals[-1]
            assert "\n" not in refusals[-1], refusals[-1]
            assert len(refusals[-1]) < 1000, refusals[-1]
            continue
        one.check(found)
    return refusals


@pytest.mark.filterwarnings("ignore:the labels of")
@pytest.mark.parametrize("name", FORMATS)
def test_a_file_that_anything_happened_to_is_read_as_what_it_promises_or_refused_by_name(
    name: str, tmp_path: Path
) -> None:
    assert len(damaged(FORMATS[name], tmp_path)) >= FORMATS[name].refused
