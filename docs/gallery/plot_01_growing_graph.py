"""
A loop is born when a ring closes
=================================

Thirty neurons tuned to directions in the plane. At a small ε only neighbours are joined, then the ring closes and a
loop is born; when ε is so large that edges cross the ring, triangles fill it and the loop dies.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import dnn_topology as dt

rng = np.random.default_rng(0)
angles = np.linspace(0, 2 * np.pi, 30, endpoint=False) + rng.uniform(-0.08, 0.08, 30)
places = np.column_stack([np.cos(angles), np.sin(angles)])
inputs = rng.normal(size=(2000, 2))
inputs /= np.linalg.norm(inputs, axis=1, keepdims=True)
signals = np.maximum(inputs @ places.T - 0.5, 0).astype(np.float32)

graph = dt.functional_graph(
    dt.Activations(signals, pd.DataFrame({"layer": "ring", "index": range(30)})),
    max_epsilon=0.45,
)
(birth, death), *_ = sorted(
    dt.persistence(graph, max_dim=1)[1].tolist(), key=lambda bar: bar[0] - bar[1]
)

figure, axes = plt.subplots(1, 3, figsize=(9, 3.3), layout="constrained")
for ax, epsilon, title in zip(
    axes,
    (birth / 2, (birth + death) / 2, death),
    ("not yet", "one loop", "filled"),
    strict=True,
):
    joined = graph.distances <= 2 * epsilon
    for i, j in zip(graph.rows[joined], graph.cols[joined], strict=True):
        ax.plot(*places[[i, j]].T, color="tab:blue", linewidth=0.5, alpha=0.5)
    ax.plot(*places.T, "o", color="black", markersize=4)
    ax.set(title=f"ε = {epsilon:.2f}: {title}", aspect="equal")
    ax.axis("off")
print(f"born at ε {birth:.3f}, died at {death:.3f}")
