"""Every example in a docstring and every block of the README runs, and prints what it says."""

from __future__ import annotations

import doctest
import importlib.util
import pkgutil
import re
import shlex
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dnn_topology
from dnn_topology.cli import main
from dnn_topology.nets.data import load_data, sample

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(dnn_topology.__path__, "dnn_topology.")
    if not module.name.endswith("__main__")
)


# Modules that an extra is for, or whose examples take one.
EXTRAS = {
    "dnn_topology.analysis.adversarial.attacked": ["foolbox"],
    "dnn_topology.analysis.adversarial.attacks": ["foolbox"],
    "dnn_topology.homology.distances": ["ot"],
    "dnn_topology.monitors.huggingface": ["accelerate", "transformers"],
    "dnn_topology.monitors.lightning": ["lightning"],
}


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_docstrings_print_what_they_say(name: str) -> None:
    for package in EXTRAS.get(name, []):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    module = importlib.import_module(name)
    result = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    assert result.failed == 0


# Types that are public for annotations: what makes or takes one has the example. A shorter list is better.
SHOWN_ELSEWHERE = {
    "Decision",
    "Detector",
    "LongComputationWarning",
    "MeasureSettings",
    "Participation",
    "Scores",
    "Separation",
    "TrainingState",
}


def test_every_public_callable_has_an_example_that_runs() -> None:
    finder = doctest.DocTestFinder(exclude_empty=True)
    public = {name for name in dnn_topology.__all__ if callable(getattr(dnn_topology, name))} - SHOWN_ELSEWHERE
    tested = {name for name in public for test in finder.find(getattr(dnn_topology, name)) if test.examples}
    assert public == tested


README = (Path(__file__).parents[1] / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[str]:
    return [text for found, text in BLOCKS if found == language]


def assert_same_text(found: str, expected: str) -> None:
    """Words are the same; numbers within a twentieth, because another processor rounds otherwise in training."""
    assert len(found.split()) == len(expected.split()), found
    for a, b in zip(found.split(), expected.split(), strict=True):
        if re.fullmatch(r"-?[\d.]+", b):
            assert float(a) == pytest.approx(float(b), rel=0.05), f"{a} is not {b} in\n{found}"
        else:
            assert a == b, found


def test_the_readme_has_no_block_that_is_not_run() -> None:
    assert {language for language, _ in BLOCKS} == {"python", "text", "console"}


def test_the_python_of_the_readme_prints_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {}
    for block in blocks("python"):
        exec(block, namespace)  # noqa: S102  # our own README
    assert_same_text(capsys.readouterr().out, "".join(blocks("text")))
    assert (tmp_path / "loops.png").exists()


def write_idx(path: Path, array: np.ndarray[Any, np.dtype[np.uint8]]) -> None:
    """Write a file of MNIST's own format, as torchvision keeps it."""
    header = np.array([0x800 + array.ndim, *array.shape], ">i4").tobytes()
    path.write_bytes(header + array.tobytes())


@pytest.fixture
def mnist_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache with few real images in the files of the true MNIST, as a download leaves them."""
    data = load_data("mnist-5k")
    raw = tmp_path / "cache" / "dnn-topology" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for split, name in ((data.train, "train"), (data.test, "t10k")):
        few = sample(split, 200)
        pixels = ((few.tensors[0][:, 0] * 0.3081 + 0.1307) * 255).round().numpy().astype(np.uint8)
        write_idx(raw / f"{name}-images-idx3-ubyte", pixels)
        write_idx(raw / f"{name}-labels-idx1-ubyte", few.tensors[1].numpy().astype(np.uint8))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.slow
@pytest.mark.usefixtures("mnist_cache")
def test_the_commands_of_the_readme_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for line in "".join(blocks("console")).splitlines():
        words = shlex.split(line.removeprefix("$ "), comments=True)
        if words[0] == "make":
            root = Path(__file__).parents[1]
            made = subprocess.run(["make", "-n", *words[1:]], cwd=root, capture_output=True, text=True)  # noqa: S607
            assert made.returncode == 0, made.stderr
        else:
            assert words[0] == "dnn-topology"
            assert main(words[1:]) == 0
    folder = tmp_path / "results_dnn_topology" / "lenet_mnist"
    assert len(list(folder.glob("adj_epc*_trl0_0.3.bin.out"))) == 8
    assert (folder / "trial0" / "eps0.3" / "betti_curves_H1.pdf").exists()


def test_the_readme_names_every_command() -> None:
    from dnn_topology.cli import COMMANDS

    for name in [*COMMANDS, "gap"]:
        assert f"`{name}`" in README or f"`{name}," in README, name


def test_every_link_of_the_readme_to_a_file_leads_somewhere() -> None:
    root = Path(__file__).parents[1]
    for target in re.findall(r"\]\(([^)]+)\)", README):
        assert target.startswith("https://") or (root / target).exists(), target


def test_the_readme_of_the_package_index_has_no_link_to_a_file() -> None:
    tools = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["tool"]
    text = README
    for change in tools["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]["substitutions"]:
        text = re.sub(change["pattern"], change["replacement"], text)
    assert "![" not in text
    assert all(target.startswith("https://") for target in re.findall(r"\]\(([^)]+)\)", text))
    assert README.count("\n## ") == text.count("\n## ")
    assert blocks("python") == re.findall(r"^```python\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
