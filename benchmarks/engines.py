"""Every installed engine alone at its own defaults, and `auto`, side by side on real functional graphs.

    python benchmarks/engines.py              # all cells, three runs each or more: `make bench`
    python benchmarks/engines.py --quick      # the cells that decide, once each
    python benchmarks/engines.py --cells 'lenet-e50.*H2' --repeats 1

Each engine has a process of its own, which first computes a small graph, so that imports do not count. A time goes from
the functional graph to the diagrams. Short runs are repeated until half a second is spent. In H1 and in cells of up to
a second, `auto` and the engines that need at most half as long again then share one process and run in turns, and those
times count: between two processes, or two minutes, the same work differs by a fifth and more. A run that takes longer
than 8 s is not repeated. An engine gives a cell up after --limit seconds or five times what `auto` took, whichever is
more. What is finished is kept in --work and not measured again; --fresh forgets it.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import psutil
from machine import machine
from numpy.typing import NDArray
from stored import graph_file, load_graph

from dnn_topology.homology.diagrams import Diagrams
from dnn_topology.homology.engines import ENGINES, get_engine
from dnn_topology.homology.engines.estimate import estimate
from dnn_topology.homology.engines.planner import ORDERS, prepare
from dnn_topology.graphs.graph import FunctionalGraph, functional_graph
from dnn_topology.homology.persistence import persistence
from dnn_topology.homology.summaries import summarize

HERE = Path(__file__).parent
SCALES = (0.3, 0.4)
QUICK = r"lenet-e50 d≤0.6 H2|lenet-e50 d≤0.8 H2|wide-5000 d≤0.6 H2|lenet-e50 d≤0.8 H1"
HOPELESS = 60  # seconds that `auto` may be expected to take; a cell beyond is left out
LONG = 8  # seconds of a run that is not repeated
SHORT = 1  # seconds that `auto` may be expected to take in a cell whose best engines run in turns
ENOUGH = 0.5  # seconds until which runs are repeated
MOST_RUNS = 15
BEYOND = 5.1  # times what `auto` took, at which a peer is far enough behind
CURVE_LIMIT = 5  # seconds per point of a scaling curve
MODEL = ("lenet-e50", 0.3)  # of the whole way from activations to summaries


def main() -> None:
    """Measure what is missing, then write the JSON, the table and the plot."""
    options = _options()
    if options.one:
        _child(options)
        return
    from graphs import signals  # torch and matplotlib stay out of the processes that are timed
    from report import write_report

    files = signals(options.work)
    engines = ["auto", *(name for name in ENGINES if get_engine(name).version())]
    kept = Kept(options)
    kept.measure("epoch/lenet/auto", "epoch", 2, [files[MODEL[0]]], limit=120)
    cells = list(_cells(options, files))
    for max_dim in (1, 2, 3):
        for short in (True, False):
            group = [cell for cell in cells if cell.max_dim == max_dim and (cell.expected <= SHORT) == short]
            kept.measure_cells(group, engines, paired=short or max_dim == 1)
    if not options.quick and not options.cells:
        curves = _curves(options, files)
        kept.axes({name: list(points) for name, points in curves.items()})
        for name, points in curves.items():
            for engine in engines:
                kept.measure(f"curves/{name}/{engine}", engine, 2, list(points.values()), limit=CURVE_LIMIT, curve=True)
    for name in (MODEL[0], "wide-5000"):
        kept.measure(f"building/{name}/ours", "building", 2, [files[name]], limit=120)
    command = " ".join(["python", *sys.argv])
    write_report({"command": command, "machine": _machine(engines), **kept.results}, options.out)


class Cell(NamedTuple):
    """One graph and one dimension.

    Attributes:
        name: Its name in the results.
        path: The file of the graph.
        max_dim: The dimension.
        expected: Seconds that `auto` should take.
    """

    name: str
    path: Path
    max_dim: int
    expected: float


class Kept:
    """What was measured so far: section → row → engine → runs, in a file that a later call goes on from.

    Args:
        options: The command line.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self.options, self.path = options, options.work / "measured.json"
        self.until = time.monotonic() + 60 * options.minutes
        fresh = options.fresh or not self.path.exists()
        self.results: dict[str, Any] = {} if fresh else json.loads(self.path.read_text())

    def measure(
        self, place: str, engine: str, max_dim: int, paths: list[Path], *, limit: float, curve: bool = False
    ) -> None:
        """Measure one engine on a graph or on those of a curve, unless that is done."""
        section, row, column = place.split("/")
        cells = self.results.setdefault(section, {}).setdefault(row, {})
        if column in cells or time.monotonic() > self.until:
            return
        runs = _measured(self.options, engine, max_dim, paths, limits=[limit] * len(paths))
        found = [_combined(runs[path], limit) for path in paths]
        cells[column] = found if curve else found[0]
        self._keep(row, column, found)

    def measure_cells(self, cells: list[Cell], engines: list[str], *, paired: bool) -> None:
        """Measure every engine in some cells of one dimension; paired, the best of them then run in turns."""
        table = self.results.setdefault("cells", {})
        runs: dict[str, dict[Path, list[dict[str, Any]]]] = {}
        for engine in engines:
            todo = [cell for cell in cells if engine not in table.get(cell.name, {})]
            if not todo or time.monotonic() > self.until:
                continue
            limits = [self._limit(runs, cell) for cell in todo]
            found = _measured(self.options, engine, cells[0].max_dim, [cell.path for cell in todo], limits=limits)
            runs[engine] = found
        for cell in cells if paired else []:
            rivals = [engine for engine in engines if _is_contender(runs, engine, cell)]
            if len(rivals) > 1 and time.monotonic() < self.until:
                limits = [self._limit(runs, cell)]
                found = _measured(self.options, "+".join(rivals), cell.max_dim, [cell.path], limits=limits)
                for engine in rivals:
                    lines = [line for line in found[cell.path] if line["engine"] == engine]
                    runs[engine][cell.path] = lines or runs[engine][cell.path]
        for engine, found in runs.items():
            for cell in [cell for cell in cells if cell.path in found]:
                held = _combined(found[cell.path], self._limit(runs, cell))
                table.setdefault(cell.name, {})[engine] = held
                self._keep(cell.name, engine, [held])

    def _limit(self, runs: dict[str, dict[Path, list[dict[str, Any]]]], cell: Cell) -> float:
        """Return the seconds after which an engine gives a cell up."""
        ours = _seconds(runs, "auto", cell) or cell.expected
        return max(self.options.limit, float(np.ceil(BEYOND * ours)))

    def _keep(self, row: str, column: str, found: list[dict[str, Any]]) -> None:
        """Write down what there is."""
        self.path.write_text(json.dumps(self.results))
        print(f"{row:28s} {column:10s} {[run['seconds'] for run in found]}", flush=True)

    def axes(self, values: dict[str, list[str]]) -> None:
        """Remember what the points of the curves are."""
        self.results["axes"] = values


