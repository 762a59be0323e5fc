from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from dnn_topology.cli import main

TOML = """
[[grid]]
net = "mlp"
dataset = "digits"
width = 0.1
train_size = 60
lr = [0.05, 1e12]
epochs = 3

[topology]
n_inputs = 30
epochs = [3]
"""


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    """A study of two networks, one of which diverges."""
    path = tmp_path / "two.toml"
    path.write_text(TOML)
    return path


def test_a_study_keeps_what_is_finished_says_what_failed_and_tries_again_only_when_asked(
    toml: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["study", str(toml), "--save-path", str(tmp_path)]
    assert main(["study", "status", *words[1:]]) == 0
    assert "0 finished, 0 failed, 2 running or left of 2" in capsys.readouterr().out
    assert main(words) == 1
    said = capsys.readouterr()
    assert "1 of 2 networks failed: training diverged" in said.err
    assert "run again with --retry-failed" in said.err
    folder = tmp_path / "study_two"
    assert said.out.split() == [str(folder / "study.csv")]
    table = pd.read_csv(folder / "study.csv")
    assert len(table) == 1
    assert table["early_epoch"].tolist() == [3]
    assert main(["study", "status", *words[1:]]) == 0
    said = capsys.readouterr()
    assert "1 finished, 1 failed, 0 running or left of 2" in said.out
    assert "failed: mlp on digits" in said.out
    (failed,) = folder.glob("cells/*.failed.json")
    written = failed.stat().st_mtime_ns
    assert main(words) == 1
    assert failed.stat().st_mtime_ns == written
    assert main([*words, "--retry-failed"]) == 1
    assert failed.stat().st_mtime_ns > written
    assert "diverged" in json.loads(failed.read_text())["reason"]


def test_mistakes_are_one_line(toml: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text(TOML.replace('net = "mlp"', 'net = "mpl"'))
    cases = {
        "takes FILE.toml, or status FILE.toml": ["study", "stats", str(toml)],
        "cannot read": ["study", str(tmp_path / "none.toml")],
        "did you mean mlp": ["study", str(bad)],
    }
    for message, words in cases.items():
        assert main([*words, "--save-path", str(tmp_path / "none")]) == 2
        said = capsys.readouterr().err
        assert message in said, said
        assert len(said.splitlines()) == 1
    assert not (tmp_path / "none").exists()
