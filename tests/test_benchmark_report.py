"""The table of the engines' benchmark, which is not part of the package."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
RESULTS = BENCHMARKS / "results"


def loaded(name: str) -> ModuleType:
    """A module beside the benchmarks."""
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def report() -> ModuleType:
    """The module that writes the table."""
    return loaded("report")


def run(seconds: float | None) -> dict[str, Any]:
    """What is kept of one rival in one cell; None: it gave up."""
    return {"seconds": seconds, "limit": 12, "peak_mib": 3, "digest": "a"}


def table(report: ModuleType, **seconds: float | None) -> str:
    """The row of a cell."""
    names = {"auto": "auto", "one": "morse, 1 thread", "gudhi": "gudhi"}
    row = {names[name]: run(time) for name, time in seconds.items()}
    machine = {"processor": "p", "cores": 2, "memory_gib": 1, "engines": dict.fromkeys(names.values(), "1")}
    text: str = report.table({"machine": machine, "load": "0", "command": "c", "cells": {"a graph": row}})
    return next(line for line in text.splitlines() if line.startswith("| a graph"))


def test_the_table_divides_by_the_best_other_and_by_two_threads(report: ModuleType) -> None:
    assert table(report, auto=1.0, one=1.5, gudhi=4.0).endswith("| 0.25 | 1.50 | yes |")


def test_a_cell_that_every_rival_gave_up_has_dashes(report: ModuleType) -> None:
    assert table(report, auto=None, one=None, gudhi=None).endswith("| > 12 | > 12 | > 12 | < – | – | – |")


def test_a_cell_that_only_the_others_gave_up_has_a_bound(report: ModuleType) -> None:
    assert table(report, auto=3.0, one=6.0, gudhi=None).endswith("| < 0.25 | 2.00 | yes |")


def test_a_recorded_command_has_no_path_of_one_machine(tmp_path: Path) -> None:
    machine = loaded("machine")
    words = [str(tmp_path / "early.py"), "--data", f"usps=npz:{tmp_path / 'usps.npz'}", "--data-dir", str(tmp_path)]
    given = machine.command_line([*words, "--only", "a/b"])
    assert given == "python benchmarks/early.py --data usps=npz:usps.npz --data-dir FOLDER --only a/b"


def test_the_commands_of_the_results_run_anywhere() -> None:
    commands = [json.loads(path.read_text()).get("command", "") for path in RESULTS.glob("*.json")]
    words = [word for command in commands for word in re.split(r"[\s=:]", command)]
    assert not [word for word in words if word.startswith(("/", "~"))]
