"""Every block of code in the pages of the docs runs, and prints what stands below it."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path

import pytest

from dnn_topology.cli import app
from dnn_topology.cli.spelling import our_words
from dnn_topology.nets._torchvision import torchvision

DOCS = Path(__file__).parents[1] / "docs"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = sorted(path for folder in (DOCS, DOCS / "how_to", DOCS / "reference") for path in folder.glob("*.md"))
EXTRAS = {"lightning", "transformers", "ripser", "foolbox"}  # pages that import what only an extra brings
BLOCKS = {path: FENCE.findall(path.read_text()) for path in PAGES}
WITH_PYTHON = [path for path, blocks in BLOCKS.items() if any(language == "python" for language, _ in blocks)]


@pytest.mark.parametrize("page", WITH_PYTHON, ids=lambda path: path.stem)
@pytest.mark.filterwarnings("ignore::Warning")  # other libraries' own, which a reader sees too
def test_the_python_of_a_page_prints_what_stands_below_it(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = page.read_text() + ("foolbox" if "dt.attack(" in page.read_text() else "")
    for name in EXTRAS:
        if re.search(rf"import {name}|from {name}|^foolbox", text) and importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed")
    torchvision()  # beside a PyTorch that it was not built for, other libraries could not import it
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {"__name__": "page"}
    blocks = BLOCKS[page]
    for (language, code), (following, expected) in zip(blocks, [*blocks[1:], ("", "")], strict=True):
        if language == "python":
            exec(code, namespace)  # noqa: S102  # our own page
            printed = capsys.readouterr().out
            if following == "text":
                assert printed.split() == expected.split(), printed


def commands() -> list[str]:
    """The command lines that pages show."""
    shown = [text for blocks in BLOCKS.values() for language, text in blocks if language in {"text", "console"}]
    return [line.removeprefix("$ ") for text in shown for line in text.splitlines() if "dnn-topology " in line[:15]]


@pytest.mark.parametrize("line", commands())
def test_a_command_of_a_page_is_understood(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    app.parse_args(our_words(shlex.split(line, comments=True)[1:]), exit_on_error=False, print_error=False)


def test_the_pages_have_no_block_of_a_language_that_is_not_run() -> None:
    assert {language for blocks in BLOCKS.values() for language, _ in blocks} <= {"python", "text", "console", "bibtex"}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_every_link_of_a_page_to_a_file_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        made = target.startswith(("https://", "generated/", "api/", "results/"))  # the build checks those
        assert made or (page.parent / target).exists(), target
