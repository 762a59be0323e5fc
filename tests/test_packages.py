"""How a package that is not installed is had: in a way that works wherever this one came from."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

import dnn_topology._packages as packages
from dnn_topology._packages import pip_install

SRC = Path(packages.__file__).parent


def test_the_command_names_the_package_in_versions_that_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "requires", lambda _: ["torch>=2.4", "pymetis>=2025.2; extra == 'metis'"])
    assert pip_install("pymetis") == "pip install 'pymetis>=2025.2'"


def test_the_command_is_there_without_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: str) -> list[str]:
        raise PackageNotFoundError

    monkeypatch.setattr(packages, "requires", missing)
    assert pip_install("redzed-tda", "ripser") == "pip install 'redzed-tda' ripser"


def test_every_package_that_a_message_names_is_declared() -> None:
    text = "\n".join(path.read_text() for path in sorted(SRC.rglob("*.py")) if path.name != "_packages.py")
    named = set(re.findall(r"pip_install\(['\"]([\w-]+)['\"]\)", text))
    assert len(named) > 5
    declared = (Path(__file__).parents[1] / "pyproject.toml").read_text()
    assert {name for name in named if f'"{name}>=' not in declared} == set()


def test_no_message_asks_the_index_for_this_package() -> None:
    texts = {path: path.read_text() for path in SRC.rglob("*.py") if path.name != "_packages.py"}
    assert [path for path, text in texts.items() if "dnn-topology[" in text] == []
