"""
Two trainings: is the difference more than the seed's?
======================================================

Weight decay changes the curve. Before believing that, look at what the seed alone does: three seeds of either.
"""

import matplotlib.pyplot as plt
import pandas as pd

import dnn_topology as dt

data = dt.load_data("digits_gray28", train_size=600)
inputs = [data.train.tensors[0][:400]]
figure, ax = plt.subplots(figsize=(6.8, 3.8), layout="constrained")
rows = []
for decay, colour in ((0.0, "tab:blue"), (0.02, "tab:orange")):
    for seed in range(3):
        net = dt.build_net("mlp", seed=seed)
        dt.train(net, data, epochs=15, lr=0.05, weight_decay=decay, seed=seed)
        m = dt.measure(net, inputs, max_dim=1, min_persistence=0.02)
        ax.step(
            *m.diagrams.betti_curve(1),
            where="post",
            color=colour,
            label=None if seed else f"weight decay {decay}",
        )
        rows.append(
            {"weight decay": decay, "seed": seed, "midlife": m.summary.loc[1, "midlife"]}
        )
ax.set(xlabel="scale ε", ylabel="loops living longer than 0.02")
ax.legend(frameon=False)
pd.DataFrame(rows).pivot(index="seed", columns="weight decay", values="midlife").round(3)
