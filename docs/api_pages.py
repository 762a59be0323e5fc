"""Pages that are made: the reference by stage, every public name on the page of its room; commands; measured tables."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import dnn_topology
from dnn_topology.cli import app

# room → title of its page, in the order of the flow
STAGES = {
    "pipeline": "The flow at once",
    "estimating": "What it will take",
    "recording": "Any module and its inputs → signals",
    "graphs": "Signals → functional graphs",
    "homology": "Graph → diagrams → numbers",
    "analysis": "What the numbers are good for",
    "show": "Pictures",
    "monitors": "In a training loop",
    "nets": "Networks, data, training",
    "": "The rest",
}
# what public names take or return, and has no public name
TYPES = (
    "dnn_topology.settings.measuring.MeasureSettings",
    "dnn_topology.settings.computing.Compute",
    "dnn_topology.analysis.early_stopping.Decision",
    "dnn_topology.analysis.adversarial.comparing.Separation",
    "dnn_topology.analysis.adversarial.detection.Scores",
    "dnn_topology.analysis.adversarial.detectors.Detector",
    "dnn_topology.analysis.adversarial.pixels.Normalised",
    "dnn_topology.analysis.gap.methods.Learned",
    "dnn_topology.homology.engines.estimate.Estimate",
    "dnn_topology.homology.engines.planner.Plan",
    "dnn_topology.nets.data.forms.Samples",
    "dnn_topology.nets.training_state.TrainingState",
    "dnn_topology.nets.training_state.EpochRecord",
)
STUB = Path(dnn_topology.__file__).with_suffix(".pyi")


def rooms() -> dict[str, list[str]]:
    """Return room → its public names, in the order of `__init__.pyi`."""
    names: dict[str, list[str]] = {stage: [] for stage in STAGES}
    for line in STUB.read_text().splitlines():
        words = line.split()
        if len(words) != 6 or words[0] != "from" or words[1] == ".":
            continue
        module, name = words[1].strip("."), words[-1]
        if name != "__version__":
            names[
                next(
                    stage for stage in STAGES if module.split(".")[0] == stage or not stage
                )
            ].append(name)
    return names


def write(reference: Path) -> None:
    """Write the pages into folders `api` and `results` of the reference."""
    shutil.rmtree(
        reference / "api" / "names", ignore_errors=True
    )  # of names that are no longer there
    names(reference / "api")
    commands(reference / "api" / "commands.md")
    results(reference / "results")


def commands(path: Path) -> None:
    """Write the reference of the command line, made from the commands themselves."""
    text = app.generate_docs(output_format="markdown", heading_level=1)
    text = text.replace("# dnn-topology\n", "# The command line\n", 1)
    text = re.sub(r"## Table of Contents\n.*?(?=\*\*Commands)", "", text, flags=re.DOTALL)
    _put(
        path,
        re.sub(r"\]\(#[\w-]+\)", "]", text).replace("* [`", "* `").replace("`]:", "`:"),
    )


def results(folder: Path) -> None:
    """Write a page for every table that a benchmark left."""
    tables = sorted((Path(__file__).parents[1] / "benchmarks" / "results").glob("*.md"))
    for path in tables:
        title = path.stem.replace("_", " ").capitalize()
        made_by = f"Left by `python benchmarks/{path.stem}.py`."
        _put(
            folder / path.name,
            f"# {title}: measured tables\n\n{made_by}\n\n{path.read_text()}",
        )
    index = [
        "# Measured tables",
        "",
        "```{toctree}",
        "",
        *(path.stem for path in tables),
        "```",
        "",
    ]
    _put(folder / "index.md", "\n".join(index))


def names(folder: Path) -> None:
    """Write the pages of the public names, and the page that lists them."""
    index = ["# Every public name, by stage", "", "```{toctree}", ":maxdepth: 2", ""]
    for number, (stage, names) in enumerate(rooms().items()):
        if not names:
            continue
        page = f"{number}_{stage or 'rest'}"
        index.append(page)
        text = [
            f"# {STAGES[stage]}",
            "",
            "```{eval-rst}",
            ".. currentmodule:: dnn_topology",
            "",
        ]
        text += [
            ".. autosummary::",
            "   :toctree: names",
            "   :nosignatures:",
            "",
            *(f"   {name}" for name in names),
        ]
        _put(folder / f"{page}.md", "\n".join([*text, "```", ""]))
    types = [one for one in TYPES if one.rpartition(".")[2] not in dnn_topology.__all__]
    text = [
        "# Types that they take and return",
        "",
        "```{eval-rst}",
        ".. autosummary::",
        "   :toctree: names",
        "",
    ]
    _put(
        folder / "types.md",
        "\n".join([*text, *(f"   {name}" for name in types), "```", ""]),
    )
    _put(folder / "index.md", "\n".join([*index, "types", "```", ""]))


def _put(path: Path, text: str) -> None:
    """Write a file unless it is there: an unchanged page is not built again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)
