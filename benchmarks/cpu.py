"""CPU seconds of one thread, ours and the rivals that came nearest: they depend less on what else runs than wall time.

    python benchmarks/cpu.py        # prints the table of docs/engines.md; two minutes, and the training of the networks

Rivals run in turns on the same graph; medians of three. Every answer is compared with ours.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from statistics import median

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from rivals import rival

from dnn_topology.graphs.graph import functional_graph
from graphs import signals

REPEATS = 3
OURS = "morse, 1 thread"
# network, largest distance, dimension, rivals
CELLS = (
    ("lenet-e50", 0.8, 2, ("tda",)),
    ("lenet-e0", 0.8, 2, ("tda",)),
    ("wide-2000", 0.8, 2, ("tda",)),
    ("lenet-e50", 0.6, 2, ("tda", "gudhi")),
    ("lenet-e50", 0.6, 3, ("gudhi",)),
    ("lenet-e50", 0.8, 1, ("redzed",)),
)


def main() -> None:
    """Measure every cell and print a row of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path(__file__).parent / ".work", help="where activations are kept")
    files = signals(parser.parse_args().work)
    print("| graph | morse | best other | ratio |\n|---|---|---|---|")
    for network, distance, dim, others in CELLS:
        graph = functional_graph(np.load(files[network]), max_epsilon=distance / 2)
        names = (OURS, *others)
        answers = {name: rival(name)(graph, dim) for name in names}  # warm, too
        assert all(answers[name] == answers[OURS] for name in others), network
        taken: dict[str, list[float]] = {name: [] for name in names}
        for _ in range(REPEATS):
            for name in names:
                started = time.process_time()
                rival(name)(graph, dim)
                taken[name].append(time.process_time() - started)
        best = min(others, key=lambda name: median(taken[name]))
        ours, theirs = median(taken[OURS]), median(taken[best])
        print(
            f"| {network}, d ≤ {distance:g}, H{dim} | {ours:.3g} | {theirs:.3g} ({best}) | {ours / theirs:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
