"""The map of the package: who may import whom. A module without a row here fails."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import dnn_topology

SRC = Path(dnn_topology.__file__).parent

# module → the package's modules that it may import, when it runs or for its types. `*` is everything.
ALLOWED = {
    "_version": "",
    "_checks": "",
    "store": "_checks",
    "isolate": "_checks",
    # networks: know nothing of topology
    "nets": "",
    "nets._torchvision": "",
    "nets.zoo": "_checks nets.zoo.adapted nets.zoo.network nets.zoo.own nets.zoo.small",
    "nets.zoo.network": "",
    "nets.zoo.small": "nets.zoo.network",
    "nets.zoo.adapted": "nets._torchvision nets.zoo.network",
    "nets.zoo.own": "_checks nets._torchvision nets.zoo.network",
    "nets.data": (
        "_checks nets.data.downloaded nets.data.embedded nets.data.files nets.data.images nets.data.labels "
        "nets.data.loading nets.data.source"
    ),
    "nets.data.images": "_checks",
    "nets.data.labels": "nets.data.images",
    "nets.data.source": "nets.data.images nets.data.labels",
    "nets.data.embedded": "_checks nets.data.images nets.data.labels nets.data.source",
    "nets.data.downloaded": (
        "_checks nets._torchvision nets.data.images nets.data.labels nets.data.resuming nets.data.source"
    ),
    "nets.data.resuming": "nets._torchvision",
    "nets.data.files": "_checks store nets.data.images nets.data.labels nets.data.source",
    "nets.data.loading": "_checks nets.data.images",
    "nets.train": "_checks store nets.data",
    "nets.signals": "_checks",
    "nets.layers": "_checks",
    "nets.functions": "",
    "nets.hooks": "_checks nets.functions nets.layers nets.signals",
    "nets.borrowing": "_checks",
    "nets.inputs": "_checks nets.borrowing",
    "nets.listing": "_checks nets.borrowing nets.functions nets.inputs nets.layers nets.signals",
    "nets.activations": "_checks store nets.borrowing nets.hooks nets.inputs nets.layers nets.listing nets.signals",
    "nets.weights": "_checks",
    "nets.attacks": "_checks nets.borrowing",
    "nets.layer_inputs": "_checks nets.borrowing nets.inputs nets.layers nets.weights",
    "nets.structure": "_checks nets.layers nets.signals nets.weights",
    # topology: knows of networks only the type of the signals that it is given
    "topology": "",
    "topology.diagrams": "_checks store",
    "topology.correlation": "",
    "topology.metrics": "_checks topology.correlation",
    "topology.graph": "_checks nets.activations topology.correlation topology.metrics",
    "topology.nodes": "_checks nets.activations topology.correlation topology.graph",
    "topology.groups": "_checks nets.activations topology.graph topology.metrics",
    "topology.samples": "_checks topology.graph",
    "topology.kinds": ("_checks nets.activations topology.graph topology.groups topology.metrics topology.samples"),
    "topology.bootstrap": (
        "_checks nets.activations topology.diagrams topology.graph topology.metrics topology.nodes "
        "topology.persistence topology.summaries"
    ),
    "topology.engines": "_checks topology.graph",
    "topology.engines.ranks": "_checks topology.graph",
    "topology.engines.simplify": "topology.graph",
    "topology.engines.gudhi": "topology.engines topology.graph",
    "topology.engines.redzed": "topology.engines topology.engines.ranks topology.graph",
    "topology.engines.holos": "topology.engines topology.graph",
    "topology.engines.ripser": "topology.engines topology.engines.ranks topology.graph",
    "topology.engines.giotto_ph": "topology.engines topology.engines.ranks topology.graph",
    "topology.engines.dipha": "_checks topology.dipha topology.graph",
    "topology.engines.census": "topology.engines.simplify topology.graph",
    "topology.engines.cost": "topology.engines.census",
    "topology.engines.planner": (
        "topology.engines topology.engines.census topology.engines.cost topology.engines.gudhi "
        "topology.engines.simplify topology.graph"
    ),
    "topology.engines.estimate": (
        "_checks topology.engines.census topology.engines.cost topology.engines.planner topology.graph"
    ),
    "topology.persistence": (
        "_checks _version topology.diagrams topology.graph topology.engines topology.engines.estimate "
        "topology.engines.planner"
    ),
    "topology.dipha": "_checks store topology.diagrams topology.graph",
    "topology.neural_persistence": "_checks topology.trees",
    "nets.norms": "_checks nets.weights",
    "analysis.features": "_checks topology.diagrams topology.summaries",
    "topology.summaries": "topology.diagrams",
    "topology.static": "_checks topology.diagrams",
    "topology.trees": "_checks",
    # the flow
    "pipeline": (
        "_checks nets.activations nets.signals nets.train topology.bootstrap topology.diagrams topology.graph "
        "topology.metrics topology.nodes topology.persistence topology.summaries"
    ),
    "observing": "_checks nets.activations nets.layer_inputs nets.layers topology.trees",
    # what topology is good for
    "analysis.early_stopping": "_checks topology.diagrams topology.summaries",
    "analysis.gap": "analysis.gap.evaluating analysis.gap.model",
    "analysis.gap.table": "_checks analysis.features",
    "analysis.gap.methods": "",
    "analysis.gap.folds": "_checks analysis.gap.methods analysis.gap.table",
    "analysis.gap.scores": "analysis.gap.folds analysis.gap.methods analysis.gap.table",
    "analysis.gap.model": (
        "_checks store analysis.features analysis.gap.folds analysis.gap.methods analysis.gap.table"
    ),
    "analysis.gap.evaluating": (
        "_checks analysis.features analysis.gap.folds analysis.gap.methods analysis.gap.scores analysis.gap.table"
    ),
    "analysis": "",
    "analysis.adversarial": (
        "analysis.adversarial.batches analysis.adversarial.detectors analysis.adversarial.separating"
    ),
    "analysis.adversarial.batches": "_checks topology.graph topology.persistence",
    "analysis.adversarial.detectors": (
        "_checks observing analysis.adversarial.mahalanobis analysis.adversarial.uncertainty topology.persistence "
        "topology.samples"
    ),
    "analysis.adversarial.mahalanobis": "",
    "analysis.adversarial.separating": "_checks",
    "analysis.adversarial.uncertainty": "_checks analysis.adversarial.mahalanobis",
    "detection": "_checks analysis.adversarial nets.attacks observing",
    # a named training on disk
    "experiment": (
        "experiment.layout experiment.training experiment.graphs experiment.measuring experiment.results "
        "experiment.stopping"
    ),
    "experiment.layout": "_checks store nets.data nets.zoo topology.dipha",
    "experiment.training": "_checks store experiment.layout nets.train",
    "experiment.snapshot": "nets.activations nets.data nets.layers nets.signals nets.structure",
    "experiment.graphs": (
        "_checks store experiment.layout experiment.snapshot nets.data nets.signals nets.train topology.graph "
        "topology.kinds topology.nodes"
    ),
    "experiment.measuring": (
        "_checks store isolate experiment.layout experiment.graphs topology.diagrams topology.dipha "
        "topology.engines.estimate topology.graph topology.persistence"
    ),
    "experiment.results": (
        "_checks store experiment.layout experiment.graphs topology.bootstrap topology.diagrams topology.dipha "
        "topology.summaries"
    ),
    "experiment.stopping": (
        "_checks store isolate analysis.early_stopping experiment.graphs experiment.layout experiment.measuring "
        "topology.bootstrap topology.graph topology.nodes topology.persistence"
    ),
    "experiment.detecting": (
        "_checks store analysis.adversarial analysis.adversarial.detectors detection nets.activations nets.attacks "
        "nets.data nets.layers observing"
    ),
    # many networks
    "study": ("study.cell study.cluster study.folder study.grid study.local study.readings study.running study.status"),
    "study.readings": "analysis.features nets.norms topology.diagrams topology.neural_persistence",
    "study.cell": (
        "_checks experiment.graphs experiment.layout nets.data nets.train pipeline study.readings topology.diagrams"
    ),
    "study.grid": "_checks store experiment.graphs experiment.layout nets.data nets.zoo study.cell",
    "study.folder": "_checks store analysis.features isolate nets.train study.cell",
    "study.local": "isolate experiment.measuring study.cell",
    "study.cluster": "_checks isolate experiment.measuring study.cell",
    "study.running": "isolate store study.cell study.folder study.grid",
    "study.status": "study.cell study.folder study.grid study.running",
    # inside a training loop: one outside library per file
    "monitors": "",
    "monitors.plain": "_checks pipeline nets.inputs",
    "monitors.stopping": "_checks analysis.early_stopping monitors.plain pipeline",
    "monitors.tensorboard": "pipeline monitors.plain show.plots",
    "monitors.lightning": "monitors.plain monitors.tensorboard nets._torchvision",
    "monitors.huggingface": "monitors.plain nets._torchvision",
    # pictures
    "show": "",
    "show.plots": "_checks pipeline topology.diagrams",
    "show.report": "_checks store show.plots topology.diagrams",
    "show.window": "",
    "show.gap": "_checks show.plots",
    "show.early_stopping": "_checks analysis.early_stopping show.plots",
    "show.detection": "_checks show.plots",
    # the shell, which nobody imports but __main__
    "cli": "*",
    "cli.options": "*",
    "cli.graph_options": "*",
    "cli.progress": "*",
    "cli.run": "*",
    "cli.steps": "*",
    "cli.stopping": "*",
    "cli.study": "*",
    "cli.visualise": "*",
    "cli.engines": "*",
    "cli.gap": "*",
    "cli.lists": "*",
    "cli.demo": "*",
    "cli.detect": "*",
    "__main__": "cli",
    "": "*",
}
# heavy thing → the folders and modules that are its only homes
HOMES = {
    "matplotlib": ("show",),
    "torchvision": ("nets",),
    "gudhi": ("topology.engines",),
    "redzed_tda": ("topology.engines.redzed",),
    "holos_tda": ("topology.engines.holos",),
    "ripser": ("topology.engines.ripser",),
    "gph": ("topology.engines.giotto_ph",),  # AGPL: nowhere else, and imported only when asked for by name
    "typer": ("cli",),
    "rich": ("cli",),
    "torch": (
        *("nets", "pipeline", "experiment", "monitors", "cli", "topology.correlation", "observing", "detection"),
        *("study.cell", "study.readings"),
    ),
    "lightning": ("monitors.lightning",),
    "transformers": ("monitors.huggingface",),
    "foolbox": ("nets.attacks",),
    "distributed": ("study.cluster",),
}


def module_name(path: Path) -> str:
    """The name of a file's module within the package; "" for the package itself."""
    parts = path.relative_to(SRC).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(path): path for path in sorted(SRC.rglob("*.py"))}


