"""Every example runs by itself and prints a table."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
NEEDS = {"own_training_loop": (), "transformer": ("transformers", "accelerate"), "tracked_experiment": ("trackio",)}


@pytest.mark.slow
@pytest.mark.parametrize("name", NEEDS)
def test_an_example_prints_numbers_per_epoch(
    name: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    for library in NEEDS[name]:
        if importlib.util.find_spec(library) is None:
            pytest.skip(f"{library} is not installed")
    found = subprocess.run(
        [sys.executable, EXAMPLES / f"{name}.py"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "TRACKIO_DIR": str(tmp_path_factory.mktemp("trackio"))},
    )
    assert found.returncode == 0, found.stderr
    assert "midlife" in found.stdout
    assert not list(tmp_path.iterdir())
