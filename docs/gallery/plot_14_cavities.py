"""
Cavities and their neurons
==========================

A curve counts; `cavities` names. Each cavity comes with a cycle of neurons around it. Here units
are tuned to directions, so that we know who should be on the longest-lived loop: those all round
the circle. Then the same question to a trained network, whose answer nobody knew.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import dnn_topology as dt

rng = np.random.default_rng(0)
angles = np.sort(
    np.concatenate(
        [np.linspace(0, 2 * np.pi, 24, endpoint=False), rng.uniform(0, 2 * np.pi, 16)]
    )
)
places = np.column_stack([np.cos(angles), np.sin(angles)])
inputs = rng.normal(size=(2000, 2))
inputs /= np.linalg.norm(inputs, axis=1, keepdims=True)
signals = np.maximum(inputs @ places.T - 0.5, 0).astype(np.float32)
neurons = pd.DataFrame({"layer": "ring", "index": range(len(places))})
graph = dt.functional_graph(dt.Activations(signals, neurons), max_epsilon=0.45)

longest = dt.cavities(graph, top=1, tight="bar")[0]
(loop,) = longest.loops
figure, ax = plt.subplots(figsize=(4, 4), layout="constrained")
ax.plot(*places.T, "o", color="lightgrey")
ax.plot(*places[[*loop, loop[0]]].T, "o-", color="tab:blue", markersize=4)
ax.set(aspect="equal", title=f"born at ε {longest.birth:.3f}, died at {longest.death:.3f}")
ax.axis("off")

# %%
# In a trained network: the longest-lived loops, and how many neurons of which layers they run
# through. All of these run across layers: a picture of one layer alone would not have them.

data = dt.load_data("digits_gray28")
net = dt.build_net("lenet_300_100")
dt.train(net, data, epochs=10, lr=0.05)
m = dt.measure(net, [data.train.tensors[0][:500]], max_dim=1, min_persistence=0.02)
table = m.cavities(top=8, tight="bar").to_frame()
assert (table["where"] == "across").all()
table[["birth", "death", "neurons", "layers"]].round(3)
