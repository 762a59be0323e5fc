"""Every installed engine alone, and `auto`, side by side on real functional graphs.

    python benchmarks/engines.py              # all cells, three runs each or more: `make bench`
    python benchmarks/engines.py --cells 'lenet-e50.*H2' --repeats 5

Every rival has a process of its own, which first computes a small graph, so that imports and loading machine code do
not count. In every cell the rivals run in turns, so that what slows the machine for a while slows all of them. A time
goes from the functional graph to the diagrams; `auto` may use every core, the others have one. A rival gives a cell up
after --limit seconds, and then also the higher dimensions and the longer edges of that graph; a run that takes longer
than 5 s is not repeated.
What is finished is kept in --work and not measured again; --fresh forgets it.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from machine import command_line, machine
from process import Process
from rivals import rivals
from stored import graph_file

HERE = Path(__file__).parent
SCALES = (0.3, 0.4)
LONG = 5  # seconds of a run that is not repeated
ENOUGH = 0.5  # seconds until which runs of a cell are repeated
MOST_RUNS = 15
CURVE_LIMIT = 5  # seconds per point of a scaling curve
LARGE_LIMIT = 60  # seconds per large graph


def main() -> None:
    """Measure what is missing, then write the JSON, the table and the plots."""
    options = _options()
    from graphs import signals  # torch and matplotlib stay out of the processes that are timed
    from report import write_report

    files = signals(options.work)
    kept = Kept(options)
    names = rivals()
    kept.results["load"] = f"{os.getloadavg()[1]:.1f} when it was started"
    with Processes(names) as processes:
        for cell, path, max_dim in _cells(options, files):
            kept.measure("cells", cell, processes, list(names), path, max_dim, options.limit)
        if not options.cells:
            for name, points in _curves(options, files).items():
                kept.results.setdefault("axes", {})[name] = list(points)
                for value, path in points.items():
                    kept.measure("curves", f"{name}|{value}", processes, list(names), path, 2, CURVE_LIMIT)
            for scale in SCALES:
                kept.measure("epoch", f"{scale:g}", processes, ["auto"], files["lenet-e50"], 2, 60, scale)
            kept.measure_large(processes)
            kept.measure_start()
    command = command_line()
    write_report({"command": command, "machine": {**machine(), "engines": names}, **kept.results}, options.out)


class Processes:
    """One process per rival, started when it is first asked for, and again after it was killed."""

    def __init__(self, names: dict[str, str]) -> None:
        self.names = names
        self.running: dict[str, Process] = {}

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.running.values():
            process.kill()

    def run(self, name: str, *task: Any, limit: float) -> dict[str, Any] | None:
        """Return what a rival says of one task, or None where it takes longer than the limit or fails."""
        if name not in self.running:
            self.running[name] = Process(name)
        found = self.running[name].ask(*task, limit=limit)
        if found is None:
            self.running.pop(name).kill()
        return found


class Kept:
    """What was measured so far: section → row → rival → runs, in a file that a later call goes on from."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options, self.path = options, options.work / "measured.json"
        fresh = options.fresh or not self.path.exists()
        self.results: dict[str, Any] = {} if fresh else json.loads(self.path.read_text())

    def measure(
        self,
        section: str,
        row: str,
        processes: Processes,
        names: list[str],
        path: Path,
        max_dim: int,
        limit: float,
        scale: float | None = None,
    ) -> None:
        """Measure rivals in turns on one graph, unless that is done."""
        table = self.results.setdefault(section, {})
        if row in table:
            return
        runs: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
        waiting = [name for name in names if not self._gave_up(section, row, name)]
        while waiting:
            for name in [*waiting]:
                found = processes.run(name, str(path), max_dim, scale, limit=limit)
                if found is None:
                    waiting.remove(name)
                    continue
                runs[name].append(found)
                if found["seconds"] > LONG or self._is_enough(runs[name]):
                    waiting.remove(name)
        table[row] = {name: self._combined(of_name, limit) for name, of_name in runs.items()}
        self._keep(row, table[row])

    def measure_large(self, processes: Processes) -> None:
        """Measure graphs of the sizes of ResNet-18 and VGG-16, and one of very many nodes and few edges."""
        from large import GRAPHS, large_graph

        for name in GRAPHS:
            for max_dim in (1, 2):
                row = f"{name} H{max_dim}"
                if row not in self.results.setdefault("large", {}):
                    path = large_graph(self.options.work, name)
                    self.measure("large", row, processes, ["auto", "gudhi"], path, max_dim, LARGE_LIMIT)

    def measure_start(self) -> None:
        """Measure what the first graph of a process costs, its machine code on disk or not."""
        table = self.results.setdefault("start", {})
        for row, cold in (("machine code on disk", False), ("to be compiled", True)):
            if row not in table:
                table[row] = {f"H{dim}": Process.start(dim, cold=cold) for dim in (1, 2, 3)}
                print(row, table[row], flush=True)

    def _gave_up(self, section: str, row: str, name: str) -> bool:
        """Return whether a rival gave up what is easier: a lower dimension, shorter edges, an earlier point."""
        table = self.results.get(section, {})
        if section in {"cells", "large"}:
            graph, distance, dim = _parts(row)
            easier = [
                of_row.get(name)
                for other, of_row in table.items()
                if _parts(other)[0] == graph and _parts(other)[1] <= distance and _parts(other)[2] <= dim
            ]
            return any(found and found["seconds"] is None for found in easier)
        same = [of_row.get(name) for other, of_row in table.items() if other.split("|")[0] == row.split("|")[0]]
        return any(found and found["seconds"] is None for found in same)

    def _is_enough(self, runs: list[dict[str, Any]]) -> bool:
        """Return whether a rival has run often and long enough in a cell."""
        spent = sum(run["seconds"] for run in runs)
        return len(runs) >= self.options.repeats and (spent >= ENOUGH or len(runs) >= MOST_RUNS)

    def _combined(self, runs: list[dict[str, Any]], limit: float) -> dict[str, Any]:
        """Return the median of a rival's runs on one graph."""
        if not runs:
            return {"seconds": None, "limit": limit}
        return {
            "seconds": median(run["seconds"] for run in runs),
            "runs": [round(run["seconds"], 4) for run in runs],
            "peak_mib": max(run["peak_mib"] for run in runs),
            "digest": runs[0]["digest"],
            "plan": runs[0]["plan"],
        }

    def _keep(self, row: str, found: dict[str, Any]) -> None:
        """Write down what there is."""
        self.path.write_text(json.dumps(self.results))
        seconds = {name: run["seconds"] and round(run["seconds"], 3) for name, run in found.items()}
        print(f"{time.strftime('%H:%M')} {row:32s} {seconds}", flush=True)