def imports(path: Path) -> set[str]:
    """Every module that a file imports, anywhere in it; for `from a import b`, "a.b" as well as "a"."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            found |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_every_module_has_a_row_and_every_row_a_module() -> None:
    assert set(FILES) == set(ALLOWED)


@pytest.mark.parametrize("module", [name for name in FILES if ALLOWED.get(name) != "*"])
def test_a_module_imports_only_what_its_row_allows(module: str) -> None:
    ours = {name.removeprefix("dnn_topology.") for name in imports(FILES[module]) if name.startswith("dnn_topology.")}
    found = {name for name in ours if name in FILES}
    # `from package import module` names the package too, which is no import of what is in it
    found -= {name for name in found if any(other.startswith(f"{name}.") for other in found)}
    assert found <= set(ALLOWED[module].split())


@pytest.mark.parametrize("module", FILES)
def test_nobody_imports_the_command_line(module: str) -> None:
    if module not in {"__main__"} and not module.startswith("cli"):
        assert not {name for name in imports(FILES[module]) if name.startswith("dnn_topology.cli")}


@pytest.mark.parametrize("heavy", HOMES)
def test_a_heavy_library_is_imported_only_at_its_home(heavy: str) -> None:
    users = {
        module
        for module, path in FILES.items()
        if any(name == heavy or name.startswith(f"{heavy}.") for name in imports(path))
    }
    at_home = {user for user in users if any(user == home or user.startswith(f"{home}.") for home in HOMES[heavy])}
    assert users == at_home
    assert users or heavy == "torchvision"  # which is imported by name, in one place


def test_topology_imports_upstream_modules_in_one_direction_only() -> None:
    order = ["nets", "topology", "pipeline", "show"]
    for module, path in FILES.items():
        stage = module.split(".")[0]
        if stage not in order:
            continue
        later = order[order.index(stage) + 1 :]
        ours = {name.split(".")[1] for name in imports(path) if name.startswith("dnn_topology.")}
        assert not ours & set(later), module
