"""
Two angles at once: a torus has two loops and a void
====================================================

Neurons that answer to two angles, each by itself, lie on a torus. Its Betti numbers are 1, 2, 1, and that is what is
found: two loops, one for each angle, and the hollow inside.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import dnn_topology as dt

rng = np.random.default_rng(0)
side = np.linspace(0, 2 * np.pi, 14, endpoint=False)
preferred = np.array([(a, b) for a in side for b in side])
stimulus = rng.uniform(0, 2 * np.pi, size=(4000, 1, 2))
tuning = np.exp(3 * (np.cos(stimulus - preferred) - 1)).prod(axis=2)

neurons = pd.DataFrame({"layer": "torus", "index": range(len(preferred))})
graph = dt.functional_graph(
    dt.Activations(tuning.astype(np.float32), neurons), max_epsilon=0.42
)
diagrams = dt.persistence(graph, max_dim=2)
lasting = diagrams.filtered(min_persistence=0.1)
print([len(points) for points in lasting[1:]])

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
dt.plot_betti_curves(lasting, dim=1, ax=left)
dt.plot_betti_curves(lasting, dim=2, ax=right)
