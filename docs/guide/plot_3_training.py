"""
A real network before and after training
========================================

LeNet and 4,000 MNIST images that come with the package. First the movement that both papers start from, then what it
may and may not be taken for.
"""

# %%
# The movement
# ------------
# Untrained, the neurons' answers differ mostly by chance weights: few are strongly correlated, and loops appear at
# large ε. As the network learns, units come to share what they answer to: loops appear at smaller ε, the peak moves
# left.

import copy

import matplotlib.pyplot as plt
import torch

import dnn_topology as dt

torch.manual_seed(0)
data = dt.load_data("mnist-5k")
model = dt.build_net("lenet")
inputs = [data.train.tensors[0][:500]]  # always the same training inputs
states = {0: copy.deepcopy(model.state_dict())}


def keep(state):
    """Keep the weights of some epochs."""
    if state.epoch in {2, 8}:
        states[state.epoch] = copy.deepcopy(state.model)


history = dt.train(model, data, epochs=8, lr=0.02, on_epoch=keep)
measured = dt.track(model, inputs, states, max_dim=1, max_epsilon=0.3, min_persistence=0.02)
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.2), layout="constrained")
dt.plot_betti_curves(measured, dim=1, ax=left)
dt.plot_betti_curves(measured, dim=1, filtration="density", ax=right)

# %%
# In numbers: life, midlife, height and place of the peak.

table = {epoch: m.summary.query("dim == 1").iloc[0] for epoch, m in measured.items()}
for epoch, row in table.items():
    accuracy = history.set_index("epoch").loc[epoch, "train_accuracy"]
    print(
        f"epoch {epoch}: train accuracy {accuracy:.2f}, {row['count']:.0f} loops, life {row['life']:.3f}, "
        f"midlife {row['midlife']:.3f}, at most {row['betti_max']:.0f} at ε {row['peak_epsilon']:.3f}"
    )
assert table[8]["midlife"] < table[0]["midlife"]

# %%
# How much is the draw of the inputs?
# -----------------------------------
# Before reading a change, know what the same network gives with other inputs. Here the last epoch on three other
# sets of 500 training inputs.

chances = [
    dt.measure(
        model, [data.train.tensors[0][start : start + 500]], max_dim=1, min_persistence=0.02
    )
    for start in (500, 1000, 1500)
]
print("midlife on other inputs:", *[f"{m.summary.loc[1, 'midlife']:.3f}" for m in chances])
print("loops on other inputs:  ", *[f"{m.summary.loc[1, 'count']:.0f}" for m in chances])

# %%
# What a change may be taken for
# ------------------------------
# - **Comparable** are measurements of the same nodes on the same number of inputs with the same ``max_epsilon``,
#   metric and filter. Fewer inputs mean larger chance correlations, more edges and more loops; more neurons mean more
#   of everything.
# - **Peak and midlife moving to smaller ε** say that loops are now among more strongly correlated units. In the
#   networks that were tried it goes with learning; it does not measure accuracy.
# - **The height** of a curve depends on how many neurons vary at all: dead units are left out and counted
#   (`FunctionalGraph`'s ``n_constant``).
#
# What it may not be taken for
# ----------------------------
# - *Which* units are to blame: a curve counts, it does not name.
# - The test error of a network unlike those that a model of the gap was fitted on: within them the prediction is better
#   than the mean, outside it was hardly so. :doc:`Reproduction </reproduction>` has the figures.
# - Proof that an input is adversarial: noise of the same size moves the same numbers, often further (same page).
# - A difference between two networks that is no larger than the one between two seeds or two draws of inputs.
