from __future__ import annotations

from pathlib import Path

import pytest

from dnn_topology.runs.study.grid import Study, read_study

TOML = """
[[grid]]
net = "mlp"
dataset = "digits"
width = [0.1, 0.2]
train_size = 60
lr = 0.05
epochs = 2
seed = [0, 1]

[topology]
n_inputs = 30
draws = 2
epochs = [0, 2]
"""


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    """A file with four small networks."""
    path = tmp_path / "small.toml"
    path.write_text(TOML)
    return path


@pytest.fixture
def study(toml: Path) -> Study:
    """The study of that file."""
    return read_study(toml)
