"""
Few inputs make loops out of nothing
====================================

Eighty neurons that have nothing to do with one another. With a thousand inputs their correlations are near 0, and
there are loops only where nearly everything is joined, at ε close to 0.5. With thirty inputs chance correlates
neurons, and the loops lie where those of real networks do. So: compare only what was measured on the same number of
inputs.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import dnn_topology as dt

rng = np.random.default_rng(0)
neurons = pd.DataFrame({"layer": "noise", "index": range(80)})
curves = {}
for n_inputs in (30, 100, 300, 1000):
    noise = dt.Activations(rng.normal(size=(n_inputs, 80)).astype(np.float32), neurons)
    curves[f"{n_inputs} inputs"] = dt.persistence(
        dt.functional_graph(noise, max_epsilon=0.5), max_dim=1
    )

figure, ax = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
dt.plot_betti_curves(curves, dim=1, ax=ax)
for name, diagrams in curves.items():
    print(f"{name}: the first loop is born at ε {diagrams[1][:, 0].min():.2f}")
