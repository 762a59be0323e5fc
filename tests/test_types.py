"""A user's script type-checks under mypy's strictest rules."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPT = """
from collections.abc import Mapping

import torch
from torch import nn
from torch.utils.data import DataLoader

import dnn_topology as dt

data: dt.DataSet = dt.load_data("digits")
net = dt.build_net("mlp", shape=data.shape, n_classes=data.n_classes)
loader = DataLoader(data.train, batch_size=100)
acts: dt.Activations = dt.record(net, loader, nodes="unit", max_samples=100, progress=False)
graph: dt.FunctionalGraph = dt.functional_graph(acts, max_epsilon=0.3)
diagrams: dt.Diagrams = dt.persistence(graph, max_dim=1)
pairs: dt.PersistencePairs = dt.persistence(graph, max_dim=1, pairs=True)
curve: dt.BettiCurve = diagrams.betti_curve(1)
m: dt.Measurement = dt.measure(net, loader, max_dim=1)
layers: dt.Breakdown = dt.measure(net, loader, max_dim=1, by="layer")
one: dt.Measurement = layers["fc1"]
m.save("m.npz")
again: dt.Measurement = dt.Measurement.load("m.npz")
settings = dt.MeasureSettings(max_dim=1, by="class")
tracked: Mapping[int, dt.Measurement] = dt.track(net, loader, {0: net.state_dict()}, settings=settings)
monitor: dt.TopologyMonitor = dt.TopologyMonitor(loader, every=5, max_dim=1)
found: dt.Measurement | None = monitor(net, 0)
stopping: dt.TopologicalEarlyStopping = dt.TopologicalEarlyStopping(loader)
stopping(net, 0)
decision: dt.Decision = stopping.decision
net.load_state_dict(stopping.best_state)
epoch: int | None = decision.chosen_epoch


def told(state: dt.TrainingState) -> bool:
    return state.epoch > 3


dt.train(net, data, epochs=1, on_epoch=told)
detector: dt.Detector = dt.detector("softmax")
fitted: dt.FittedDetectors = dt.fit_detectors(net, data.train.tensors[0][:60])
scores: dt.Scores = fitted.score(data.test.tensors[0][:5])
apart: dt.Separation = dt.compare_scores([0.1, 0.2], [0.3, 0.4])
dt.plot_layers(layers, summary="life").set_title("layers")
dt.plot_betti_curves({"epoch 50": m}, dim=1).set_title("curves")
images, labels = data.train[[0, 5]]
shape: tuple[int, int, int] = data.shape


class Own(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


dt.summarize(m.diagrams.filtered(min_persistence=0.02, essential="clip"))
"""


@pytest.mark.slow
def test_a_script_and_the_readme_type_check_under_strict(tmp_path: Path) -> None:
    api = pytest.importorskip("mypy.api")
    readme = (ROOT / "README.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```$", readme, flags=re.MULTILINE | re.DOTALL)
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "readme.py").write_text("\n".join(blocks))
    (tmp_path / "mypy.ini").write_text("[mypy]\n[mypy-torchvision.*]\nignore_missing_imports = true\n")
    # the project's own cache, where `make check` left one, saves most of the time
    cache = ROOT / ".mypy_cache" if (ROOT / ".mypy_cache").is_dir() else tmp_path / "cache"
    files = [str(tmp_path / name) for name in ("script.py", "readme.py")]
    options = ["--strict", "--config-file", str(tmp_path / "mypy.ini"), "--cache-dir", str(cache)]
    report, errors, _ = api.run([*options, "--follow-imports", "silent", *files])
    assert errors == ""
    # matplotlib's own annotations let `ax.figure` be a SubFigure, which cannot be saved
    assert [line for line in report.splitlines() if ": error:" in line and '"SubFigure"' not in line] == []
