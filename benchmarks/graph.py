"""What the functional graph of a wide network costs: its time over that of the plain matrix products, and its memory.

    python benchmarks/graph.py                                   # 50,000 neurons × 1,000 samples: minutes
    python benchmarks/graph.py --neurons 5000 --repeats 3        # also against np.corrcoef

Each repeat is a child process of its own, since only a process knows the memory that torch took. The signals are
rectified mixtures of a few sources, so that the share of kept edges is that of a trained network (LeNet: 3.5 % to
4.2 % at max_epsilon 0.3).
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SOURCES = 16
CORRCOEF_LIMIT = 10_000  # neurons; np.corrcoef holds two square matrices


def signals(n_samples: int, n_neurons: int) -> NDArray[np.float32]:
    """Return rectified mixtures (n_samples, n_neurons) of a few sources, made in place."""
    rng = np.random.default_rng(0)
    sources = rng.standard_normal((n_samples, SOURCES), dtype=np.float32)
    values: NDArray[np.float32] = sources @ rng.standard_normal((SOURCES, n_neurons), dtype=np.float32)
    np.maximum(values, 0, out=values)
    return values


def resident() -> float:
    """Return the memory of this process at this moment, in GiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**30


def plain_products(n_samples: int, n_neurons: int, dtype: str) -> float:
    """Return the seconds of the block products alone, on blocks that are at hand and into memory that is there."""
    import torch

    from dnn_topology.graphs.correlation import BLOCK

    kind = getattr(torch, dtype)
    left, right = (torch.randn(n_samples, BLOCK, dtype=kind) for _ in range(2))
    result = torch.empty(BLOCK, BLOCK, dtype=kind)
    widths = [min(BLOCK, n_neurons - start) for start in range(0, n_neurons, BLOCK)]
    torch.mm(left.T, right, out=result)
    start = time.perf_counter()
    for place, low in enumerate(widths):
        for high in widths[place:]:
            torch.mm(left[:, :low].T, right[:, :high], out=result[:low, :high])
    return time.perf_counter() - start


def measure(n_samples: int, n_neurons: int, max_epsilon: float) -> dict[str, float]:
    """Return the figures of one run in this process."""
    import torch

    from dnn_topology.graphs.graph import functional_graph

    values = signals(n_samples, n_neurons)
    functional_graph(values[:, :200], device="cpu")  # everything is imported and every thread started
    before = resident()
    start = time.perf_counter()
    graph = functional_graph(values, max_epsilon=max_epsilon, device="cpu")
    figures = {"graph_s": time.perf_counter() - start}
    figures["peak_gib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20 - before
    figures["activations_gib"] = values.nbytes / 2**30
    figures["edges"] = graph.n_edges
    figures["share_kept"] = graph.n_edges / graph.n_pairs
    figures["threads"] = torch.get_num_threads()
    del graph
    figures["products_s"] = plain_products(n_samples, n_neurons, "float64")
    figures["products_float32_s"] = plain_products(n_samples, n_neurons, "float32")
    figures["ratio"] = figures["graph_s"] / figures["products_s"]
    if n_neurons <= CORRCOEF_LIMIT:
        start = time.perf_counter()
        np.corrcoef(values, rowvar=False, dtype=np.float64)
        figures["corrcoef_s"] = time.perf_counter() - start
    return figures


def main() -> None:
    """Run the children, print the medians, and write them down if asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--neurons", type=int, default=50_000)
    parser.add_argument("--samples", type=int, default=1_000)
    parser.add_argument("--max-epsilon", type=float, default=0.3)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        print(json.dumps(measure(asked.samples, asked.neurons, asked.max_epsilon)))
        return
    command = [sys.executable, __file__, "--child", "--neurons", str(asked.neurons), "--samples", str(asked.samples)]
    command += ["--max-epsilon", str(asked.max_epsilon)]
    runs = [json.loads(subprocess.check_output(command, text=True)) for _ in range(asked.repeats)]
    medians = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
    for name, value in medians.items():
        print(f"{name:20} {value:,.4g}")
    if asked.json:
        about = {
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
            "versions": {name: importlib.metadata.version(name) for name in ("dnn-topology", "numpy", "torch")},
            "neurons": asked.neurons,
            "samples": asked.samples,
            "max_epsilon": asked.max_epsilon,
        }
        asked.json.parent.mkdir(parents=True, exist_ok=True)
        asked.json.write_text(json.dumps({**about, "median": medians, "runs": runs}, indent=2) + "\n")


if __name__ == "__main__":
    main()
