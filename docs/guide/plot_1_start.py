"""
From install to your own curves: five minutes
=============================================

In a clone, with Python 3.11 or later: ``pip install .`` (PyTorch first, as its own site says for your machine). What
comes with the package is all that this page needs: 1,797 real digits and a small network.
"""

# %%
# A model and its inputs
# ----------------------
# Any ``nn.Module`` will do, and any iterable of batches. Replace the next three statements by your own.

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.utils.data import DataLoader

import dnn_topology as dt

torch.manual_seed(0)
data = dt.load_data("digits")  # images (1, 8, 8) and labels
model = nn.Sequential(
    nn.Flatten(),
    nn.Linear(64, 200),
    nn.ReLU(),
    nn.Linear(200, 100),
    nn.ReLU(),
    nn.Linear(100, 10),
)
loader = DataLoader(data.train, batch_size=128)

# %%
# Measure it
# ----------
# One call runs 1,000 inputs through the model, correlates what its neurons answer, joins neurons whose answers are
# alike and counts the loops of the graph that grows. Loops that live for less than ε 0.02 are left out, as in the
# papers. The model stays as it was found.

untrained = dt.measure(model, loader, max_dim=1, max_epsilon=0.3, min_persistence=0.02)
untrained.summary[
    ["dim", "count", "essential", "life", "midlife", "betti_max", "peak_epsilon"]
].round(3)

# %%
# Train it, measure again
# -----------------------
# ``dt.train`` is here for brevity; train as you do.

history = dt.train(model, data, epochs=20, lr=0.05)
trained = dt.measure(model, loader, max_dim=1, max_epsilon=0.3, min_persistence=0.02)
history[["epoch", "train_accuracy", "test_accuracy"]].iloc[[0, -1]]

# %%
# Look at it
# ----------

figure, axes = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
dt.plot_betti_curves({"untrained": untrained, "after 20 epochs": trained}, dim=1, ax=axes)

# %%
# Each curve says how many loops there are among the neurons when those within ε of one another are joined. What that
# means, and what a change may be taken for, is on the next page.
#
# Where to go from here
# ---------------------
# - What of the model counts as a neuron: ``dt.list_layers(model, images)`` lists it, ``layers=`` and ``nodes=`` choose.
# - Over a whole training: `TopologyMonitor`; from checkpoints that are there: `track`.
# - Without writing Python: ``dnn-topology demo``, then ``dnn-topology run --help``.

dt.list_layers(model, data.train[[0]][0])[["layer", "kind", "unit"]]
