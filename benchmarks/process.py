"""A process that measures one rival: it reads tasks, one line of JSON each, and answers with one."""

from __future__ import annotations

import ctypes
import json
import os
import re
import select
import subprocess
import sys
import tempfile
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import psutil

START = 120  # seconds that a process may take to load what it needs


class Process:
    """The parent's end of a process.

    Args:
        name: The rival.
    """

    def __init__(self, name: str) -> None:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.child = subprocess.Popen([sys.executable, __file__, name], text=True, bufsize=1, **pipes)  # type: ignore[call-overload]
        self._answer(START)

    def ask(self, *task: Any, limit: float) -> dict[str, Any] | None:
        """Return the answer to a task, or None where there is none within the limit."""
        self.child.stdin.write(json.dumps(task) + "\n")
        self.child.stdin.flush()
        return self._answer(limit)

    def _answer(self, limit: float) -> dict[str, Any] | None:
        """Return the next answer, or None."""
        if not select.select([self.child.stdout], [], [], limit)[0]:
            return None
        line = self.child.stdout.readline()
        return json.loads(line) if line else None

    def kill(self) -> None:
        """End the process."""
        self.child.kill()
        self.child.wait()

    @staticmethod
    def start(max_dim: int, *, cold: bool) -> float:
        """Return the seconds that the first small graph of a process takes, with machine code on disk or not."""
        with tempfile.TemporaryDirectory() as folder:
            environment = {**os.environ, **({"NUMBA_CACHE_DIR": folder} if cold else {})}
            command = [sys.executable, __file__, "first", str(max_dim)]
            found = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return round(float(found.stdout), 2)


def small_graph() -> Any:
    """Return a graph to load everything with."""
    from dnn_topology.graphs.graph import FunctionalGraph

    points = np.random.default_rng(0).uniform(size=(60, 3))
    lengths = np.linalg.norm(points[:, None] - points, axis=2)
    return FunctionalGraph.from_distances(lengths / lengths.max(), max_epsilon=0.2)


def serve(name: str) -> None:
    """Answer tasks: a file, the highest dimension, and for activations max_epsilon."""
    from rivals import rival
    from stored import load_graph

    from dnn_topology.graphs.graph import functional_graph
    from dnn_topology.homology.summaries import summarize

    compute = rival(name)
    warm = small_graph()
    if name == "auto" or "morse" in name:
        from dnn_topology.homology.engines.morse import Morse

        for max_dim in (1, 2, 3):
            Morse().compile(max_dim)
    for max_dim in (1, 2, 3):
        summarize(compute(warm, max_dim))
    functional_graph(np.random.default_rng(0).normal(size=(20, 30)), max_epsilon=0.2)
    print(json.dumps({"ready": name}), flush=True)
    for line in sys.stdin:
        file, max_dim, scale = json.loads(line)
        held = np.load(file) if scale else load_graph(Path(file))
        before, started = forget_peak(), time.perf_counter()
        diagrams = compute(functional_graph(held, max_epsilon=scale) if scale else held, max_dim)
        if scale:
            summarize(diagrams)
        seconds = time.perf_counter() - started
        about = {
            "seconds": seconds,
            "peak_mib": (peak() - before) / 2**20,
            "digest": digest(diagrams),
            "plan": str(diagrams.provenance.get("plan", "")),
        }
        print(json.dumps(about), flush=True)


def digest(diagrams: Any) -> str:
    """Return what equal diagrams have in common, to 1e-9, without the bars that engines may leave out."""
    points = [p[p[:, 1] > p[:, 0]] for p in diagrams.points]
    return sha256(b"|".join(np.round(p, 9).tobytes() for p in points)).hexdigest()[:16]


def first(max_dim: int) -> None:
    """Print the seconds of the first graph."""
    from dnn_topology.homology.persistence import persistence

    graph = small_graph()
    started = time.perf_counter()
    persistence(graph, max_dim=max_dim, engine="morse", threads=1)
    print(time.perf_counter() - started)


def forget_peak() -> int:
    """Return the memory of this process, in bytes, from which its peak counts anew."""
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    return int(psutil.Process().memory_info().rss)


def peak() -> int:
    """Return the most memory that this process had since `forget_peak`, in bytes."""
    found = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    return 1024 * int(found[1]) if found else 0


if __name__ == "__main__":
    if sys.argv[1] == "first":
        first(int(sys.argv[2]))
    else:
        serve(sys.argv[1])
