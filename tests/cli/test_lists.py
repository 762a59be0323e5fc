from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import pytest

from dnn_topology._table_forms import markdown_table
from dnn_topology.cli import main
from dnn_topology.homology.engines import ENGINES, get_engine
from dnn_topology.nets.catalogue import list_data_sets, list_nets
from dnn_topology.nets.data import DATA_SETS
from dnn_topology.nets.zoo import NETWORKS
from dnn_topology.progress import print_table

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "networks.md"


@pytest.mark.parametrize(("marker", "rows"), [("networks", list_nets), ("datasets", list_data_sets)])
def test_the_readme_has_the_table_of_the_registry(marker: str, rows: object) -> None:
    found = re.search(rf"<!-- {marker} -->\n(.*?)\n<!-- /{marker} -->", PAGE.read_text(), re.DOTALL)
    if found is None:
        pytest.skip(f"networks.md has no block <!-- {marker} -->")
    assert callable(rows)
    assert found[1].strip() == markdown_table(rows())


@pytest.mark.parametrize(("command", "names"), [("nets", NETWORKS), ("datasets", DATA_SETS)])
def test_a_list_names_everything_there_is(
    command: str, names: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command]) == 0
    first_words = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert {name if not name.endswith(":") else f"{name}PATH" for name in names} <= set(first_words)


def test_the_engines_are_listed_with_their_versions_or_how_to_install_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["engines"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line.strip()}
    assert set(ENGINES) <= set(lines)
    assert version("gudhi") in lines["gudhi"]
    assert all(("not installed" in lines[name]) == (get_engine(name).version() is None) for name in ENGINES)


def test_a_table_of_the_readme_is_markdown_with_its_names_as_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nets", "--markdown"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "| net | what it is | images | units | channels |"
    assert "| `vgg16` = `vgg` | VGG of 16 layers, with batch normalisation | 3×32×32 | 36874 | 1930 |" in lines
    assert len({line.count("|") for line in lines}) == 1


def test_layers_lists_what_can_be_recorded_in_the_order_of_the_forward_pass(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["layers", "--net", "conv_2", "--dataset", "digits", "--layers", "conv*", "fc3"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()[1:]]
    assert lines == [
        ["conv1", "Conv2d", "64×28×28", "50176", "64", "28", "channel"],
        ["conv2", "Conv2d", "64×28×28", "50176", "64", "28", "channel"],
        ["fc3", "Sequential", "10", "10", "10", "10", "unit,", "channel"],
    ]


def test_layers_says_when_nothing_matches(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["layers", "--dataset", "digits", "--layers", "features.*"]) == 2
    assert "no layer matches 'features.*'" in capsys.readouterr().err


def test_brackets_in_a_table_are_printed_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(pd.DataFrame({"to install": ["pip install 'name[extra]'"]}))
    assert "name[extra]" in capsys.readouterr().out


def test_a_reader_that_has_enough_ends_the_list_without_a_word() -> None:
    words = [sys.executable, "-m", "dnn_topology", "nets"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as listing:
        assert listing.stdout is not None
        assert listing.stderr is not None
        listing.stdout.close()  # as `head` does, here before the first line
        assert listing.stderr.read() == ""
