"""What `make demo` does, shortened to two epochs."""

from __future__ import annotations

import importlib
from pathlib import Path

import pandas as pd
import pytest

from dnn_topology.cli import main
from dnn_topology.homology.tables import before_and_after


@pytest.mark.slow
def test_the_demonstration_leaves_pictures_and_a_page_and_says_what_training_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.import_module("dnn_topology.cli.run"), "DEMO_EPOCHS", (0, 2))
    assert main(["demo", "--save-path", str(tmp_path)]) == 0
    *_, page, peaks, midlives = capsys.readouterr().out.strip().splitlines()
    measured = tmp_path / "lenet_mnist-5k" / "trial0" / "eps0.3"
    assert Path(page) == measured / "report.html"
    assert Path(page).stat().st_size > 10_000
    assert list(measured.glob("*.png"))
    table = pd.read_csv(measured / "topology.csv").set_index(["epoch", "dim"])
    before, after = (float(table.loc[(epoch, 1), "peak_epsilon"]) for epoch in (0, 2))  # type: ignore[arg-type]
    assert f"peaks at ε {before:.2f}; after 2 epochs" in peaks
    assert f"it peaks at ε {after:.2f}" in peaks
    assert midlives.startswith("Their midlife went from ")


@pytest.mark.parametrize(("last", "said"), [(0.1, "smaller"), (0.2, "the same"), (0.3, "larger")])
def test_the_way_that_the_peak_went_is_said(last: float, said: str) -> None:
    both = {"dim": 1, "midlife": 0.2, "life": 0.03, "min_persistence": 0.02}
    topology = pd.DataFrame([{"epoch": 0, "peak_epsilon": 0.2, **both}, {"epoch": 5, "peak_epsilon": last, **both}])
    history = pd.DataFrame({"epoch": [0, 5], "test_accuracy": [0.1, 0.95]})
    sentence, _ = before_and_after(topology, history, 5)
    assert sentence.endswith(
        f"after 5 epochs, at 95 % test accuracy, it peaks at ε {last:.2f}, that is at {said} distances."
    )