def _options() -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the cells that decide, once each, no curves")
    parser.add_argument("--cells", metavar="REGEX", help="only the cells whose name matches, no curves")
    parser.add_argument("--repeats", type=int, help="runs per cell and engine (default 3, with --quick 1)")
    parser.add_argument("--limit", type=float, default=20, help="least seconds after which an engine gives a cell up")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="after which nothing new is started")
    parser.add_argument("--work", type=Path, default=HERE / ".work", help="where networks and graphs are kept")
    parser.add_argument("--out", type=Path, default=HERE / "results")
    parser.add_argument("--fresh", action="store_true", help="measure everything anew")
    parser.add_argument("--one", nargs="+", help=argparse.SUPPRESS)  # engine, dimension, files: in a child process
    options = parser.parse_args()
    options.repeats = options.repeats or (1 if options.quick else 3)
    return options


def _cells(options: argparse.Namespace, files: dict[str, Path]) -> Iterator[Cell]:
    """Yield every cell that is asked for and not hopeless."""
    for name, file in files.items():
        for max_epsilon in SCALES:
            path = graph_file(options.work, np.load(file, mmap_mode="r"), name, max_epsilon)
            graph = load_graph(path)
            for max_dim in (1, 2, 3):
                cell = f"{name} d≤{2 * max_epsilon:g} H{max_dim}"
                if (options.cells and not re.search(options.cells, cell)) or (
                    options.quick and not re.fullmatch(QUICK, cell)
                ):
                    continue
                lean, plan, census = prepare(graph, max_dim=max_dim)
                expected = estimate(lean, plan, max_dim=max_dim, census=census)
                if expected.seconds > HOPELESS:
                    print(f"{cell:28s} left out: about {expected}", flush=True)
                    continue
                yield Cell(cell, path, max_dim, expected.seconds)


