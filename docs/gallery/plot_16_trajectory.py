"""
Epochs as points: the way of a training
=======================================

How far apart are the diagrams of two epochs? Bottleneck distances between all of them, set down in
the plane as well as it allows. The longest step is the first one. What the plane cannot hold of
the distances is in the title.
"""

import matplotlib.pyplot as plt

import dnn_topology as dt

data = dt.load_data("digits_gray28")
inputs = [data.train.tensors[0][:400]]
ways = {}
for seed in range(2):
    net = dt.build_net("mlp", seed=seed)
    monitor = dt.TopologyMonitor(inputs, every=2, max_dim=1, min_persistence=0.02)
    dt.train(
        net,
        data,
        epochs=12,
        lr=0.05,
        seed=seed,
        test=None,
        on_epoch=lambda s, m=monitor, n=net: m(n, s.epoch) and None,
    )
    ways[f"seed {seed}"] = monitor.measurements

figure, ax = plt.subplots(figsize=(6, 5), layout="constrained")
dt.plot_trajectory(ways, ax=ax)