def _parts(row: str) -> tuple[str, str, str]:
    """Return graph, distance and dimension of the name of a cell; these sort as the numbers do."""
    cell, _, dim = row.rpartition(" H")
    graph, _, distance = cell.partition("d≤")
    return graph, distance, dim


def _options() -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", metavar="REGEX", help="only the cells whose name matches, and nothing else")
    parser.add_argument("--repeats", type=int, default=3, help="least number of runs per cell and rival")
    parser.add_argument("--limit", type=float, default=20, help="seconds after which a rival gives a cell up")
    parser.add_argument("--work", type=Path, default=HERE / ".work", help="where networks and graphs are kept")
    parser.add_argument("--out", type=Path, default=HERE / "results")
    parser.add_argument("--fresh", action="store_true", help="measure everything anew")
    return parser.parse_args()


def _cells(options: argparse.Namespace, files: dict[str, Path]) -> Iterator[tuple[str, Path, int]]:
    """Yield every cell that is asked for: its name, the file of its graph, the dimension."""
    for max_dim in (2, 1, 3):
        for scale in SCALES:
            for name, file in files.items():
                cell = f"{name} d≤{2 * scale:g} H{max_dim}"
                if not options.cells or re.search(options.cells, cell):
                    yield cell, graph_file(options.work, np.load(file, mmap_mode="r"), name, scale), max_dim


def _curves(options: argparse.Namespace, files: dict[str, Path]) -> dict[str, dict[str, Path]]:
    """Return the scaling curves: name → value on the axis → graph."""
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


if __name__ == "__main__":
    main()