def _curves(options: argparse.Namespace, files: dict[str, Path]) -> dict[str, dict[str, Path]]:
    """Return the two scaling curves: name → value on the axis → graph."""
    wide, lenet = np.load(files["wide-5000"]), np.load(files["lenet-e50"])
    return {
        "neurons of wide-5000, d≤0.6": {
            str(n): graph_file(options.work, wide[:, :n], f"wide-first-{n}", 0.3) for n in range(1000, 5001, 1000)
        },
        "max_epsilon of lenet-e50": {
            f"{scale:g}": graph_file(options.work, lenet, "lenet-e50", scale)
            for scale in (0.15, 0.2, 0.25, 0.3, 0.35, 0.4)
        },
    }


def _measured(
    options: argparse.Namespace, engine: str, max_dim: int, paths: list[Path], *, limits: list[float]
) -> dict[Path, list[dict[str, Any]]]:
    """Measure one engine on some graphs in a fresh process, and in another one after each graph that takes too long."""
    runs: dict[Path, list[dict[str, Any]]] = {path: [] for path in paths}
    output = options.work / "output.jsonl"
    while paths:
        words = [sys.executable, __file__, "--work", str(options.work), "--repeats", str(options.repeats)]
        command = [*words, "--one", engine, str(max_dim), *map(str, paths)]
        with output.open("w") as lines_out, subprocess.Popen(command, stdout=lines_out) as child:  # ourselves
            deadline, n_lines, place = time.monotonic() + 60, 0, 0  # the start, with its imports, has a minute
            while child.poll() is None and time.monotonic() < deadline:
                time.sleep(0.02)
                if (now := output.read_text().count("\n")) > n_lines:  # each line says that the next run starts
                    place = min(_lines(output)[-1].get("next", 0), len(limits) - 1)
                    n_lines, deadline = now, time.monotonic() + limits[place]
            for process in [*psutil.Process(child.pid).children(recursive=True), child] if child.poll() is None else []:
                process.kill()
        for line in _lines(output):
            if "file" in line:
                runs[paths[line["file"]]].append(line)
        done = _lines(output)[-1].get("next", 0) if _lines(output) else 0
        paths, limits = paths[done + 1 :], limits[done + 1 :]
    return runs


def _lines(output: Path) -> list[dict[str, Any]]:
    """Return what a child process has said so far."""
    return [json.loads(line) for line in output.read_text().splitlines(keepends=True) if line.endswith("\n")]


def _seconds(runs: dict[str, dict[Path, list[dict[str, Any]]]], engine: str, cell: Cell) -> float | None:
    """Return the median of an engine's runs in a cell so far."""
    lines = runs.get(engine, {}).get(cell.path, [])
    return median(line["seconds"] for line in lines) if lines else None


def _is_contender(runs: dict[str, dict[Path, list[dict[str, Any]]]], engine: str, cell: Cell) -> bool:
    """Return whether another turn of an engine could change how `auto` compares."""
    ours, theirs = _seconds(runs, "auto", cell), _seconds(runs, engine, cell)
    return ours is not None and theirs is not None and theirs < 1.5 * ours


def _combined(runs: list[dict[str, Any]], limit: float) -> dict[str, Any]:
    """Return the median of an engine's runs on one graph."""
    if not runs:
        return {"seconds": None, "limit": limit}
    first = {name: value for name, value in runs[0].items() if name not in {"file", "next", "engine"}}
    if "same" in first:
        first["same"] = all(run["same"] for run in runs)
    return {**first, "seconds": median(run["seconds"] for run in runs), "runs": [run["seconds"] for run in runs]}


