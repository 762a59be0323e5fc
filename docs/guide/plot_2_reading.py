r"""
How to read a curve: networks whose answer is known
===================================================

The road is always the same: what a neuron answers to each input is its *signal*; two neurons are close if their signals
are strongly correlated, at distance d = 1 - \|r\|; a scale ε grows from 0, and at each ε the neurons with
d ≤ 2 ε are joined. Where edges close a ring that no triangles fill there is a *loop*, where triangles close a hollow
there is a *void*. They are born at one ε and die, filled in, at a larger one.

Whether this finds what is there is best seen where one knows it. So here are four "networks" that are nothing but the
signals of their neurons.
"""

# %%
# The recipe
# ----------
# Each neuron gets a place, and answers an input the more the closer the input is to that place. Neurons with places
# on a circle then have signals that go round in a circle. (The inputs are random directions; a place answers by the
# cosine between both, less a threshold and cut at 0, as in a ReLU.)

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import dnn_topology as dt

rng = np.random.default_rng(0)


def measured(signals, max_dim=1, max_epsilon=0.45):
    """Signals (n_samples, n_neurons) → the diagrams of their correlations."""
    neurons = pd.DataFrame({"layer": "toy", "index": range(signals.shape[1])})
    graph = dt.functional_graph(
        dt.Activations(signals.astype(np.float32), neurons), max_epsilon=max_epsilon
    )
    return dt.persistence(graph, max_dim=max_dim)


def tuned(places, n_inputs=3000):
    """Answers to random inputs of neurons that prefer the directions `places` (n, dimensions)."""
    inputs = rng.normal(size=(n_inputs, places.shape[1]))
    inputs /= np.linalg.norm(inputs, axis=1, keepdims=True)
    return np.maximum(inputs @ places.T - 0.5, 0)


# %%
# A circle: one loop
# ------------------
# 60 neurons, each tuned to a direction in the plane. One loop is born early, when neighbours are joined all the way
# round, and lives long. Everything else is short-lived: that is what the filter is for.

angles = np.linspace(0, 2 * np.pi, 60, endpoint=False)
circle = measured(tuned(np.column_stack([np.cos(angles), np.sin(angles)])))
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.6), layout="constrained")
dt.plot_betti_curves(circle, dim=1, ax=left)
dt.plot_diagram(circle, ax=right)
loop = circle.filtered(min_persistence=0.1)[1]
assert len(loop) == 1, loop
f"one loop, born at ε {loop[0, 0]:.2f}, gone at {loop[0, 1]:.2f}"

# %%
# Left the *Betti curve*: how many loops live at each ε. Right the *persistence diagram*: one point per cavity, its
# birth to the right, its death upwards; the farther above the diagonal, the longer it lived. The dots at birth 0
# are components (H0), which die when they are joined to others. The spike where the loop dies is a handful of
# cavities on the diagonal, which live for thousandths.
#
# A sphere: one void
# ------------------
# The same with directions in space. No loop lives long, because on a sphere every loop is soon filled; what lasts
# is the hollow inside, in dimension 2. The hill at the left is the net of neighbours closing: many loops, each soon
# filled.

places = rng.normal(size=(100, 3))
places /= np.linalg.norm(places, axis=1, keepdims=True)
for _ in range(300):  # push the places apart, so that they cover the sphere evenly
    apart = places[:, None] - places[None]
    push = apart / (np.linalg.norm(apart, axis=-1, keepdims=True) ** 3 + 1e-9)
    places += 0.003 * push.sum(axis=1)
    places /= np.linalg.norm(places, axis=1, keepdims=True)
sphere = measured(tuned(places), max_dim=2)
figure, axes = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
for dim, ax in enumerate(axes, start=1):
    dt.plot_betti_curves(sphere, dim=dim, ax=ax)
assert [len(points) for points in sphere.filtered(min_persistence=0.1)[1:]] == [0, 1]
sphere.filtered(min_persistence=0.1)

# %%
# Independent noise: nothing
# --------------------------
# Signals that have nothing to do with one another are all about as far apart as can be, d ≈ 1, so that nothing is
# joined before ε nears 0.5: an empty curve. (With few inputs chance correlations pull the distances down: that is
# why the same number of inputs has to be used for everything that is compared.)

noise = measured(rng.normal(size=(3000, 60)))
assert len(noise[1]) == 0
noise.note

# %%
# Two groups: two components
# --------------------------
# 30 neurons follow one hidden signal and 30 another. Of the 60 components that there are at ε 0 two are left soon, and
# stay: β0 is 2 from there on. There is no loop to speak of.

causes = rng.normal(size=(3000, 2))
groups = measured(np.repeat(causes, 30, axis=1) + 0.3 * rng.normal(size=(3000, 60)))
figure, ax = plt.subplots(figsize=(5, 3.2), layout="constrained")
dt.plot_betti_curves(groups, dim=0, ax=ax)
assert groups.betti_curve(0).beta[-1] == 2

# %%
# The words
# ---------
# **ε** is a radius: neurons are joined when d ≤ 2 ε. Libraries that report diameters (ripser, GUDHI) give numbers twice
# as large. **Density** is the share of all pairs that are joined at ε; ``filtration="density"`` draws the same curve
# over it, which makes networks comparable whose correlations are stronger throughout.
#
# **Life** λ is death - birth, averaged over cavities; **midlife** μ is (birth + death) / 2, averaged: where on the
# axis cavities are. A lower midlife means that the loops are among more strongly correlated neurons.
#
# A cavity that is alive where the filtration ends (``max_epsilon``) is **essential**: its death is not known. It counts
# in curves, and is left out of means.
#
# The **persistence filter** (``min_persistence``, 0.02 in the papers) leaves out what lives shorter. The next picture
# shows what it does to the circle: the curve's ragged edges go, the loop stays.

figure, ax = plt.subplots(figsize=(5, 3.2), layout="constrained")
dt.plot_betti_curves({"all": circle, "longer than 0.02": circle.filtered()}, dim=1, ax=ax)
