"""Every example runs by itself and prints a table."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
NEEDS = {"own_training_loop": (), "transformer": ("transformers", "accelerate"), "tracked_experiment": ("trackio",)}
TRACKIO = "from trackio.cli import main; main()"


@pytest.fixture
def environment(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """Without a network, and with a folder for what trackio keeps."""
    return {**os.environ, "HF_HUB_OFFLINE": "1", "TRACKIO_DIR": str(tmp_path_factory.mktemp("trackio"))}


def run(folder: Path, environment: Mapping[str, str], *words: str | Path) -> str:
    """What Python prints."""
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, cwd=folder, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", NEEDS)
def test_an_example_prints_numbers_per_epoch(name: str, tmp_path: Path, environment: Mapping[str, str]) -> None:
    for library in NEEDS[name]:
        if importlib.util.find_spec(library) is None:
            pytest.skip(f"{library} is not installed")
    printed = run(tmp_path, environment, EXAMPLES / f"{name}.py")
    assert "midlife" in printed
    assert not list(tmp_path.iterdir())
    if name == "tracked_experiment":
        metric = ["get", "metric", "--project", "shape-of-digits", "--run", "mlp", "--metric", "topology/H1/midlife"]
        kept = json.loads(run(tmp_path, environment, "-c", TRACKIO, *metric, "--json"))["values"]
        rows = [line.split() for line in printed.splitlines() if line.split()[0].isdecimal()]
        assert [(str(one["step"]), f"{one['value']:.4f}") for one in kept] == [(row[0], row[3]) for row in rows]