def _child(options: argparse.Namespace) -> None:
    """Measure one engine and print one line of JSON per run, the first when everything is loaded."""
    names, max_dim, *files = options.one
    engines = names.split("+")
    points = np.random.default_rng(0).uniform(size=(60, 3))
    lengths = np.linalg.norm(points[:, None] - points, axis=2)
    warm = FunctionalGraph.from_distances(lengths / lengths.max(), max_epsilon=0.2)
    for engine in {*engines} & {*ENGINES} or [name for name in ORDERS if get_engine(name).version()]:
        persistence(warm, engine=engine)
    persistence(warm)
    functional_graph(points.T, max_epsilon=0.2)
    print(json.dumps({"ready": names}), flush=True)
    for place, file in enumerate(map(Path, files)):
        held = np.load(file) if file.suffix == ".npy" else load_graph(file)
        spent, n_runs = 0.0, 0
        while True:
            for engine in engines:
                about = _run(held, engine, int(max_dim), options.work / f"{file.stem}-H{max_dim}-diagrams.npz")
                spent, n_runs = spent + about["seconds"] / len(engines), n_runs + 1
                enough = n_runs >= options.repeats * len(engines) and (
                    spent >= ENOUGH or n_runs >= MOST_RUNS * len(engines)
                )
                is_last = engine == engines[-1] and (about["seconds"] > LONG or enough)
                print(json.dumps({**about, "engine": engine, "file": place, "next": place + is_last}), flush=True)
            if is_last:
                break


def _run(held: FunctionalGraph | NDArray[np.float32], engine: str, max_dim: int, first: Path) -> dict[str, Any]:
    """Do what is timed once, and return how long it took and what else there is to say of it."""
    threads = None if engine in {"auto", "epoch", "building"} else 2 if engine == "dipha" else 1
    before = _forget_peak()
    started = time.perf_counter()
    diagrams = _work(held, engine, max_dim, threads)
    seconds = time.perf_counter() - started
    about: dict[str, Any] = {"seconds": seconds, "peak_mib": (_peak() - before) / 2**20}
    if isinstance(held, FunctionalGraph) and diagrams is not None:
        about["plan"] = diagrams.provenance["plan"]
        about["same"] = _same(diagrams, first)
    if engine == "building":
        started = time.perf_counter()
        np.corrcoef(held, rowvar=False)
        about["corrcoef_seconds"] = time.perf_counter() - started
    return about


def _forget_peak() -> int:
    """Return the memory of this process, in bytes, from which its peak counts anew."""
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    return int(psutil.Process().memory_info().rss)


def _peak() -> int:
    """Return the most memory that this process had since `_forget_peak`, in bytes."""
    found = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    return 1024 * int(found[1]) if found else 0


def _work(
    held: FunctionalGraph | NDArray[np.float32], engine: str, max_dim: int, threads: int | None
) -> Diagrams | None:
    """Do what is timed: the diagrams of a graph, all of an epoch's way to the summaries, or the graph alone."""
    if isinstance(held, FunctionalGraph):
        return persistence(held, max_dim=max_dim, engine=engine, threads=threads)
    graph = functional_graph(held, max_epsilon=MODEL[1])
    if engine == "epoch":
        summarize(persistence(graph, max_dim=max_dim))
    return None


def _same(diagrams: Diagrams, path: Path) -> bool:
    """Return whether diagrams are those that were found first in this cell, to 1e-6."""
    if not path.exists():
        diagrams.save(path)
        return True
    first = Diagrams.load(path)
    return all(
        a.shape == b.shape and np.allclose(a, b, rtol=0, atol=1e-6)
        for a, b in zip(diagrams.points, first.points, strict=True)
    )


def _machine(engines: list[str]) -> dict[str, Any]:
    """Return what the figures depend on."""
    return {**machine(), "engines": {name: get_engine(name).version() for name in engines if name != "auto"}}


if __name__ == "__main__":
    main()
