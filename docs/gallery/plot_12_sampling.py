"""
A sample of the neurons, and what it does not tell
==================================================

Too many neurons? Measure a sample, several times. The bars say how much the draw matters. They do not say how far
the number is from the whole network's: both the count of loops and their midlife go on changing with the size of
the sample, so compare samples of one size only.
"""

import matplotlib.pyplot as plt

import dnn_topology as dt

data = dt.load_data("digits_gray28")
net = dt.build_net("lenet_300_100")
dt.train(net, data, epochs=5, lr=0.05)
acts = dt.record(net, [data.train.tensors[0][:500]])
sizes = (60, 120, 180, 240)
tables = {
    n: dt.bootstrap(acts, n, repeats=10, max_dim=1, min_persistence=0.02)
    .query("dim == 1")
    .set_index("summary")
    for n in sizes
}

figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
for ax, summary in zip(axes, ("midlife", "count"), strict=True):
    rows = [tables[n].loc[summary] for n in sizes]
    ax.errorbar(
        sizes,
        [row["mean"] for row in rows],
        yerr=[
            [row["mean"] - row["lower"] for row in rows],
            [row["upper"] - row["mean"] for row in rows],
        ],
        marker="o",
        capsize=3,
    )
    ax.set(
        xlabel="neurons drawn", ylabel=f"{summary} of loops, 95 % of draws", ylim=(0, None)
    )
