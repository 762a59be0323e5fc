"""The map of the package as rules: data flows one way, and every heavy library has one home."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import dnn_topology

SRC = Path(dnn_topology.__file__).parent

# A module imports from its own room and from rooms further up. Rooms in one line stand side by side and do not meet.
LAYERS = (
    ("_version", "_checks", "_renamed"),
    ("settings", "_records", "_calls", "_machine", "_packages", "_table_forms", "_compiled"),
    ("store", "progress", "remedies"),
    ("recording",),
    ("graphs",),
    ("homology",),
    ("measurement",),
    ("pipeline",),
    ("estimating", "analysis", "nets"),
    ("show",),
    ("monitors", "work"),
    ("runs",),
    ("report", "trials"),
    ("cli",),
    ("__main__",),
)
# The flow, which knows nothing of named networks and data sets.
FLOW = ("recording", "graphs", "homology", "measurement", "pipeline", "analysis", "show")
# Analyses stand side by side too.
SIBLINGS = ("analysis.early_stopping", "analysis.gap", "analysis.adversarial", "analysis.comparison")
# heavy library → the rooms and modules that may import it
HOMES = {
    "torch": (
        *(
            "recording",
            "nets",
            "pipeline",
            "estimating",
            "analysis.adversarial",
            "analysis.features",
            "analysis.gap",
            "analysis.network_features",
            "monitors",
            "runs",
            "work.computer",
            "cli",
        ),
        "graphs.correlation",
    ),
    "torchvision": ("nets",),
    "matplotlib": ("show",),
    "jinja2": ("report",),
    "cyclopts": ("cli",),
    "rich": ("progress",),
    "gudhi": ("homology.engines", "homology.distances"),
    "numba": ("_compiled", "homology.engines.morse"),
    "redzed_tda": ("homology.engines.redzed",),
    "holos_tda": ("homology.engines.holos",),
    "ripser": ("homology.engines.ripser",),
    "gph": ("homology.engines.giotto_ph",),  # AGPL: nowhere else, and imported only when asked for by name
    "lightning": ("monitors.lightning",),
    "transformers": ("monitors.huggingface",),
    "foolbox": ("analysis.adversarial.attacks",),
    "distributed": ("work.cluster",),
}
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}


def module_name(path: Path) -> str:
    """The name of a file's module within the package; "" for the package itself."""
    parts = path.relative_to(SRC).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(path): path for path in sorted(SRC.rglob("*.py"))}
MODULES = [module for module in FILES if module]


def imported_names(path: Path) -> Iterator[tuple[str, bool]]:
    """Every module that a file imports and whether that happens when it is loaded, not in a function or for types."""
    tree = ast.parse(path.read_text())
    at_once = {id(node) for node in tree.body}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) in at_once) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield from ((f"{node.module}.{alias.name}", id(node) in at_once) for alias in node.names)
            yield node.module or "", id(node) in at_once


def imports(path: Path) -> set[str]:
    """Every module that a file imports, anywhere in it; for `from a import b`, "a.b" as well as "a"."""
    return {name for name, _ in imported_names(path)}


def own_imports(path: Path) -> set[str]:
    """The modules of this package that a file imports, when it runs or for its types."""
    return {name.removeprefix("dnn_topology.") for name in imports(path) if name.startswith("dnn_topology.")} & {*FILES}


def within(module: str, room: str) -> bool:
    """Whether a module is a room, or lies in it."""
    return module == room or module.startswith(f"{room}.")


def test_every_room_has_its_place_in_the_flow() -> None:
    assert {module.split(".")[0] for module in MODULES} == set(LEVEL)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_from_its_own_room_and_from_those_before_it(module: str) -> None:
    room = module.split(".")[0]
    others = {name for name in own_imports(FILES[module]) if name.split(".")[0] != room}
    assert {name for name in others if LEVEL[name.split(".")[0]] >= LEVEL[room]} == set()


@pytest.mark.parametrize("module", [name for name in MODULES if name.split(".")[0] in FLOW])
def test_the_flow_knows_no_named_network_or_data_set(module: str) -> None:
    assert not [name for name in own_imports(FILES[module]) if within(name, "nets")]


@pytest.mark.parametrize("module", [name for name in MODULES if any(within(name, sibling) for sibling in SIBLINGS)])
def test_one_analysis_does_not_know_another(module: str) -> None:
    (own,) = (sibling for sibling in SIBLINGS if within(module, sibling))
    found = own_imports(FILES[module])
    assert not [name for name in found for sibling in SIBLINGS if sibling != own and within(name, sibling)]


def test_no_module_needs_itself_to_be_loaded() -> None:
    graph = {}
    for module, path in FILES.items():
        at_once = {name.removeprefix("dnn_topology.") for name, loading in imported_names(path) if loading}
        graph[module] = {name for name in at_once & {*FILES} if name and not within(module, name)}
    assert set(TopologicalSorter(graph).static_order()) == set(FILES)


@pytest.mark.parametrize("heavy", HOMES)
def test_a_heavy_library_is_imported_only_at_its_home(heavy: str) -> None:
    users = {module for module, path in FILES.items() if any(within(name, heavy) for name in imports(path))}
    assert {user for user in users if not any(within(user, home) for home in HOMES[heavy])} == set()
    assert users or heavy == "torchvision"  # which is imported by name, in one place


@pytest.mark.parametrize("module", MODULES)
def test_a_docstring_says_more_than_where_to_look(module: str) -> None:
    only_see = re.compile(r'(?:^\s+\w+: |""")See `[\w.]+`\.?(?:"""|$)', re.MULTILINE)
    assert only_see.findall(FILES[module].read_text()) == []


LONGEST, MOST_PARAMETERS = 80, 20


@pytest.mark.parametrize("module", MODULES)
def test_a_function_fits_on_a_screen_and_its_arguments_on_a_line(module: str) -> None:
    functions = [node for node in ast.walk(ast.parse(FILES[module].read_text())) if isinstance(node, ast.FunctionDef)]
    lines = {one.name: (one.end_lineno or 0) - one.lineno + 1 for one in functions}
    parameters = {one.name: len(one.args.args) + len(one.args.kwonlyargs) for one in functions}
    assert {name for name in lines if lines[name] > LONGEST} == set()
    assert {name for name in parameters if parameters[name] > MOST_PARAMETERS} == set()


def test_the_shell_is_thin() -> None:
    lines = sum(len(FILES[module].read_text().splitlines()) for module in MODULES if re.match("(cli|runs)\\b", module))
    assert lines <= 3600


@pytest.mark.parametrize(
    "module", [name for name in MODULES if not within(name, "cli") and name != "settings.original"]
)
def test_an_error_of_the_library_names_arguments_and_no_flags(module: str) -> None:
    raised = [node for node in ast.walk(ast.parse(FILES[module].read_text())) if isinstance(node, ast.Raise)]
    texts = [part.value for node in raised for part in ast.walk(node) if isinstance(part, ast.Constant)]
    assert [text for text in texts if re.search(r"(?<!\w)--\w", re.sub(r"`dnn-topology [^`]*`?", "", str(text)))] == []
